// Money against a reference that has no integers: amounts as strings of digits, which cannot overflow.
// Thousands of seeded amounts, among them those at the edges of 64 bits, for every exponent of ISO 4217.
#include "libs/base/money.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>

namespace micropay {
namespace {

constexpr int kRounds = 20'000;
constexpr const char* kLimits[] = {"9223372036854775807",
                                   "9223372036854775808",
                                   "9000000000000",
                                   "18446744073709551616",
                                   "0",
                                   "1",
                                   "9",
                                   "10"};

std::string without_leading_zeros(std::string digits) {
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

// What the amount is in minor units, in digits; none when the text is no amount of that exponent, or its
// digits are more than 64 bits hold.
std::optional<std::string> reference(const std::string& text, int exponent) {
  static const std::regex form("(-?)(0|[1-9][0-9]*)(?:\\.([0-9]+))?");
  std::smatch parts;
  if (!std::regex_match(text, parts, form)) return {};
  std::string decimals = parts[3];
  if (decimals.size() > size_t(exponent)) return {};
  decimals.resize(size_t(exponent), '0');
  const std::string digits = without_leading_zeros(parts[2].str() + decimals);
  const bool negative = parts[1].length() == 1 && digits != "0";
  const std::string_view limit = kLimits[negative ? 1 : 0];
  if (digits.size() > limit.size() || (digits.size() == limit.size() && digits > limit)) return {};
  return (negative ? "-" : "") + digits;
}

std::optional<std::string> parsed(const std::string& text, int exponent) {
  const auto minor = parse_minor(text, exponent);
  return minor ? std::optional(std::to_string(*minor)) : std::nullopt;
}

// Digits of any length, or those of a limit with the last one moved.
std::string random_digits(std::mt19937_64& random) {
  std::string digits;
  if (random() % 3 == 0) {
    digits = kLimits[random() % std::size(kLimits)];
    digits.back() = char('0' + random() % 10);
    return digits;
  }
  for (size_t i = 0, count = 1 + random() % 22; i < count; ++i) digits += char('0' + random() % 10);
  return random() % 8 == 0 ? digits : without_leading_zeros(digits);
}

// An amount, mostly well-formed; now and then a character that does not belong there.
std::string random_amount(std::mt19937_64& random) {
  std::string text = random_digits(random);
  if (random() % 3 != 0) text.insert(random() % (text.size() + 1), ".");
  if (random() % 3 == 0) text.insert(0, "-");
  if (random() % 8 == 0) text.insert(random() % (text.size() + 1), 1, "+-., e0x"[random() % 8]);
  return text;
}

int64_t random_minor(std::mt19937_64& random) {
  const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN, kMaxMinor, -kMaxMinor};
  if (random() % 8 == 0) return edges[random() % std::size(edges)];
  return int64_t(random()) >> random() % 64;
}

TEST(MoneyProperties, ParsesAsTheReferenceDoes) {
  std::mt19937_64 random(20261121);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = random_amount(random);
    const int exponent = int(random() % 5);
    const auto expected = reference(text, exponent);
    ASSERT_EQ(parsed(text, exponent), expected) << text << " with " << exponent;
    accepted += expected.has_value();
  }
  EXPECT_GT(accepted, kRounds / 10);
  EXPECT_LT(accepted, kRounds - kRounds / 10);
}

TEST(MoneyProperties, WhatIsFormattedReadsBack) {
  std::mt19937_64 random(7);
  for (int round = 0; round < kRounds; ++round) {
    const int64_t minor = random_minor(random);
    const int exponent = int(random() % 5);
    std::string text;
    append_minor(text, minor, exponent);
    ASSERT_EQ(parse_minor(text, exponent), minor) << text;
    ASSERT_EQ(reference(text, exponent), std::to_string(minor)) << text;
    const size_t decimals = exponent == 0 ? 0 : text.size() - text.find('.') - 1;
    ASSERT_EQ(decimals, size_t(exponent)) << text;  // always all of them
  }
}

TEST(MoneyProperties, SumsAreExactOrRefused) {
  std::mt19937_64 random(11);
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t a = random_minor(random), b = random_minor(random);
    const __int128 exact = __int128(a) + b;
    const bool fits = exact >= INT64_MIN && exact <= INT64_MAX;
    const auto sum = add_minor(a, b);
    ASSERT_EQ(sum.has_value(), fits) << a << " + " << b;
    if (fits) ASSERT_EQ(*sum, int64_t(exact)) << a << " + " << b;
    refused += !fits;
  }
  EXPECT_GT(refused, 100);
}

// A million of the largest amounts still fit: what money.h says of kMaxMinor.
TEST(MoneyProperties, AMillionLargestAmountsFit) {
  EXPECT_LE(__int128(kMaxMinor) * 1'000'000, __int128(INT64_MAX));
}

TEST(MoneyProperties, EveryCurrencyKeepsItsDigits) {
  std::mt19937_64 random(13);
  int known = 0, by_exponent[5] = {};
  for (char a = 'A'; a <= 'Z'; ++a)
    for (char b = 'A'; b <= 'Z'; ++b)
      for (char c = 'A'; c <= 'Z'; ++c) {
        const std::string code{a, b, c};
        const auto exponent = currency_exponent(code);
        if (!exponent) continue;
        ++known;
        ASSERT_LE(*exponent, 4) << code;
        ++by_exponent[*exponent];
        const int64_t minor = random_minor(random);
        EXPECT_EQ(parse_minor(format_minor(minor, code), *exponent), minor) << code;
      }
  EXPECT_GT(known, 150);
  EXPECT_GT(by_exponent[0], 10);  // JPY and its like
  EXPECT_EQ(by_exponent[3], 7);   // BHD IQD JOD KWD LYD OMR TND
  for (const char* code : {"", "EU", "EURO", "eur", "ZZZ", "XXX"})
    EXPECT_FALSE(currency_exponent(code)) << code;
}

}  // namespace
}  // namespace micropay
