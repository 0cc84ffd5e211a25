#include "libs/base/money.h"

#include <algorithm>
#include <array>

#include "libs/base/check.h"

namespace micropay {
namespace {

struct Currency {
  std::string_view code;
  int exponent;
};

// ISO 4217 active codes with their exponents; funds codes and metals are left out.
constexpr std::array kCurrencies = std::to_array<Currency>({
    {"AED", 2}, {"AFN", 2}, {"ALL", 2}, {"AMD", 2}, {"ANG", 2}, {"AOA", 2}, {"ARS", 2}, {"AUD", 2},
    {"AWG", 2}, {"AZN", 2}, {"BAM", 2}, {"BBD", 2}, {"BDT", 2}, {"BGN", 2}, {"BHD", 3}, {"BIF", 0},
    {"BMD", 2}, {"BND", 2}, {"BOB", 2}, {"BRL", 2}, {"BSD", 2}, {"BTN", 2}, {"BWP", 2}, {"BYN", 2},
    {"BZD", 2}, {"CAD", 2}, {"CDF", 2}, {"CHF", 2}, {"CLP", 0}, {"CNY", 2}, {"COP", 2}, {"CRC", 2},
    {"CUP", 2}, {"CVE", 2}, {"CZK", 2}, {"DJF", 0}, {"DKK", 2}, {"DOP", 2}, {"DZD", 2}, {"EGP", 2},
    {"ERN", 2}, {"ETB", 2}, {"EUR", 2}, {"FJD", 2}, {"FKP", 2}, {"GBP", 2}, {"GEL", 2}, {"GHS", 2},
    {"GIP", 2}, {"GMD", 2}, {"GNF", 0}, {"GTQ", 2}, {"GYD", 2}, {"HKD", 2}, {"HNL", 2}, {"HTG", 2},
    {"HUF", 2}, {"IDR", 2}, {"ILS", 2}, {"INR", 2}, {"IQD", 3}, {"IRR", 2}, {"ISK", 0}, {"JMD", 2},
    {"JOD", 3}, {"JPY", 0}, {"KES", 2}, {"KGS", 2}, {"KHR", 2}, {"KMF", 0}, {"KPW", 2}, {"KRW", 0},
    {"KWD", 3}, {"KYD", 2}, {"KZT", 2}, {"LAK", 2}, {"LBP", 2}, {"LKR", 2}, {"LRD", 2}, {"LSL", 2},
    {"LYD", 3}, {"MAD", 2}, {"MDL", 2}, {"MGA", 2}, {"MKD", 2}, {"MMK", 2}, {"MNT", 2}, {"MOP", 2},
    {"MRU", 2}, {"MUR", 2}, {"MVR", 2}, {"MWK", 2}, {"MXN", 2}, {"MYR", 2}, {"MZN", 2}, {"NAD", 2},
    {"NGN", 2}, {"NIO", 2}, {"NOK", 2}, {"NPR", 2}, {"NZD", 2}, {"OMR", 3}, {"PAB", 2}, {"PEN", 2},
    {"PGK", 2}, {"PHP", 2}, {"PKR", 2}, {"PLN", 2}, {"PYG", 0}, {"QAR", 2}, {"RON", 2}, {"RSD", 2},
    {"RUB", 2}, {"RWF", 0}, {"SAR", 2}, {"SBD", 2}, {"SCR", 2}, {"SDG", 2}, {"SEK", 2}, {"SGD", 2},
    {"SHP", 2}, {"SLE", 2}, {"SOS", 2}, {"SRD", 2}, {"SSP", 2}, {"STN", 2}, {"SVC", 2}, {"SYP", 2},
    {"SZL", 2}, {"THB", 2}, {"TJS", 2}, {"TMT", 2}, {"TND", 3}, {"TOP", 2}, {"TRY", 2}, {"TTD", 2},
    {"TWD", 2}, {"TZS", 2}, {"UAH", 2}, {"UGX", 0}, {"USD", 2}, {"UYU", 2}, {"UZS", 2}, {"VED", 2},
    {"VES", 2}, {"VND", 0}, {"VUV", 0}, {"WST", 2}, {"XAF", 0}, {"XCD", 2}, {"XOF", 0}, {"XPF", 0},
    {"YER", 2}, {"ZAR", 2}, {"ZMW", 2},
});
static_assert(std::is_sorted(kCurrencies.begin(), kCurrencies.end(),
                             [](const Currency& a, const Currency& b) { return a.code < b.code; }));

}  // namespace

std::optional<int> currency_exponent(std::string_view currency) {
  const auto at =
      std::lower_bound(kCurrencies.begin(), kCurrencies.end(), currency,
                       [](const Currency& row, std::string_view code) { return row.code < code; });
  if (at == kCurrencies.end() || at->code != currency) return {};
  return at->exponent;
}

void append_minor(std::string& out, int64_t minor, int exponent) {
  CHECK(exponent >= 0 && exponent <= 4);
  uint64_t magnitude = minor < 0 ? 0 - uint64_t(minor) : uint64_t(minor);
  char text[24];
  char* at = text + sizeof text;
  for (int digit = 0; magnitude != 0 || digit <= exponent; ++digit, magnitude /= 10) {
    if (digit == exponent && exponent != 0) *--at = '.';
    *--at = char('0' + magnitude % 10);
  }
  if (minor < 0) *--at = '-';
  out.append(at, text + sizeof text);
}

std::string format_minor(int64_t minor, std::string_view currency) {
  std::string out;
  append_minor(out, minor, currency_exponent(currency).value_or(2));
  return out;
}

std::optional<int64_t> parse_minor(std::string_view value, int exponent) {
  const bool negative = value.starts_with('-');
  if (negative) value.remove_prefix(1);
  int64_t minor = 0;
  size_t whole = 0;
  int decimals = -1;  // before the point
  for (const char c : value) {
    if (c == '.') {
      if (decimals >= 0 || whole == 0 || exponent == 0) return {};
      decimals = 0;
      continue;
    }
    if (c < '0' || c > '9') return {};
    if (decimals < 0) ++whole;
    else if (++decimals > exponent) return {};
    // Towards its sign, so that the least number, which has no positive counterpart, is read, too.
    const int64_t digit = negative ? '0' - c : c - '0';
    if (__builtin_mul_overflow(minor, int64_t(10), &minor) || __builtin_add_overflow(minor, digit, &minor))
      return {};
  }
  if (whole == 0 || decimals == 0) return {};
  if (whole > 1 && value[0] == '0') return {};
  for (int i = decimals < 0 ? 0 : decimals; i < exponent; ++i)
    if (__builtin_mul_overflow(minor, int64_t(10), &minor)) return {};
  return minor;
}

}  // namespace micropay
