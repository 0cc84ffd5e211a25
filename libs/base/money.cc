#include "libs/base/money.h"

#include <algorithm>
#include <array>

#include "libs/base/check.h"

namespace micropay {
namespace {

struct Currency {
  std::string_view code;
  int exponent;
  int64_t reference;  // minor units that are worth about a hundred euros
};

// ISO 4217 as of November 2026 with its exponents; funds codes, metals and units of account are left out. The
// third figure is an order of magnitude (two or three digits, of 2026), good for limits and for nothing else.
constexpr std::array kCurrencies = std::to_array<Currency>({
    {"AED", 2, 42'000},        {"AFN", 2, 800'000},     {"ALL", 2, 970'000},       {"AMD", 2, 4'450'000},
    {"ANG", 2, 20'700},        {"AOA", 2, 10'600'000},  {"ARS", 2, 16'500'000},    {"AUD", 2, 17'700},
    {"AWG", 2, 21'000},        {"AZN", 2, 19'500},      {"BAM", 2, 19'600},        {"BBD", 2, 23'000},
    {"BDT", 2, 1'400'000},     {"BGN", 2, 19'600},      {"BHD", 3, 43'000},        {"BIF", 0, 340'000},
    {"BMD", 2, 11'500},        {"BND", 2, 15'000},      {"BOB", 2, 80'000},        {"BRL", 2, 63'000},
    {"BSD", 2, 11'500},        {"BTN", 2, 1'030'000},   {"BWP", 2, 155'000},       {"BYN", 2, 35'000},
    {"BZD", 2, 23'000},        {"CAD", 2, 16'000},      {"CDF", 2, 27'000'000},    {"CHF", 2, 9'300},
    {"CLP", 0, 109'000},       {"CNY", 2, 82'000},      {"COP", 2, 45'000'000},    {"CRC", 2, 5'800'000},
    {"CUC", 2, 11'500},        {"CUP", 2, 280'000},     {"CVE", 2, 1'100'000},     {"CZK", 2, 240'000},
    {"DJF", 0, 20'500},        {"DKK", 2, 74'600},      {"DOP", 2, 730'000},       {"DZD", 2, 1'500'000},
    {"EGP", 2, 550'000},       {"ERN", 2, 170'000},     {"ETB", 2, 1'750'000},     {"EUR", 2, 10'000},
    {"FJD", 2, 26'000},        {"FKP", 2, 8'700},       {"GBP", 2, 8'700},         {"GEL", 2, 31'000},
    {"GHS", 2, 130'000},       {"GIP", 2, 8'700},       {"GMD", 2, 840'000},       {"GNF", 0, 1'000'000},
    {"GTQ", 2, 88'000},        {"GYD", 2, 2'400'000},   {"HKD", 2, 90'000},        {"HNL", 2, 300'000},
    {"HRK", 2, 75'300},        {"HTG", 2, 1'500'000},   {"HUF", 2, 3'850'000},     {"IDR", 2, 192'000'000},
    {"ILS", 2, 38'000},        {"INR", 2, 1'030'000},   {"IQD", 3, 151'000'000},   {"IRR", 2, 10'000'000'000},
    {"ISK", 0, 14'500},        {"JMD", 2, 1'850'000},   {"JOD", 3, 82'000},        {"JPY", 0, 17'800},
    {"KES", 2, 1'490'000},     {"KGS", 2, 1'010'000},   {"KHR", 2, 46'500'000},    {"KMF", 0, 49'200},
    {"KPW", 2, 1'040'000},     {"KRW", 0, 168'000},     {"KWD", 3, 35'500},        {"KYD", 2, 9'600},
    {"KZT", 2, 6'000'000},     {"LAK", 2, 250'000'000}, {"LBP", 2, 1'030'000'000}, {"LKR", 2, 3'520'000},
    {"LRD", 2, 2'080'000},     {"LSL", 2, 200'000},     {"LYD", 3, 630'000},       {"MAD", 2, 107'000},
    {"MDL", 2, 197'000},       {"MGA", 2, 52'000'000},  {"MKD", 2, 615'000},       {"MMK", 2, 24'300'000},
    {"MNT", 2, 41'500'000},    {"MOP", 2, 93'000},      {"MRU", 2, 460'000},       {"MUR", 2, 530'000},
    {"MVR", 2, 178'000},       {"MWK", 2, 20'000'000},  {"MXN", 2, 213'000},       {"MYR", 2, 48'000},
    {"MZN", 2, 740'000},       {"NAD", 2, 200'000},     {"NGN", 2, 16'700'000},    {"NIO", 2, 425'000},
    {"NOK", 2, 117'000},       {"NPR", 2, 1'650'000},   {"NZD", 2, 20'300},        {"OMR", 3, 44'500},
    {"PAB", 2, 11'500},        {"PEN", 2, 39'000},      {"PGK", 2, 49'000},        {"PHP", 2, 680'000},
    {"PKR", 2, 3'250'000},     {"PLN", 2, 42'400},      {"PYG", 0, 820'000},       {"QAR", 2, 42'000},
    {"RON", 2, 50'900},        {"RSD", 2, 1'170'000},   {"RUB", 2, 930'000},       {"RWF", 0, 168'000},
    {"SAR", 2, 43'000},        {"SBD", 2, 95'000},      {"SCR", 2, 160'000},       {"SDG", 2, 6'900'000},
    {"SEK", 2, 110'000},       {"SGD", 2, 15'000},      {"SHP", 2, 8'700},         {"SLE", 2, 270'000},
    {"SLL", 2, 270'000'000},   {"SOS", 2, 6'600'000},   {"SRD", 2, 450'000},       {"SSP", 2, 53'000'000},
    {"STN", 2, 245'000},       {"SVC", 2, 101'000},     {"SYP", 2, 127'000'000},   {"SZL", 2, 200'000},
    {"THB", 2, 375'000},       {"TJS", 2, 107'000},     {"TMT", 2, 40'300},        {"TND", 3, 340'000},
    {"TOP", 2, 27'500},        {"TRY", 2, 488'000},     {"TTD", 2, 78'000},        {"TWD", 2, 360'000},
    {"TZS", 2, 28'300'000},    {"UAH", 2, 487'000},     {"UGX", 0, 415'000},       {"USD", 2, 11'500},
    {"UYU", 2, 460'000},       {"UZS", 2, 139'000'000}, {"VED", 2, 2'800'000},     {"VES", 2, 2'800'000},
    {"VND", 0, 3'050'000},     {"VUV", 0, 14'100},      {"WST", 2, 32'000},        {"XAF", 0, 65'600},
    {"XCD", 2, 31'000},        {"XCG", 2, 20'700},      {"XOF", 0, 65'600},        {"XPF", 0, 11'900},
    {"YER", 2, 2'770'000},     {"ZAR", 2, 200'000},     {"ZMW", 2, 260'000},       {"ZWG", 2, 306'000},
    {"ZWL", 2, 4'000'000'000},
});
static_assert(std::is_sorted(kCurrencies.begin(), kCurrencies.end(),
                             [](const Currency& a, const Currency& b) { return a.code < b.code; }));

// Withdrawn while amounts in them were in use: what is stored can be read, and nothing new begins in them.
constexpr std::array kWithdrawn = std::to_array<WithdrawnCurrency>({
    {"ANG", "2025-07-01", "XCG"},
    {"BGN", "2026-02-01", "EUR"},
    {"CUC", "2021-07-01", "CUP"},
    {"HRK", "2023-01-15", "EUR"},
    {"SLL", "2024-01-01", "SLE"},
    {"ZWL", "2024-09-01", "ZWG"},
});

const Currency* find(std::string_view currency) {
  const auto at =
      std::lower_bound(kCurrencies.begin(), kCurrencies.end(), currency,
                       [](const Currency& row, std::string_view code) { return row.code < code; });
  return at == kCurrencies.end() || at->code != currency ? nullptr : &*at;
}

}  // namespace

std::optional<int> currency_exponent(std::string_view currency) {
  const Currency* found = find(currency);
  return found == nullptr ? std::optional<int>() : found->exponent;
}

const WithdrawnCurrency* withdrawn_currency(std::string_view currency) {
  const auto at = std::find_if(kWithdrawn.begin(), kWithdrawn.end(),
                               [&](const WithdrawnCurrency& row) { return row.code == currency; });
  return at == kWithdrawn.end() ? nullptr : &*at;
}

int64_t convert_minor(int64_t minor, std::string_view from, std::string_view to) {
  const Currency *source = find(from), *target = find(to);
  if (from == to || source == nullptr || target == nullptr) return minor;
  const __int128 whole = __int128(minor) * target->reference;
  const __int128 rest = whole % source->reference;
  const __int128 converted = whole / source->reference + (rest > 0 ? 1 : rest < 0 ? -1 : 0);
  return int64_t(std::clamp<__int128>(converted, INT64_MIN, INT64_MAX));
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

std::optional<int64_t> parse_minor(std::string_view value, int exponent, bool* too_large) {
  const bool negative = value.starts_with('-');
  if (negative) value.remove_prefix(1);
  int64_t minor = 0;
  bool fits = true;
  if (too_large != nullptr) *too_large = false;
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
    fits = fits && !__builtin_mul_overflow(minor, int64_t(10), &minor) &&
           !__builtin_add_overflow(minor, digit, &minor);
  }
  if (whole == 0 || decimals == 0) return {};
  if (whole > 1 && value[0] == '0') return {};
  for (int i = decimals < 0 ? 0 : decimals; i < exponent; ++i)
    fits = fits && !__builtin_mul_overflow(minor, int64_t(10), &minor);
  if (too_large != nullptr) *too_large = !fits;
  return fits ? std::optional(minor) : std::nullopt;
}

}  // namespace micropay
