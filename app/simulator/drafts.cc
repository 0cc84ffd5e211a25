#include "app/simulator/drafts.h"

#include "contracts/account.pb.h"
#include "contracts/fraud.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay::app {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// How often the methods that matter most are asked for; any other counts 4, a query 2.
const std::map<std::string, uint32_t, std::less<>> kWeights = {
    {"CreatePayment", 60}, {"CreateTopUp", 25},    {"CreateRefund", 20}, {"CreateTransfers", 16},
    {"CancelPayment", 8},  {"DecideFraudCase", 8}, {"ConfirmTopUp", 8},  {"FreezeAccount", 3},
    {"CloseAccount", 6},   {"CreateUser", 3},      {"ListUsers", 1},     {"ReverseTransaction", 10},
    {"FreezeHolder", 2},   {"UnfreezeAccount", 5}};

constexpr size_t kFewUsers = 4, kFewFunded = 4;

std::string random_id(Random& random) { return derived_uuid(fmt::format("{}", random.next())); }

int64_t amount(Random& random, bool small) {
  if (small && random.chance(40)) return random.between(1, 3);
  if (random.chance(3)) return random.of<int64_t>({0, -5, INT64_MAX, INT64_MIN, 1'000'000'000'000});
  if (random.chance(10)) return random.between(400'000, 900'000);  // large enough to be held for review
  if (random.chance(10)) return random.between(1, 3);
  return random.between(1, 20'000);
}

std::string currency(Random& random) {
  return random.chance(75) ? "EUR" : random.of<const char*>({"USD", "JPY", "KWD"});
}

template <typename T>
T& as(Message& message) {
  return static_cast<T&>(message);
}

}  // namespace

Drafts::Drafts(Known& known, const Clock& clock, std::vector<const contract::Method*> methods, Random& random)
    : known_(known), clock_(clock), methods_(std::move(methods)) {
  for (const contract::Method* method : methods_) {
    const auto weight = kWeights.find(method->name);
    weights_.push_back(weight != kWeights.end() ? weight->second : method->query ? 2 : 4);
  }
  if (!random.chance(50)) return;
  std::vector<size_t> favourites, limited;
  for (size_t i = 0; i < methods_.size(); ++i) {
    if (!methods_[i]->query) favourites.push_back(i);
    for (const std::string& reason : methods_[i]->options.reasons())
      if (reason.starts_with("too_many_")) limited.push_back(i);
  }
  const bool to_the_limit = random.chance(40) && !limited.empty();
  if (!favourites.empty()) weights_[random.pick(to_the_limit ? limited : favourites)] += 400;
  known_.few = to_the_limit ? 1 : random.chance(60) ? 3 : 0;
}

const contract::Method* Drafts::choose(Random& random) const {
  const auto named = [&](std::string_view name) -> const contract::Method* {
    for (const contract::Method* method : methods_)
      if (method->name == name) return method;
    return nullptr;
  };
  const contract::Method* first = nullptr;
  if (random.chance(60)) {
    if (known_.all(User::descriptor()).size() < kFewUsers) first = named("CreateUser");
    else if (known_.all(TopUp::descriptor()).size() < kFewFunded) first = named("CreateTopUp");
  }
  return first ? first : methods_[random.weighted(weights_)];
}

Draft Drafts::next(Random& random) {
  Draft draft;
  draft.method = choose(random);
  draft.message = draft.method->make_request();
  fill(*draft.message, *draft.method, random, 0);
  shape(*draft.message, random);
  if (random.chance(5)) spoil(*draft.message, random);
  draft.principal = asker(*draft.method, *draft.message, random);
  return draft;
}

void Drafts::fill(Message& message, const contract::Method& method, Random& random, int depth) {
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    const FieldOptions& options = contract::options_of(field);
    if (options.read_only() || options.internal()) continue;
    if (!random.chance(options.required() ? 98 : 45)) continue;
    fill_field(message, field, method, random, depth);
  }
}

