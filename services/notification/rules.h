// Decisions of the notification service as functions over values: what a message says and who wants it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "contracts/common.pb.h"
#include "contracts/notification.pb.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::notification_rules {

constexpr Duration kOutboxKept = 7 * kDay;  // messages that left, or would have left, the platform

struct Text {
  std::string_view title;
  std::string_view text;  // with placeholders: "You paid {amount} to {name}."
};
struct Template {
  std::string_view name;
  bool can_be_muted;
  Text english, german;
};
std::span<const Template> templates();
// Null when there is none.
const Template* find_template(std::string_view name);

// What the placeholders stand for. An empty name becomes "someone", an empty one in a greeting nothing.
struct Facts {
  std::string name;
  const Money* amount = nullptr;
  std::string_view reason;
  std::string_view code = {};
};
struct Message {
  std::string title;
  std::string text;
};
// `language`: BCP 47; "de", "de-AT" are German, everything else English.
Message render(const Template& which, std::string_view language, const Facts& facts);
// Exact: "12.34 EUR", German "12,34 EUR".
std::string format_amount(const Money& amount, bool german);
// A stable reason of the contract in words; one that we do not know is left as it is.
std::string reason_in_words(std::string_view reason, bool german);

bool wanted(const Template& which, const NotificationPreferences* preferences);
// unknown_template, cannot_be_muted.
Result<void> check_muted(const google::protobuf::RepeatedPtrField<std::string>& muted);

}  // namespace micropay::notification_rules
