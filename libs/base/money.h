// Exact money: integer minor units with the exponents of ISO 4217. No floating point, no rounding, no
// overflow unseen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace micropay {

// Digits after the decimal point of the currency (EUR 2, JPY 0, KWD 3); none when we do not know the code.
// Withdrawn ones are known: what is stored in them stays readable.
std::optional<int> currency_exponent(std::string_view currency);

// A code that ISO 4217 has withdrawn: nothing new begins in it.
struct WithdrawnCurrency {
  std::string_view code;
  std::string_view since;      // a date
  std::string_view successor;  // the code that came in its place
};
const WithdrawnCurrency* withdrawn_currency(std::string_view currency);  // null: it is in use

// Limits and thresholds are written in this currency and hold in the others for about the same value.
constexpr std::string_view kReferenceCurrency = "EUR";

// About the same value in another currency, by a table of orders of magnitude that is part of the program:
// for limits and thresholds, never for money that moves. Rounds away from zero; what does not fit is
// INT64_MAX.
int64_t convert_minor(int64_t minor, std::string_view from, std::string_view to);

// 1234, "EUR" -> "12.34"; the currency must be known.
std::string format_minor(int64_t minor, std::string_view currency);
void append_minor(std::string& out, int64_t minor, int exponent);

// "12.34", "EUR" -> 1234. Refuses more decimals than the currency has, signs other than '-', exponents,
// blanks, and what does not fit: none. `too_large`, when given, says whether it was an amount that does not
// fit.
std::optional<int64_t> parse_minor(std::string_view value, int exponent, bool* too_large = nullptr);

// Sum, or none when it does not fit.
inline std::optional<int64_t> add_minor(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return {};
  return sum;
}

// The largest amount a single field may carry, either sign: sums of a million of them still fit an int64.
constexpr int64_t kMaxMinor = 9'000'000'000'000;

}  // namespace micropay
