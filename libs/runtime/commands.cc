// Commands in the engine: one idempotency key one effect, and answers that wait for the final event.
#include <algorithm>

#include "libs/base/log.h"
#include "libs/contract/etag.h"
#include "libs/contract/json.h"
#include "libs/runtime/engine_impl.h"
#include "libs/runtime/fingerprint.h"

namespace micropay {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMostAskedAgain = 10'000;
constexpr Duration kAnswerMargin = 2 * kSecond;  // for clocks, and for a commit that takes its time

std::string text_of(const Message& row, const std::string& field_name) {
  const FieldDescriptor* field = row.GetDescriptor()->FindFieldByName(field_name);
  return field == nullptr ? std::string() : row.GetReflection()->GetString(row, field);
}

// The sentence beside the failure field: "failure_detail", or "close_refusal_detail" of "close_refusal".
std::string detail_of(const Message& row, const std::string& failure_field) {
  const std::string own = failure_field + "_detail";
  return text_of(row, row.GetDescriptor()->FindFieldByName(own) != nullptr ? own : "failure_detail");
}

// "Payment" -> "paymentId"
std::string id_member(std::string name) {
  name[0] = char(std::tolower(name[0]));
  return name + "Id";
}

// Of a failure: the method's, or the record's own where it says one.
Code failure_code(const contract::Method& method, const Message* row) {
  const FieldDescriptor* field =
      row == nullptr ? nullptr : row->GetDescriptor()->FindFieldByName("failure_status");
  const uint32_t own = field == nullptr ? 0 : row->GetReflection()->GetUInt32(*row, field);
  if (own == 404) return Code::kNotFound;
  if (own == 400) return Code::kInvalidArgument;
  return method.options.failure_status() == 409 ? Code::kFailedPrecondition : Code::kPaymentRequired;
}

bool contains(const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Of a record that a release before this one wrote, all that is known is a digest of the request's bytes.
bool is_same_request(const IdempotencyRecord& record, const Command& command) {
  if (record.digest().empty())
    return record.fingerprint() != 0 && record.fingerprint() == command.sent_digest;
  return record.method() == command.method->name && record.digest() == view_of(command.fingerprint);
}

std::unexpected<Error> key_reused() {
  return fail(Code::kUnprocessable, "idempotency_key_reused",
              "This Idempotency-Key was used with another request.");
}

// A stored answer that is none of this method's: damage, for the operator to look at. What the first request
// did stands, and is not done again.
std::unexpected<Error> unreadable(const Command& command, const IdempotencyRecord& record) {
  log_error("idempotency.unreadable", "a stored answer cannot be read",
            {{"key_id", record.key()}, {"method", command.method->name}});
  return fail(Code::kInternal, "stored_answer_unreadable",
              "The answer to the first request with this key cannot be read. It is not carried out again.");
}

// Of an answer as remember() writes it.
bool is_status_of(const contract::Method& method, uint32_t status) {
  return status == method.success || status == 202;
}

}  // namespace

// That the engine has to look whose it is.
std::optional<OwnedRecord> Engine::Impl::owned_record(const Command& command) {
  if (!command.judge_owner) return {};
  return OwnedRecord::of(*command.method, command.principal, *command.request);
}

// Whether somebody decides about himself: always in the tick, as who is a party may have changed.
Result<void> Engine::Impl::judge_parties(const Command& command) {
  for (const PartyRecord& about : PartyRecord::of(*command.method, command.principal, *command.request)) {
    const Message* record = about.key.empty() ? nullptr : host_.work().find(*about.check->table, about.key);
    TRY(about.judge(record, command.principal));
  }
  return {};
}

void Engine::Impl::run_command(PreparedCommand& input) {
  Command& command = *input.command;
  const Handlers::CommandEntry& entry = *handlers_.command(*command.method);
  if (command.correlation_id.empty()) command.correlation_id = host_.new_id();
  if (const auto owned = owned_record(command)) {
    const Message* record = owned->key.empty() ? nullptr : host_.work().find(*owned->table, owned->key);
    if (const auto judged = owned->judge(record, command.principal); !judged)
      return answer(input.command, {.result = std::unexpected(judged.error())});
  }
  if (const auto judged = judge_parties(command); !judged)
    return answer(input.command, {.result = std::unexpected(judged.error())});
  if (const IdempotencyRecord* record = remembered(command))
    return answer(input.command, replay(command, *record));
  if (const auto matched = check_match(command); !matched)
    return answer(input.command, {.result = std::unexpected(matched.error())});
  const std::string actor = command.principal.actor();
  const InputFrame frame{
      .service = entry.service->contract,
      .principal = &command.principal,
      .correlation_id = command.correlation_id,
      .causation_id = command.correlation_id,
      .traceparent = traces_.begin({.name = command.method->name,
                                    .service = entry.service->name,
                                    .kind = options_.shared_store ? SpanKind::kServer : SpanKind::kInternal,
                                    .parent = command.traceparent,
                                    .may_begin_trace = false}),
      .actor = actor,
      .prepared = input.prepared.get()};
  if (options_.shared_store) traces_.serves_call(command.method->full_name);
  const size_t first_event = host_.emitted().size();
  Result<MessagePtr> response =
      host_.run(frame, [&](Context& ctx) { return entry.handler->handle(ctx, *command.request); });
  traces_.end(response, TickTrace::Until::kDurable);
  drain();
  if (!response) return answer(input.command, {.result = std::unexpected(std::move(response).error())});
  settle(input.command, command.key_id, *response, first_event);
}

// What is known of its key; null: nothing.
const IdempotencyRecord* Engine::Impl::remembered(const Command& command) {
  if (command.key_id.empty()) return nullptr;
  if (const auto* record = find_row<IdempotencyRecord>(host_, command.key_id)) return record;
  const std::string former = former_key_id(command);
  return former.empty() ? nullptr : find_row<IdempotencyRecord>(host_, former);
}

// If-Match is checked against the record that the first path variable names, as the API shows it.
Result<void> Engine::Impl::check_match(const Command& command) {
  const contract::Table* table = command.method->resource;
  if (command.if_match == 0 || table == nullptr || table->key.size() != 1) return {};
  const FieldDescriptor* id = command.request->GetDescriptor()->FindFieldByName(table->key[0]->name());
  if (id == nullptr) return {};
  const std::string key = detail::encode_key(*table, {contract::field_text(*command.request, *id)});
  const Message* row = host_.work().find(*table, key);
  if (row != nullptr && contract::etag_of(*row) == command.if_match) return {};
  return fail(Code::kPreconditionFailed, "etag_mismatch",
              "The record has changed since it was read: read it again.");
}

// Wall clocks may stand still for an hour, when one was ahead: so nobody waits longer for it than since he
// was first told to.
bool Engine::Impl::waits_elsewhere(const IdempotencyRecord& record) {
  const Time now = clock_.monotonic();
  const Duration age = host_.now() - std::max<Time>(record.created_at(), 0),
                 limit = options_.wait_timeout + kAnswerMargin;
  if (asked_again_.size() >= kMostAskedAgain)
    std::erase_if(asked_again_, [&](const auto& asked) { return now - asked.second >= limit; });
  const Time since = asked_again_.size() < kMostAskedAgain
                         ? asked_again_.try_emplace(record.key(), now).first->second
                         : now - limit;
  const bool waits = age < limit && age > -limit && now - since < limit;
  if (!waits) asked_again_.erase(record.key());
  return waits;
}

Answer Engine::Impl::replay(const Command& command, const IdempotencyRecord& record) {
  if (!is_same_request(record, command)) return {.result = key_reused()};
  const contract::Method& method = *command.method;
  if (record.state() == IdempotencyRecord::PENDING) {
    if (method.resource == nullptr) return {.result = unreadable(command, record)};
    for (const auto& [key, waiter] : waiters_)
      if (waiter.idempotency_id == record.key())
        return {.result = fail(Code::kAborted, "idempotency_in_progress",
                               "The first request with this key still runs.")};
    // Another instance answers it, or has been killed: which of the two is known when its time is over. The
    // same call, come again because its connection broke, is no second one.
    if (options_.shared_store && !command.repeated && waits_elsewhere(record))
      return {.result = fail(Code::kAborted, "idempotency_in_progress",
                             "The first request with this key still runs, or was broken off.")};
    // Whoever waited is gone (a restart): the record as it is now.
    Row row =
        host_.work().share(*method.resource, detail::encode_key(*method.resource, {record.resource_key()}));
    return {.result = judged(method, std::move(row), true), .status = 202, .replayed = true};
  }
  if (!record.reason().empty()) {
    const Message* row =
        method.resource == nullptr
            ? nullptr
            : host_.work().find(*method.resource,
                                detail::encode_key(*method.resource, {record.resource_key()}));
    Error error{.code = failure_code(method, row), .reason = record.reason(), .detail = record.detail()};
    if (row != nullptr) error.field = text_of(*row, "failure_at");
    if (method.resource != nullptr && !record.resource_key().empty())
      error.extensions.emplace_back(id_member(method.resource->descriptor->name()), record.resource_key());
    return {.result = std::unexpected(std::move(error)), .status = record.status(), .replayed = true};
  }
  MessagePtr response(method.make_response());
  if (record.state() != IdempotencyRecord::ANSWERED || !is_status_of(method, record.status()) ||
      !response->ParseFromString(record.response()))
    return {.result = unreadable(command, record)};
  return {.result = Row(std::move(response)), .status = record.status(), .replayed = true};
}

Engine::Impl::Waiter::Found Engine::Impl::outcome_of(const contract::Method& method,
                                                     const EventRecord& event) const {
  if (contains(method.options.awaits(), event.type->type)) return Waiter::Found::kFinal;
  if (contains(method.options.pauses(), event.type->type)) return Waiter::Found::kPause;
  return Waiter::Found::kNothing;
}

void Engine::Impl::settle(const CommandPtr& command, std::string idempotency_id, const MessagePtr& response,
                          size_t first_event) {
  const contract::Method& method = *command->method;
  if (method.options.awaits().empty() || method.resource == nullptr)
    return finish(command, idempotency_id, response, method.success, false);
  const std::string key = contract::field_text(*response, *method.resource->key[0]);
  const std::string row_key = method.resource->key_of(*response);
  // The last event of the saga that tells: a payment that was held and then declined is final.
  auto found = Waiter::Found::kNothing;
  for (size_t i = first_event; i < host_.emitted().size(); ++i) {
    const EventRecord& event = *host_.emitted()[i];
    if (event.envelope.key() != key) continue;
    const auto outcome = outcome_of(method, event);
    if (outcome != Waiter::Found::kNothing) found = outcome;
  }
  Row row = host_.work().share(*method.resource, row_key);
  if (found == Waiter::Found::kFinal)
    return finish(command, idempotency_id, std::move(row), method.success, true);
  if (found == Waiter::Found::kPause || command->respond_async)
    return finish(command, idempotency_id, std::move(row), 202, false);
  if (!idempotency_id.empty()) {
    IdempotencyRecord record = new_record(*command);
    record.set_resource_key(key);
    keep(*command, std::move(record));
  }
  const Time deadline = clock_.monotonic() + options_.wait_timeout;
  // Only the newest command of a record waits; an older one is told that it is not final yet.
  if (auto older = waiters_.extract(key); !older.empty()) {
    const Waiter& ended = ended_waiters_.emplace_back(key, std::move(older.mapped())).second;
    finish(ended.command, ended.idempotency_id, row, 202, false);
  }
  if (options_.partition_of) begin_trail(*command);
  awaits_.store(true, std::memory_order_relaxed);
  waiters_[key] = {.command = command,
                   .idempotency_id = std::move(idempotency_id),
                   .row_key = row_key,
                   .deadline = deadline,
                   .since_tick = host_.tick()};
}

// The record as the caller gets it: final with its failure field set, it is an error.
Result<Row> Engine::Impl::judged(const contract::Method& method, Row row, bool final) const {
  if (row == nullptr) return fail(Code::kNotFound, "not_found", "The record is gone.");
  const std::string& field = method.options.failure_field();
  if (!final || field.empty()) return row;
  std::string reason = text_of(*row, field);
  if (reason.empty()) return row;
  Error error{.code = failure_code(method, row.get()),
              .reason = std::move(reason),
              .detail = detail_of(*row, field),
              .field = text_of(*row, "failure_at")};
  error.extensions.emplace_back(id_member(method.resource->descriptor->name()),
                                contract::field_text(*row, *method.resource->key[0]));
  return std::unexpected(std::move(error));
}

void Engine::Impl::finish(const CommandPtr& command, const std::string& idempotency_id, Row row,
                          uint32_t status, bool final) {
  Answer result{.result = judged(*command->method, std::move(row), final), .status = status};
  if (!idempotency_id.empty()) remember(*command, result);
  answer(command, std::move(result));
}

IdempotencyRecord Engine::Impl::new_record(const Command& command) const {
  IdempotencyRecord record;
  record.set_key(command.key_id);
  record.set_method(command.method->name);
  record.set_digest(command.fingerprint.data(), command.fingerprint.size());
  if (!has_secrets(*command.method)) record.set_fingerprint(command.sent_digest);
  record.set_created_at(host_.now());
  return record;
}

// An instance of the last release, which may run beside this one, looks for the key of an API key elsewhere.
void Engine::Impl::keep(const Command& command, IdempotencyRecord record) {
  if (options_.shared_store)
    if (std::string former = former_key_id(command); !former.empty()) {
      IdempotencyRecord copy = record;
      copy.set_key(std::move(former));
      host_.put(std::move(copy));
    }
  host_.put(std::move(record));
}

void Engine::Impl::remember(const Command& command, const Answer& answer) {
  IdempotencyRecord record = new_record(command);
  record.set_state(IdempotencyRecord::ANSWERED);
  record.set_status(answer.status);
  if (answer.result) {
    (*answer.result)->SerializeToString(record.mutable_response());
  } else {
    record.set_reason(answer.result.error().reason);
    record.set_detail(answer.result.error().detail);
    if (!answer.result.error().extensions.empty())
      record.set_resource_key(answer.result.error().extensions[0].second);
  }
  keep(command, std::move(record));
}

void Engine::Impl::notice_waiters(const EventRecord& event, bool elsewhere) {
  const auto at = waiters_.find(std::string(event.envelope.key()));
  if (at == waiters_.end()) return;
  const auto outcome = outcome_of(*at->second.command->method, event);
  if (outcome == Waiter::Found::kNothing) return;
  if (at->second.found == Waiter::Found::kNothing) finished_waiters_.push_back(at->first);
  at->second.found = outcome;
  if (elsewhere) at->second.elsewhere = outcome;
}

// Those whose event came in this tick, and those that waited long enough.
void Engine::Impl::finish_waiters() {
  const Time now = clock_.monotonic();
  if (!waiters_.empty())
    for (auto& [key, waiter] : waiters_)
      if (waiter.found == Waiter::Found::kNothing && waiter.deadline <= now) {
        waiter.found = Waiter::Found::kPause;
        finished_waiters_.push_back(key);
      }
  for (const std::string& key : finished_waiters_) {
    auto node = waiters_.extract(key);
    if (node.empty()) continue;
    // First, because a read may end the tick here, and then it has to wait on.
    const Waiter& waiter = ended_waiters_.emplace_back(key, std::move(node.mapped())).second;
    const contract::Method& method = *waiter.command->method;
    const bool final = waiter.found == Waiter::Found::kFinal;
    finish(waiter.command, waiter.idempotency_id, host_.work().share(*method.resource, waiter.row_key),
           final ? method.success : 202, final);
  }
  finished_waiters_.clear();
}

}  // namespace micropay
