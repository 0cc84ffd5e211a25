#include "libs/base/unicode.h"

#include <fmt/format.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cmath>

#include "libs/base/check.h"

namespace micropay {
namespace {

constexpr char32_t kNonJoiner = 0x200c, kWidthJoiner = 0x200d;
constexpr int kVirama = 9;  // canonical combining class

bool has(char32_t c, UProperty property) { return u_hasBinaryProperty(UChar32(c), property) != 0; }
bool is_script(char32_t c, UScriptCode script) { return uscript_hasScript(UChar32(c), script) != 0; }

// U+2800 is an empty pattern of Braille; the others are fillers of their scripts.
bool is_blank(char32_t c) { return u_charType(UChar32(c)) == U_SPACE_SEPARATOR || c == 0x2800; }

// The conjuncts of Indic scripts; and in the cursive ones a break between two letters that would join:
// (L|D) T* ZWNJ T* (R|D).
bool joiner_in_script(std::u32string_view text, size_t at) {
  if (at > 0 && u_getCombiningClass(UChar32(text[at - 1])) == kVirama) return true;
  if (text[at] != kNonJoiner) return false;
  const auto joining = [&](size_t i) { return u_getIntPropertyValue(UChar32(text[i]), UCHAR_JOINING_TYPE); };
  size_t before = at, after = at + 1;
  while (before > 0 && joining(before - 1) == U_JT_TRANSPARENT) --before;
  while (after < text.size() && joining(after) == U_JT_TRANSPARENT) ++after;
  if (before == 0 || after == text.size()) return false;
  const int left = joining(before - 1), right = joining(after);
  return (left == U_JT_LEFT_JOINING || left == U_JT_DUAL_JOINING) &&
         (right == U_JT_RIGHT_JOINING || right == U_JT_DUAL_JOINING);
}

bool joiner_in_emoji(std::u32string_view text, size_t at) {
  if (text[at] != kWidthJoiner || at == 0 || at + 1 == text.size()) return false;
  size_t base = at - 1;
  while (base > 0 && (has(text[base], UCHAR_VARIATION_SELECTOR) || has(text[base], UCHAR_EMOJI_MODIFIER)))
    --base;
  return has(text[base], UCHAR_EXTENDED_PICTOGRAPHIC) && has(text[at + 1], UCHAR_EXTENDED_PICTOGRAPHIC);
}

bool selector_fits(std::u32string_view text, size_t at) {
  if (at == 0) return false;
  const char32_t selector = text[at], base = text[at - 1];
  if (selector == 0xfe0e || selector == 0xfe0f) return has(base, UCHAR_EMOJI);
  if (selector < 0xfe00) return is_script(base, USCRIPT_MONGOLIAN);
  return has(base, UCHAR_UNIFIED_IDEOGRAPH);
}

// RFC 5892, appendix A: characters that are right in some company only.
bool in_context(std::u32string_view text, size_t at) {
  const char32_t c = text[at];
  const auto any = [&](auto wanted) { return std::any_of(text.begin(), text.end(), wanted); };
  const auto between = [](char32_t first, char32_t last) {
    return [=](char32_t other) { return other >= first && other <= last; };
  };
  if (c == kNonJoiner || c == kWidthJoiner) return joiner_in_script(text, at);
  if (c == 0xb7) return at > 0 && at + 1 < text.size() && text[at - 1] == 'l' && text[at + 1] == 'l';
  if (c == 0x375) return at + 1 < text.size() && is_script(text[at + 1], USCRIPT_GREEK);
  if (c == 0x5f3 || c == 0x5f4) return at > 0 && is_script(text[at - 1], USCRIPT_HEBREW);
  if (c == 0x30fb) {
    return any([](char32_t other) {
      return other != 0x30fb && (is_script(other, USCRIPT_HIRAGANA) || is_script(other, USCRIPT_KATAKANA) ||
                                 is_script(other, USCRIPT_HAN));
    });
  }
  if (c >= 0x660 && c <= 0x669) return !any(between(0x6f0, 0x6f9));
  return !any(between(0x660, 0x669));  // U+06F0 to U+06F9
}

// RFC 8264, section 8, for the FreeformClass: what is left after these is a letter, digit, sign or blank.
bool in_freeform_class(std::u32string_view text, size_t at) {
  const char32_t c = text[at];
  constexpr std::u32string_view kAllowed = U"\u00df\u03c2\u06fd\u06fe\u0f0b\u3007";
  constexpr std::u32string_view kRefused = U"\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b";
  constexpr std::u32string_view kContextual = U"\u00b7\u0375\u05f3\u05f4\u30fb";
  if (kAllowed.find(c) != kAllowed.npos) return true;
  if (kRefused.find(c) != kRefused.npos) return false;
  if (kContextual.find(c) != kContextual.npos || (c >= 0x660 && c <= 0x669) || (c >= 0x6f0 && c <= 0x6f9) ||
      c == kNonJoiner || c == kWidthJoiner)
    return in_context(text, at);
  const int syllable = u_getIntPropertyValue(UChar32(c), UCHAR_HANGUL_SYLLABLE_TYPE);
  if (syllable == U_HST_LEADING_JAMO || syllable == U_HST_VOWEL_JAMO || syllable == U_HST_TRAILING_JAMO)
    return false;
  if (has(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) return false;
  switch (u_charType(UChar32(c))) {
    case U_UNASSIGNED:
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_PRIVATE_USE_CHAR:
    case U_SURROGATE:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR: return false;
    default: return true;
  }
}

}  // namespace

Glyph glyph_of(char32_t c) {
  if (c > ' ' && c < 0x7f) return Glyph::kVisible;
  if (c == ' ') return Glyph::kBlank;
  if ((c >= '\t' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029) return Glyph::kBreak;
  if (c < 0xa0) return Glyph::kControl;
  if (c == kNonJoiner || c == kWidthJoiner) return Glyph::kJoiner;
  if (has(c, UCHAR_VARIATION_SELECTOR)) return Glyph::kSelector;
  if (has(c, UCHAR_BIDI_CONTROL)) return Glyph::kDirection;
  if (has(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) && u_charType(UChar32(c)) != U_UNASSIGNED)
    return Glyph::kNothing;
  if (is_blank(c)) return Glyph::kBlank;
  switch (u_charType(UChar32(c))) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK: return Glyph::kMark;
    case U_FORMAT_CHAR:  // the signs that reach around Arabic numbers are seen
      return has(c, UCHAR_PREPENDED_CONCATENATION_MARK) ? Glyph::kVisible : Glyph::kNothing;
    case U_UNASSIGNED:
    case U_PRIVATE_USE_CHAR:
    case U_SURROGATE: return Glyph::kNoText;
    default: return c == 0xfffc ? Glyph::kNothing : Glyph::kVisible;
  }
}

std::optional<char32_t> next_character(std::string_view text, size_t& at) {
  const uint8_t first = uint8_t(text[at]);
  if (first < 0x80) return ++at, char32_t(first);
  // A character has four bytes at most: the reader's bounds are its own, however long the text is.
  const std::string_view here = text.substr(at, 4);
  int32_t length = 0;
  UChar32 character = 0;
  U8_NEXT(reinterpret_cast<const uint8_t*>(here.data()), length, int32_t(here.size()), character);
  if (character < 0) return ++at, std::nullopt;
  at += size_t(length);
  return char32_t(character);
}

std::optional<std::u32string> characters_of(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto character = next_character(text, at);
    if (!character) return {};
    out.push_back(*character);
  }
  return out;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  icu::StringByteSink<std::string> sink(&out);
  icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()), int32_t(text.size()))
      .toUTF8(sink);
  return out;
}

