#include "app/simulator/clients.h"

#include "contracts/common.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/fnv.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"
#include "libs/runtime/access.h"

namespace micropay::app {
namespace {

constexpr size_t kRemembered = 40;  // requests that are worth repeating

std::string digest_of(const Answer& answer) {
  if (!answer.result) return "error " + answer.result.error().reason;
  return fmt::format("{} {:016x}", answer.status, fnv1a((*answer.result)->SerializeAsString()));
}

// Nothing is remembered of these: the same key may be tried again.
bool transient(const std::string& reason) {
  return reason == "storage_failed" || reason == "storage_full" || reason == "storage_contended" ||
         reason == "overloaded" || reason == "idempotency_in_progress";
}

// The same request with another value in it that counts, and is as valid; null: none was found.
MessagePtr altered(const google::protobuf::Message& message) {
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    const FieldOptions& options = contract::options_of(*field);
    if (field->is_repeated() || options.secret() || options.format() != NONE) continue;
    MessagePtr other(message.New());
    other->CopyFrom(message);
    if (contract::is_money(*field) && reflection.HasField(message, field)) {
      auto& money = static_cast<Money&>(*reflection.MutableMessage(other.get(), field));
      money.set_minor(money.minor() + 1);
    } else if (field->type() == google::protobuf::FieldDescriptor::TYPE_STRING) {
      reflection.SetString(other.get(), field, reflection.GetString(message, field) + "x");
    } else {
      continue;
    }
    if (contract::validate(*other)) return other;
  }
  return nullptr;
}

}  // namespace

Clients::Clients(Known& known, Coverage& coverage, const Clock& clock,
                 std::vector<const contract::Method*> methods, Random& random)
    : known_(known), coverage_(coverage), drafts_(known, clock, std::move(methods), random) {}

Request& Clients::choose(Random& random) {
  const size_t first = requests_.size() - std::min(requests_.size(), kRemembered);
  if (requests_.size() > first && random.chance(15)) {
    Request& again = requests_[first + random.below(requests_.size() - first)];
    const bool command = !again.method->query && !again.key.empty();
    if (command && again.state != Request::State::kUnasked) return again;
  }
  Draft draft = drafts_.next(random);
  Request& request = requests_.emplace_back();
  request.number = requests_.size();
  request.method = draft.method;
  request.message = std::move(draft.message);
  request.principal = std::move(draft.principal);
  if (!request.method->query && request.method->options.idempotency() == BY_KEY &&
      request.method->verb == "POST")
    request.key = fmt::format("key-{}", request.number);
  return request;
}

std::string Clients::ask(Request& request, Engine& engine, const void* process, Random& random) {
  const contract::Method& method = *request.method;
  ++request.asked;
  const auto refuse = [&](const Error& error) {
    answered(request, {.result = std::unexpected(error)});
    return error.reason;
  };
  if (!method.verb.empty())
    if (const auto allowed = check_access(method, request.principal); !allowed)
      return refuse(allowed.error());
  if (const auto valid = contract::validate(*request.message); !valid) return refuse(valid.error());
  if (const auto owned = engine.authorize(method, request.principal, *request.message); !owned)
    return refuse(owned.error());
  if (method.query) {
    auto row = engine.query(method, request.principal, *request.message);
    answered(request, {.result = std::move(row), .status = method.success});
    return request.reason.empty() ? "answered" : request.reason;
  }
  Command command{.method = &method, .request = request.message, .principal = request.principal};
  command.correlation_id = fmt::format("request-{}", request.number);
  command.idempotency_key = request.key;
  // Another request with a key of nobody is another key.
  const bool of_somebody = request.principal.kind != Principal::Kind::kAnonymous;
  const bool wanted = of_somebody && !request.answered_by.empty() && random.chance(15);
  const MessagePtr other = wanted ? altered(*request.message) : nullptr;
  const bool other_body = other != nullptr;
  if (other_body) command.request = other;
  command.respond_async = random.chance(5);
  request.state = Request::State::kAsked;
  waiting_.emplace(process, request.number - 1);
  command.done = [this, process, number = request.number - 1, other_body](Answer answer) {
    if (deaf_) return;
    for (auto [at, end] = waiting_.equal_range(process); at != end; ++at)
      if (at->second == number) {
        waiting_.erase(at);
        break;
      }
    Request& asked = requests_[number];
    if (other_body) {
      if (answer.result && !asked.answered_by.empty())
        problem_ = fmt::format("request {}: another body under the same key was answered {}", asked.number,
                               answer.status);
      asked.state = asked.answered_by.empty() ? Request::State::kUnknown : Request::State::kAnswered;
      coverage_.reached("another body under the same key");
      return;
    }
    answered(asked, answer);
  };
  engine.submit(std::move(command));
  return request.state == Request::State::kAsked ? "asked"
         : request.reason.empty()                ? "answered"
                                                 : request.reason;
}