void Drafts::fill_field(Message& message, const FieldDescriptor& field, const contract::Method& method,
                        Random& random, int depth) {
  const auto* reflection = message.GetReflection();
  const FieldOptions& options = contract::options_of(field);
  const size_t items = field.is_repeated() ? 1 + random.below(3) : 1;
  if (field.is_map() || depth > 3) return;
  for (size_t i = 0; i < items; ++i) switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string text = text_for(field, method, random);
        if (field.is_repeated()) reflection->AddString(&message, &field, std::move(text));
        else reflection->SetString(&message, &field, std::move(text));
        break;
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int value =
            field.enum_type()->value(int(random.below(size_t(field.enum_type()->value_count()))))->number();
        if (field.is_repeated()) reflection->AddEnumValue(&message, &field, value);
        else reflection->SetEnumValue(&message, &field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        Message& part = field.is_repeated() ? *reflection->AddMessage(&message, &field)
                                            : *reflection->MutableMessage(&message, &field);
        if (contract::is_money(field)) {
          as<Money>(part).set_currency(currency(random));
          as<Money>(part).set_minor(amount(random, known_.few > 1));
        } else if (contract::is_metadata(field)) {
          (*as<Metadata>(part).mutable_values())["order"] = fmt::format("{}", random.below(100));
        } else {
          fill(part, method, random, depth + 1);
        }
        break;
      }
      case FieldDescriptor::CPPTYPE_BOOL: reflection->SetBool(&message, &field, random.chance(50)); break;
      case FieldDescriptor::CPPTYPE_INT32:
        reflection->SetInt32(&message, &field,
                             int32_t(random.between(options.min(), std::min<int64_t>(options.max(), 1'000))));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        if (options.format() == TIME)
          reflection->SetInt64(&message, &field, clock_.now() + random.between(-kDay, kDay));
        else
          reflection->SetInt64(
              &message, &field,
              random.between(options.min(),
                             std::min<int64_t>(std::max(options.max(), options.min()), 100'000)));
        break;
      default: break;
    }
}

// The record that a field of this name names.
std::string Drafts::id_for(const std::string& field, const contract::Method& method, Random& random) {
  if (random.chance(4)) return random_id(random);
  const google::protobuf::Descriptor* type = nullptr;
  const auto ends = [&](std::string_view end) { return std::string_view(field).ends_with(end); };
  if (ends("account_id")) type = Account::descriptor();
  else if (ends("payment_id")) type = Payment::descriptor();
  else if (ends("top_up_id")) type = TopUp::descriptor();
  else if (ends("user_id")) type = User::descriptor();
  else if (ends("pending_id")) type = Transfer::descriptor();
  else if (method.name == "ListPaymentEvents") type = Payment::descriptor();
  else if (method.resource != nullptr) type = method.resource->descriptor;
  else if (method.owner.table != nullptr) type = method.owner.table->descriptor;
  const Known::Record* record = type ? known_.any(type, random) : nullptr;
  return record ? record->id : random_id(random);
}

std::string Drafts::text_for(const FieldDescriptor& field, const contract::Method& method, Random& random) {
  const FieldOptions& options = contract::options_of(field);
  const std::string& name = field.name();
  switch (options.format()) {
    case UUID: return id_for(name, method, random);
    case CURRENCY: return method.name == "CreateAccount" && random.chance(5) ? "BGN" : currency(random);
    case LANGUAGE: return random.of<const char*>({"en", "de", "fr-CA"});
    case DATE: return "2026-11-21";
    case PASSWORD:
      return random.chance(3) ? std::string("1234567890") : fmt::format("correct horse {}", random.below(3));
    case EMAIL: {
      const auto* user = known_.any_of<User>(random);
      if (user != nullptr && random.chance(method.name == "CreateUser" ? 10 : 85)) return user->email();
      return fmt::format("user{}@example.org", random.below(1'000'000));
    }
    default: break;
  }
  if (name == "refresh_token" && !known_.refresh_tokens.empty() && random.chance(90))
    return known_.refresh_tokens[known_.refresh_tokens.size() - 1 -
                                 random.below(std::min<size_t>(4, known_.refresh_tokens.size()))];
  if (name == "payment_method")
    return random.chance(70) ? "card_ok"
                             : random.of<const char*>(
                                   {"card_declined", "card_timeout", "card_challenge", "bank_ok", "cheque"});
  if (name == "challenge_code") return random.chance(70) ? "123456" : "654321";
  if (name == "provider") return random.of<const char*>({"", "sandbox", "sandbox", "sandbox", "acme"});
  if (name == "code") return fmt::format("{:06}", random.below(1'000'000));
  if (name == "page_token")
    return random.chance(70) ? "" : random.of<const char*>({"offset:3", "bm9uc2Vuc2U"});
  if (name == "order_by")
    return random.chance(60) ? options.example() : random.of<const char*>({"", "id desc", "nonsense"});
  if (name == "status") return random.of<const char*>({"COMPLETED", "OPEN", "PENDING", "NONSENSE"});
  if (name == "scopes")
    return random.of<const char*>({"payments:read", "payments:write", "payments:read", "payments:write",
                                   "ledger:read", "ledger:write", "everything"});
  if (name == "muted")
    return random.of<const char*>({"payment_sent", "payment_received", "welcome", "nonsense"});
  if (name == "feature") return random.of<const char*>({"amount_minor", "amount_minor", "night", "nonsense"});
  if (!options.example().empty() && random.chance(60)) return options.example();
  return std::string(std::max<size_t>(options.min_length(), 1 + random.below(12)),
                     char('a' + random.below(26)));
}

}  // namespace micropay::app