int digit_of(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? int(c - '0') : -1;
  const int type = u_charType(UChar32(c));
  if (type != U_DECIMAL_DIGIT_NUMBER && type != U_OTHER_NUMBER) return -1;
  const double value = u_getNumericValue(UChar32(c));
  return value >= 0 && value <= 9 && value == std::floor(value) ? int(value) : -1;
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();)
    if (!next_character(text, at)) return false;
  return true;
}

std::optional<std::string> nfc(std::string_view text) {
  if (!is_utf8(text) || text.size() > INT32_MAX) return {};
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFCInstance(error);
  CHECK(U_SUCCESS(error));  // its tables are part of the library
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer->normalizeUTF8(0, icu::StringPiece(text.data(), int32_t(text.size())), sink, nullptr, error);
  if (U_FAILURE(error)) return {};
  return out;
}

bool fits_its_place(std::u32string_view text, size_t at) {
  const Glyph glyph = glyph_of(text[at]);
  if (glyph == Glyph::kJoiner) return joiner_in_script(text, at) || joiner_in_emoji(text, at);
  return glyph != Glyph::kSelector || selector_fits(text, at);
}

std::optional<std::string> opaque_string(std::string_view text) {
  constexpr size_t kMostBytes = 4096;
  if (text.empty() || text.size() > kMostBytes) return {};
  const auto mapped = [&]() -> std::optional<std::string> {
    auto characters = characters_of(text);
    if (!characters) return {};
    for (char32_t& c : *characters)
      if (u_charType(UChar32(c)) == U_SPACE_SEPARATOR) c = ' ';
    return nfc(to_utf8(*characters));
  }();
  if (!mapped) return {};
  const auto characters = characters_of(*mapped);
  if (!characters) return {};
  for (size_t at = 0; at < characters->size(); ++at)
    if (!in_freeform_class(*characters, at)) return {};
  return mapped;
}