void Clients::answered(Request& request, const Answer& answer) {
  request.state = Request::State::kAnswered;
  request.reason = answer.result ? "" : answer.result.error().reason;
  request.status = answer.status;
  coverage_.answered(*request.method, request.reason);
  if (on_answer) on_answer(request);
  const std::string digest = digest_of(answer);
  digest_ = fnv1a(digest, digest_);
  if (transient(request.reason)) {
    request.state = Request::State::kUnknown;
    return;
  }
  if (!answer.result && answer.result.error().code == Code::kInternal)
    problem_ = fmt::format("request {} ({}) was answered {}: {}", request.number, request.method->name,
                           request.reason, answer.result.error().detail);
  if (const auto& reasons = request.method->options.reasons();
      !answer.result && answer.result.error().detail.empty() &&
      std::find(reasons.begin(), reasons.end(), request.reason) != reasons.end())
    problem_ = fmt::format("request {} ({}) was answered {}, without a sentence for people", request.number,
                           request.method->name, request.reason);
  if (!request.key.empty()) check_repeat(request, answer, digest);
  if (answer.result) {
    request.response = *answer.result;
    if (request.method->resource != nullptr && !request.method->query)
      request.resource_id = contract::field_text(*request.response, *request.method->resource->key[0]);
    learn(request);
  } else if (answer.result.error().code != Code::kAlreadyExists) {  // that names another request's
    for (const auto& [name, value] : answer.result.error().extensions)
      if (name.ends_with("Id")) request.resource_id = value;
  }
}

// One key, one effect, one answer. An answer of 202 may be followed by the final one, and a refusal before
// anything was recorded is not remembered; everything else stands.
void Clients::check_repeat(Request& request, const Answer& answer, const std::string& digest) {
  const bool recorded = answer.result || !request.resource_id.empty() || answer.replayed;
  if (request.answered_by.empty()) {
    if (answer.status != 202 && recorded && (answer.result || answer.replayed)) request.answered_by = digest;
    return;
  }
  if (digest != request.answered_by)
    problem_ = fmt::format("request {} ({}): answered {} first, and later {}", request.number,
                           request.method->name, request.answered_by, digest);
  else if (!answer.replayed)
    problem_ = fmt::format("request {} ({}): carried out twice", request.number, request.method->name);
}

// Secrets that only the asker learns.
void Clients::learn(const Request& request) {
  if (request.message->GetDescriptor() == CreateUserRequest::descriptor()) {
    const auto& asked = static_cast<const CreateUserRequest&>(*request.message);
    known_.passwords[asked.email()] = asked.password();
  } else if (request.response->GetDescriptor() == TokenPair::descriptor()) {
    known_.refresh_tokens.push_back(static_cast<const TokenPair&>(*request.response).refresh_token());
  } else if (request.message->GetDescriptor() == ChangePasswordRequest::descriptor()) {
    const auto* user = known_.get<User>(request.principal.user_id);
    if (user != nullptr)
      known_.passwords[user->email()] =
          static_cast<const ChangePasswordRequest&>(*request.message).new_password();
  }
}

void Clients::crashed(const void* process) {
  for (auto [at, end] = waiting_.equal_range(process); at != end; ++at)
    requests_[at->second].state = Request::State::kUnknown;
  waiting_.erase(process);
}

}  // namespace micropay::app
