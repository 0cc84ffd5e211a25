#include "services/notification/rules.h"

#include "libs/base/money.h"

namespace micropay::notification_rules {
namespace {

struct ReasonRow {
  std::string_view reason, english, german;
};
constexpr ReasonRow kReasons[] = {
    {"insufficient_funds", "there was not enough money in the wallet", "das Guthaben reichte nicht"},
    {"declined", "it was declined", "sie wurde abgelehnt"},
    {"account_frozen", "a wallet is frozen", "ein Konto ist gesperrt"},
    {"account_closed", "a wallet is closed", "ein Konto ist geschlossen"},
    {"limit_exceeded", "it exceeds your limit", "sie überschreitet dein Limit"},
    {"expired", "it was not decided in time", "sie wurde nicht rechtzeitig entschieden"},
    {"provider_unavailable", "the provider could not be reached", "der Anbieter war nicht erreichbar"},
    {"unsupported_payment_method", "the payment method is not supported",
     "das Zahlungsmittel wird nicht unterstützt"},
    {"challenge_failed", "the second step failed", "der zweite Schritt schlug fehl"},
};

bool is_german(std::string_view language) {
  return language == "de" || language == "DE" || language.starts_with("de-") || language.starts_with("de_");
}

std::string value_of(std::string_view placeholder, bool german, const Facts& facts) {
  if (placeholder == "amount") return facts.amount == nullptr ? "" : format_amount(*facts.amount, german);
  if (placeholder == "reason") return reason_in_words(facts.reason, german);
  if (placeholder == "code") return std::string(facts.code);
  if (placeholder == "greeting") return facts.name.empty() ? "" : " " + facts.name;
  if (placeholder == "name") return !facts.name.empty() ? facts.name : german ? "jemand" : "someone";
  return {};
}

// Values are put in as they are: a name with braces in it is no placeholder.
std::string fill(std::string_view pattern, bool german, const Facts& facts) {
  std::string out;
  while (true) {
    const size_t open = pattern.find('{'), close = pattern.find('}', open);
    out.append(pattern.substr(0, open));
    if (open == pattern.npos || close == pattern.npos) return out;
    out += value_of(pattern.substr(open + 1, close - open - 1), german, facts);
    pattern.remove_prefix(close + 1);
  }
}

}  // namespace

const Template* find_template(std::string_view name) {
  for (const Template& each : templates())
    if (each.name == name) return &each;
  return nullptr;
}

Message render(const Template& which, std::string_view language, const Facts& facts) {
  const bool german = is_german(language);
  const Text& text = german ? which.german : which.english;
  return {fill(text.title, german, facts), fill(text.text, german, facts)};
}

std::string format_amount(const Money& amount, bool german) {
  std::string value = format_minor(amount.minor(), amount.currency());
  if (german) std::replace(value.begin(), value.end(), '.', ',');
  return value + " " + amount.currency();
}

std::string reason_in_words(std::string_view reason, bool german) {
  for (const ReasonRow& row : kReasons)
    if (row.reason == reason) return std::string(german ? row.german : row.english);
  return std::string(reason);
}

bool wanted(const Template& which, const NotificationPreferences* preferences) {
  if (!which.can_be_muted || preferences == nullptr) return true;
  const auto& muted = preferences->muted();
  return std::find(muted.begin(), muted.end(), which.name) == muted.end();
}

Result<void> check_muted(const google::protobuf::RepeatedPtrField<std::string>& muted) {
  for (int i = 0; i < muted.size(); ++i) {
    const Template* which = find_template(muted[i]);
    const std::string field = fmt::format("muted[{}]", i);
    if (which == nullptr)
      return fail(Code::kInvalidArgument, "unknown_template", "There is no such message.", field);
    if (!which->can_be_muted)
      return fail(Code::kInvalidArgument, "cannot_be_muted", "Welcome and security messages are always sent.",
                  field);
  }
  return {};
}

}  // namespace micropay::notification_rules
