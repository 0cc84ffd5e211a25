// Which passwords are refused, and that the same characters are the same password.
#include "libs/security/password_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "libs/security/common_words.h"

namespace micropay {
namespace {

std::string reason(std::string_view text, std::string_view email = "ada@example.org") {
  const auto form = new_password({.text = text, .email = email, .field = "password"});
  if (form) return "";
  EXPECT_EQ(form.error().field, "password");
  EXPECT_EQ(form.error().code, Code::kInvalidArgument);
  return form.error().reason;
}

TEST(PasswordRules, WhatIsTriedFirstIsRefused) {
  for (const char* common :
       {"1234567890",          "password12",      "          ",     "passwordpassword", "Password2026!",
        "P@ssw0rd!!",          "Pa55word2020",    "1password1",     "qwertyuiop",       "QWERTYUIOP",
        "0987654321",          "9876543210",      "1q2w3e4r5t",     "1qaz2wsx3edc",     "zaq12wsxcde",
        "abcdefghij",          "jihgfedcba",      "aaaaaaaaaa",     "abababababab",     "1111111111",
        "1122334455",          "123123123123",    "1234512345",     "qwerty12345",      "abc1234567",
        "iloveyou12",          "letmein2024",     "l3tm31n2024",    "!!letmein!!",      "football99",
        "dragon123456",        "adminadmin",      "administrator1", "@dministrator",    "trustno1trustno1",
        "q w e r t y u i o p", "p a s s w o r d", "12345678910",    "123456789a",       "a123456789",
        "asdfghjkl;",          "superman2000",    "monkeymonkey",   "drowssap123",      "passwort2026",
        "dragonmaster",        "micropay2026",    "!@#$%^&*()",     "welcome12345",     "sunshine!1"})
    EXPECT_EQ(reason(common), "password_too_common") << common;
}

TEST(PasswordRules, WhatSomebodyThoughtOfIsTaken) {
  for (const char* good :
       {"correct horse battery", "another password", "a new password", "not the password", "demo-password",
        "bench password only", "long enough", "an entirely new one", "and yet another", "correct horse 1",
        "the owner's password", "Tr0ub4dor&3x", "k8Fh2mQz7w", "5f2c9e7a1b", "gr\u00fcner Hund im Regen",
        "\u5c71\u5ddd\u8349\u6728\u82b1\u9ce5\u98a8\u6708\u96ea\u661f", "8274650193", "mein Opa tanzt",
        "dragon7fk29xq11"})
    EXPECT_EQ(reason(good), "") << good;
}

TEST(PasswordRules, OnesOwnAddressIsNoSecret) {
  EXPECT_EQ(reason("ada.lovelace@example.org", "ada.lovelace@example.org"), "password_too_common");
  EXPECT_EQ(reason("ada.lovelace1815", "ada.lovelace@example.org"), "password_too_common");
  EXPECT_EQ(reason("Ada.Lovelace!!", "ada.lovelace@example.org"), "password_too_common");
  EXPECT_EQ(reason("ada.lovelace and a horse", "ada.lovelace@example.org"), "");
}

// RFC 8265: composed or not, whatever blank: one password.
TEST(PasswordRules, TheSameCharactersAreTheSamePassword) {
  const std::string composed = "contrase\u00f1a larga", apart = "contrasen\u0303a larga";
  const auto form = [](const std::string& text) {
    return new_password({.text = text, .email = {}, .field = {}}).value();
  };
  EXPECT_EQ(form(composed), form(apart));
  EXPECT_EQ(form("correct\u00a0horse\u3000battery"), "correct horse battery");
  EXPECT_EQ(password_forms(apart), (std::vector<std::string>{composed, apart}));
  EXPECT_EQ(password_forms(composed), std::vector<std::string>{composed});
  EXPECT_EQ(reason("n\u0303n\u0303n\u0303n\u0303n\u0303 a b"), "too_short") << "characters, not code points";
  for (const char* bad : {"correct\thorse battery", "correct\u0007horse battery", "correct \xff horse"})
    EXPECT_EQ(reason(bad), "invalid_format") << bad;
  EXPECT_EQ(password_forms("a\tb"), std::vector<std::string>{"a\tb"});
}

TEST(PasswordRules, TheWordsAreSortedAndEachThereOnce) {
  EXPECT_TRUE(std::ranges::is_sorted(common_words()));
  EXPECT_EQ(std::ranges::adjacent_find(common_words()), common_words().end());
  EXPECT_GT(common_words().size(), 600u);
}

}  // namespace
}  // namespace micropay
