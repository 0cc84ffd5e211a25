// What messages say, and who wants them.
#include "services/notification/rules.h"

#include <gtest/gtest.h>

namespace micropay::notification_rules {
namespace {

Money money(const char* currency, int64_t minor) {
  Money amount;
  amount.set_currency(currency);
  amount.set_minor(minor);
  return amount;
}

std::string text(std::string_view name, std::string_view language, const Facts& facts) {
  return render(*find_template(name), language, facts).text;
}

TEST(Messages, AreFilledInTheirLanguage) {
  const Money amount = money("EUR", 1234);
  EXPECT_EQ(text("payment_sent", "en", {.name = "Bob", .amount = &amount}), "You paid 12.34 EUR to Bob.");
  EXPECT_EQ(text("payment_sent", "de", {.name = "Bob", .amount = &amount}),
            "Du hast 12,34 EUR an Bob gezahlt.");
  EXPECT_EQ(text("payment_sent", "en", {.amount = &amount}), "You paid 12.34 EUR to someone.");
  EXPECT_EQ(text("payment_sent", "de", {.amount = &amount}), "Du hast 12,34 EUR an jemand gezahlt.");
  EXPECT_EQ(text("payment_sent", "en", {.name = "{amount}", .amount = &amount}),
            "You paid 12.34 EUR to {amount}.");
  for (const char* language : {"de", "de-AT", "de_CH"})
    EXPECT_TRUE(text("welcome", language, {.name = "Ada"}).starts_with("Hallo Ada,")) << language;
  for (const char* language : {"", "en", "en-GB", "fr", "den", "x"})
    EXPECT_TRUE(text("welcome", language, {}).starts_with("Hello, ")) << language;
}

TEST(Messages, AmountsAreExact) {
  struct Case {
    const char* currency;
    int64_t minor;
    const char* english;
    const char* german;
  };
  const Case cases[] = {{"EUR", 1, "0.01 EUR", "0,01 EUR"},
                        {"JPY", 1500, "1500 JPY", "1500 JPY"},
                        {"KWD", 1, "0.001 KWD", "0,001 KWD"},
                        {"USD", 9'000'000'000'000, "90000000000.00 USD", "90000000000,00 USD"}};
  for (const Case& c : cases) {
    EXPECT_EQ(format_amount(money(c.currency, c.minor), false), c.english);
    EXPECT_EQ(format_amount(money(c.currency, c.minor), true), c.german);
  }
}

TEST(Messages, ReasonsAreWords) {
  EXPECT_EQ(reason_in_words("declined", false), "it was declined");
  EXPECT_EQ(reason_in_words("declined", true), "sie wurde abgelehnt");
  EXPECT_EQ(reason_in_words("not_yet_known", false), "not_yet_known");
}

// A placeholder that nobody fills would be cut out of a sentence.
TEST(Messages, EveryTemplateIsWhole) {
  const Money amount = money("EUR", 100);
  for (const Template& each : templates()) {
    EXPECT_EQ(find_template(each.name), &each) << "twice: " << each.name;
    for (const Text* text : {&each.english, &each.german}) {
      EXPECT_FALSE(text->title.empty() || text->text.empty()) << each.name;
      for (size_t at = text->text.find('{'); at != std::string_view::npos;
           at = text->text.find('{', at + 1)) {
        const std::string_view rest = text->text.substr(at);
        const bool known = rest.starts_with("{amount}") || rest.starts_with("{name}") ||
                           rest.starts_with("{greeting}") || rest.starts_with("{reason}") ||
                           rest.starts_with("{code}");
        EXPECT_TRUE(known) << each.name << ": " << rest;
      }
    }
  }
}

TEST(Muting, SparesWelcomeAndSecurity) {
  NotificationPreferences preferences;
  for (const Template& each : templates()) preferences.add_muted(std::string(each.name));
  for (const Template& each : templates()) {
    EXPECT_EQ(wanted(each, &preferences), !each.can_be_muted) << each.name;
    EXPECT_TRUE(wanted(each, nullptr)) << each.name;
  }
  for (const char* always :
       {"welcome", "account_frozen", "user_frozen", "password_changed", "session_stolen"})
    EXPECT_FALSE(find_template(always)->can_be_muted) << always;
}

TEST(Muting, TakesKnownTemplatesOnly) {
  struct Case {
    std::vector<std::string> muted;
    const char* reason;
    const char* field;
  };
  const Case cases[] = {{{}, "", ""},
                        {{"payment_sent", "payment_received"}, "", ""},
                        {{"payment_sent", "nonsense"}, "unknown_template", "muted[1]"},
                        {{"welcome"}, "cannot_be_muted", "muted[0]"}};
  for (const Case& c : cases) {
    const auto checked = check_muted({c.muted.begin(), c.muted.end()});
    EXPECT_EQ(checked ? "" : checked.error().reason, c.reason);
    EXPECT_EQ(checked ? "" : checked.error().field, c.field);
  }
}

}  // namespace
}  // namespace micropay::notification_rules
