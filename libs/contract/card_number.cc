#include "libs/contract/card_number.h"

#include <algorithm>
#include <string>
#include <vector>

#include "libs/base/ids.h"
#include "libs/base/unicode.h"

namespace micropay::contract {
namespace {

constexpr size_t kLeast = 13, kMost = 19, kMostBetween = 3;

// ISO/IEC 7812: by their first four digits. Dates and times in a row ("2026-11-01 - 2026-11-30", milliseconds
// since 1970) and phone numbers have as many digits; most of them begin otherwise.
struct Issued {
  int first, last;
  size_t least, most;
};
constexpr Issued kIssued[] = {
    {1000, 1999, 15, 15},                        // UATP
    {2200, 2204, 16, 19},                        // Mir
    {2221, 2720, 16, 16},                        // Mastercard
    {3000, 3059, 14, 14}, {3095, 3095, 14, 14},  // Diners Club
    {3400, 3499, 15, 15}, {3700, 3799, 15, 15},  // American Express
    {3500, 3599, 16, 19},                        // JCB
    {3600, 3699, 14, 19}, {3800, 3999, 14, 19},  // Diners Club
    {4000, 4999, 13, 19},                        // Visa
    {5000, 5099, 13, 19}, {5100, 5599, 16, 16},  // Maestro and Verve, Mastercard
    {5600, 5899, 13, 19},                        // Maestro
    {6000, 6999, 16, 19},                        // Discover, UnionPay, Maestro, RuPay, Troy
    {8100, 8299, 16, 19},                        // UnionPay, RuPay
    {9792, 9792, 16, 16},                        // Troy
};

bool is_issued(std::string_view digits) {
  int prefix = 0;
  for (const char digit : digits.substr(0, 4)) prefix = prefix * 10 + (digit - '0');
  return std::ranges::any_of(kIssued, [&](const Issued& range) {
    return prefix >= range.first && prefix <= range.last && digits.size() >= range.least &&
           digits.size() <= range.most;
  });
}

bool luhn(std::string_view digits) {
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    const int digit = digits[digits.size() - 1 - i] - '0';
    sum += i % 2 == 0 ? digit : digit < 5 ? 2 * digit : 2 * digit - 9;
  }
  return sum % 10 == 0;
}

bool is_card_number(std::string_view digits) {
  return digits.size() >= kLeast && digits.size() <= kMost && is_issued(digits) && luhn(digits);
}

// Digits in pieces, as they stand beside each other: any whole pieces in a row may be one.
bool hold_card_number(const std::vector<std::string>& pieces) {
  for (size_t first = 0; first < pieces.size(); ++first) {
    std::string digits;
    for (size_t last = first; last < pieces.size() && digits.size() <= kMost; ++last) {
      digits += pieces[last];
      if (is_card_number(digits)) return true;
    }
  }
  return false;
}

bool is_alphanumeric(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char32_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_between(char32_t c) {
  const Glyph glyph = glyph_of(c);
  return glyph == Glyph::kBlank || glyph == Glyph::kBreak || glyph == Glyph::kNothing || c == '-' ||
         c == '_' || c == '.' || c == '/' || c == 0xb7 || (c >= 0x2010 && c <= 0x2015) || c == 0x2212;
}

size_t uuid_length(std::u32string_view text) {
  constexpr size_t kLength = 36;
  if (text.size() < kLength) return 0;
  if (text.size() > kLength && is_alphanumeric(text[kLength])) return 0;
  std::string ascii;
  for (const char32_t c : text.substr(0, kLength)) ascii.push_back(c < 0x80 ? char(c) : '?');
  return is_uuid(ascii) ? kLength : 0;
}

size_t digest_length(std::u32string_view text) {
  const size_t length = size_t(std::find_if_not(text.begin(), text.end(), is_alphanumeric) - text.begin());
  const auto token = text.substr(0, length);
  const bool letters = std::ranges::any_of(token, [](char32_t c) { return c > '9'; });
  return length > kMost && letters && std::ranges::all_of(token, is_hex) ? length : 0;
}

// ISO 13616: with or without blanks between its fours; the remainder by 97 is 1.
size_t iban_length(std::u32string_view text) {
  constexpr size_t kShortest = 15, kLongest = 34;
  std::string compact;
  size_t length = 0;
  for (size_t at = 0; at < text.size() && compact.size() < kLongest; ++at) {
    if (text[at] == ' ' && at > 0 && text[at - 1] != ' ') continue;
    if (!is_alphanumeric(text[at])) break;
    compact.push_back(text[at] >= 'a' ? char(text[at] - 32) : char(text[at]));
    const bool letter = compact.back() > '9';
    if ((compact.size() <= 2) != letter && compact.size() <= 4) return 0;
    const bool ends = at + 1 == text.size() || !is_alphanumeric(text[at + 1]);
    if (!ends || compact.size() < kShortest) continue;
    int remainder = 0;
    for (size_t i = 0; i < compact.size(); ++i) {
      const char c = compact[(i + 4) % compact.size()];
      remainder = c > '9' ? (remainder * 100 + (c - 'A' + 10)) % 97 : (remainder * 10 + (c - '0')) % 97;
    }
    if (remainder == 1) length = at + 1;
  }
  return length;
}

bool may_hold_one(std::string_view text) {
  size_t digits = 0;
  for (const char c : text) {
    if (uint8_t(c) >= 0x80) return true;
    digits += c >= '0' && c <= '9';
  }
  return digits >= kLeast;
}

}  // namespace

bool holds_card_number(std::string_view bytes) {
  if (!may_hold_one(bytes)) return false;
  const auto characters = characters_of(bytes);
  if (!characters) return false;
  const std::u32string_view text = *characters;
  std::vector<std::string> pieces;
  size_t between = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (at == 0 || !is_alphanumeric(text[at - 1])) {
      const auto rest = text.substr(at);
      if (const size_t harmless = std::max({uuid_length(rest), digest_length(rest), iban_length(rest)})) {
        if (hold_card_number(pieces)) return true;
        pieces.clear();
        at += harmless - 1;
        continue;
      }
    }
    if (const int digit = digit_of(text[at]); digit >= 0) {
      if (between > 0 || pieces.empty()) pieces.emplace_back();
      pieces.back().push_back(char('0' + digit));
      between = 0;
    } else if (!pieces.empty() && between < kMostBetween && is_between(text[at])) {
      ++between;
    } else {
      if (hold_card_number(pieces)) return true;
      pieces.clear();
      between = 0;
    }
  }
  return hold_card_number(pieces);
}

std::string without_card_numbers(std::string_view text) {
  if (!holds_card_number(text)) return std::string(text);
  std::u32string characters = *characters_of(text);
  for (char32_t& c : characters)
    if (digit_of(c) >= 0) c = '*';
  return to_utf8(characters);
}

}  // namespace micropay::contract
