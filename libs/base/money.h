// Exact money: integer minor units with the exponents of ISO 4217. No floating point, no rounding, no
// overflow unseen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace micropay {

// Digits after the decimal point of the currency (EUR 2, JPY 0, KWD 3); none when we do not know the code.
std::optional<int> currency_exponent(std::string_view currency);

// 1234, "EUR" -> "12.34"; the currency must be known.
std::string format_minor(int64_t minor, std::string_view currency);
void append_minor(std::string& out, int64_t minor, int exponent);

// "12.34", "EUR" -> 1234. Refuses more decimals than the currency has, signs other than '-', exponents,
// blanks, and what does not fit: none.
std::optional<int64_t> parse_minor(std::string_view value, int exponent);

// Sum, or none when it does not fit.
inline std::optional<int64_t> add_minor(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return {};
  return sum;
}

// The largest amount a single field may carry, either sign: sums of a million of them still fit an int64.
constexpr int64_t kMaxMinor = 9'000'000'000'000;

}  // namespace micropay
