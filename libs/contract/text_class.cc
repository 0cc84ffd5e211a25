#include "libs/contract/text_class.h"

#include <algorithm>

#include "libs/base/unicode.h"
#include "libs/contract/plan.h"

namespace micropay::contract {
namespace {

bool is_blank(char32_t c) {
  const Glyph glyph = glyph_of(c);
  return glyph == Glyph::kBlank || glyph == Glyph::kBreak;
}

// Nothing to look at twice: visible ASCII with single characters of blank inside.
bool is_plain(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

std::u32string trimmed(std::u32string_view text, Format format) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  std::u32string out(text);
  if (format != TEXT) return out;
  for (size_t at = out.find(U"\r\n"); at != out.npos; at = out.find(U"\r\n", at)) out.erase(at, 1);
  return out;
}

std::unexpected<Error> unseen(char32_t c) {
  return refuse("invalid_format",
                fmt::format("must not have U+{:04X} there, which is not seen", uint32_t(c)));
}

Result<void> check_characters(std::u32string_view text, Format format) {
  bool visible = false, base = false;  // base: a mark may stand on the character before
  size_t marks = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char32_t c = text[at];
    switch (glyph_of(c)) {
      case Glyph::kVisible: visible = base = true, marks = 0; continue;
      case Glyph::kBlank: base = false; continue;
      case Glyph::kBreak:
        if (format != TEXT || (c != '\n' && c != '\t'))
          return refuse("invalid_format",
                        format == TEXT ? "may have \\n and \\t, but not other controls" : "must be one line");
        base = false;
        continue;
      case Glyph::kMark:
        if (!base) return refuse("invalid_format", "must not have a mark that stands on nothing");
        if (++marks > kMostMarks)
          return refuse("invalid_format",
                        fmt::format("must have at most {} marks on a character", kMostMarks));
        continue;
      case Glyph::kJoiner:
      case Glyph::kSelector:
        if (!fits_its_place(text, at)) return unseen(c);
        continue;
      case Glyph::kControl:
        return refuse("invalid_format", fmt::format("must not have the control U+{:04X}", uint32_t(c)));
      case Glyph::kDirection:
        return refuse("invalid_format",
                      fmt::format("must not have U+{:04X}, which turns the direction", uint32_t(c)));
      case Glyph::kNothing: return unseen(c);
      case Glyph::kNoText:
        return refuse("invalid_format",
                      fmt::format("must not have U+{:04X}, which is no character", uint32_t(c)));
    }
  }
  if (!visible) return refuse("invalid_format", "must have something that can be seen");
  return {};
}

}  // namespace

Result<std::optional<std::string>> kept_form(std::string_view text, Format format) {
  if (format == TOKEN) {
    if (std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; })) return std::nullopt;
    return refuse("invalid_format", "must be printable ASCII without blanks");
  }
  if (is_plain(text)) return std::nullopt;
  const auto composed = nfc(text);
  if (!composed) return refuse("invalid_format", "is not UTF-8");
  const std::u32string kept = trimmed(*characters_of(*composed), format);
  TRY(check_characters(kept, format));
  std::string out = to_utf8(kept);
  if (out == text) return std::nullopt;
  return out;
}

}  // namespace micropay::contract