std::optional<std::string> idna_to_ascii(std::string_view domain) {
  constexpr size_t kMostBytes = 1024;  // four times what a host name may have
  if (domain.empty() || domain.size() > kMostBytes) return {};
  UErrorCode error = U_ZERO_ERROR;
  // Opened once, never closed: it is immutable, and a thread may still ask it while the process ends.
  static UIDNA* const idna = uidna_openUTS46(UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
                                                 UIDNA_CHECK_CONTEXTO | UIDNA_NONTRANSITIONAL_TO_ASCII,
                                             &error);
  CHECK(idna != nullptr);  // its tables are part of the library
  char out[256];
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  error = U_ZERO_ERROR;
  const int32_t length =
      uidna_nameToASCII_UTF8(idna, domain.data(), int32_t(domain.size()), out, sizeof out, &info, &error);
  if (U_FAILURE(error) || info.errors != 0 || length <= 0 || size_t(length) > sizeof out) return {};
  return std::string(out, size_t(length));
}

namespace {

// Copies what is shown as itself; the rest is `escape(out, character, bytes)`, without a character where the
// bytes are no UTF-8.
template <typename Escape>
std::string shown(std::string_view text, Escape escape) {
  std::string out;
  out.reserve(text.size());
  bool base = false;  // the character before may carry a mark
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const auto character = next_character(text, at);
    const Glyph glyph = character ? glyph_of(*character) : Glyph::kNoText;
    const bool plain = glyph == Glyph::kVisible || glyph == Glyph::kBlank || (glyph == Glyph::kMark && base);
    if (plain) out += text.substr(begin, at - begin);
    else escape(out, character, uint8_t(text[begin]));
    base = plain && glyph != Glyph::kBlank;
  }
  return out;
}

std::string escape_of(std::optional<char32_t> character, uint8_t byte) {
  if (!character) return fmt::format("\\x{:02x}", byte);
  if (*character == '\n') return "\\n";
  if (*character == '\r') return "\\r";
  if (*character == '\t') return "\\t";
  return fmt::format("\\u{{{:x}}}", uint32_t(*character));
}

}  // namespace

std::string printable(std::string_view text) {
  return shown(text, [](std::string& out, std::optional<char32_t> character, uint8_t byte) {
    out += escape_of(character, byte);
  });
}

std::string printable_lines(std::string_view text) {
  return shown(text, [](std::string& out, std::optional<char32_t> character, uint8_t byte) {
    out += character == U'\n' ? "\n" : escape_of(character, byte);
  });
}

void append_json_escape(std::string& out, char32_t character) {
  const auto c = uint32_t(character);
  if (c < 0x10000) out += fmt::format("\\u{:04x}", c);
  else out += fmt::format("\\u{:04x}\\u{:04x}", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
}

std::string printable_json(std::string_view json) {
  return shown(json, [](std::string& out, std::optional<char32_t> character, uint8_t) {
    if (character == U'\n') out += '\n';
    else append_json_escape(out, character.value_or(0xfffd));
  });
}

}  // namespace micropay
