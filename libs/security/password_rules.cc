#include "libs/security/password_rules.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include "libs/base/unicode.h"
#include "libs/security/common_words.h"

namespace micropay {
namespace {

constexpr size_t kLeastCharacters = 10;
constexpr size_t kSurprises = 3;      // characters that do not follow from the one before, or fewer: a run
constexpr size_t kFewCharacters = 3;  // different ones, or fewer
constexpr size_t kMostAffix = 8;      // digits and signs around a word: a date at most

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c & 0x80) != 0; }
bool is_word_part(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c + 32);
  return out;
}

// 4 for a, 0 for o: read as letters, in the two ways in which a 1 is meant.
std::string spelt_out(std::string_view text, char one) {
  constexpr std::string_view kFrom = "430578@$!+", kTo = "aeostbasit";
  std::string out(text);
  for (char& c : out) {
    if (c == '1') c = one;
    else if (const size_t at = kFrom.find(c); at != kFrom.npos) c = kTo[at];
  }
  return out;
}

std::span<const std::string_view> rows() {
  static constexpr std::string_view kRows[] = {"abcdefghijklmnopqrstuvwxyz",
                                               "01234567890",
                                               "qwertyuiop[]",
                                               "qwertzuiop",
                                               "azertyuiop",
                                               "asdfghjkl;'",
                                               "zxcvbnm,./",
                                               "yxcvbnm,.-",
                                               "!@#$%^&*()"};
  return kRows;
}

// Along the alphabet, the digits or a row of keys, in either direction; or the same again.
bool follows(char before, char after) {
  if (before == after) return true;
  return std::ranges::any_of(rows(), [&](std::string_view row) {
    const size_t at = row.find(before);
    if (at == row.npos) return false;
    if (at + 1 < row.size() && row[at + 1] == after) return true;
    return (at > 0 && row[at - 1] == after) || (before == '0' && after == '9');
  });
}

size_t surprises(std::string_view text) {
  size_t count = text.empty() ? 0 : 1;
  for (size_t i = 1; i < text.size(); ++i) count += !follows(text[i - 1], text[i]);
  return count;
}

bool is_word(std::string_view text) { return std::ranges::binary_search(common_words(), text); }

// "drowssap", and one word or two.
bool is_made_of_words(std::string_view text) {
  if (text.size() < 2) return false;
  if (is_word(text) || is_word(std::string(text.rbegin(), text.rend()))) return true;
  for (size_t at = 3; at + 3 <= text.size(); ++at)
    if (is_word(text.substr(0, at)) && is_word(text.substr(at))) return true;
  return false;
}

// The text again and again: its shortest part.
std::string_view unit_of(std::string_view text) {
  for (size_t size = 1; size <= text.size() / 2; ++size) {
    bool repeats = true;
    for (size_t i = size; i < text.size() && repeats; ++i) repeats = text[i] == text[i % size];
    if (repeats) return text.substr(0, size);
  }
  return text;
}

std::string_view without_affixes(std::string_view text, bool (*part)(char)) {
  while (!text.empty() && !part(text.front())) text.remove_prefix(1);
  while (!text.empty() && !part(text.back())) text.remove_suffix(1);
  return text;
}

// A word with digits and signs before and behind it, whatever it was spelt with.
bool is_lengthened_word(std::string_view text) {
  const std::string_view bare = without_affixes(text, is_word_part),
                         letters = without_affixes(text, is_letter);
  std::vector<std::string> cores{std::string(bare), std::string(letters)};
  for (const char one : {'l', 'i'}) {
    // "p4ssw0rd12": what is behind the word goes first, so that it is not read as letters.
    for (size_t end = text.size(); end > 0 && text.size() - end <= kMostAffix; --end) {
      cores.emplace_back(without_affixes(spelt_out(text.substr(0, end), one), is_letter));
      if (is_letter(text[end - 1])) break;
    }
  }
  return std::ranges::any_of(cores, [&](const std::string& core) {
    return text.size() <= core.size() + kMostAffix && is_made_of_words(core);
  });
}

size_t characters(std::string_view text) {
  return size_t(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::unexpected<Error> refuse(const NewPassword& given, std::string_view reason, std::string_view detail) {
  return fail(Code::kInvalidArgument, std::string(reason), std::string(detail), std::string(given.field));
}

// The address, or what stands before its @, with digits and signs around it.
bool is_about(std::string_view form, std::string_view email) {
  const std::string text = lower(form), address = lower(email);
  const std::string local = address.substr(0, address.find('@'));
  return local.size() >= 4 &&
         (text == address || without_affixes(text, is_letter) == without_affixes(local, is_letter)) &&
         text.size() <= std::max(address.size(), local.size() + kMostAffix);
}

}  // namespace

bool is_common_password(std::string_view form) {
  const std::string text = lower(form);
  std::string packed = text;
  std::erase(packed, ' ');
  if (packed.empty()) return true;
  for (const std::string_view each : {std::string_view(text), std::string_view(packed)}) {
    if (surprises(each) <= kSurprises || std::set<char>(each.begin(), each.end()).size() <= kFewCharacters)
      return true;
    const std::string_view unit = unit_of(each);
    if (unit.size() < each.size() && (unit.size() <= 5 || is_lengthened_word(unit))) return true;
    if (is_lengthened_word(each)) return true;
  }
  return false;
}

Result<std::string> new_password(const NewPassword& given) {
  const std::optional<std::string> form = opaque_string(given.text);
  if (!form)
    return refuse(given, "invalid_format", "must be of characters that can be typed again: no controls");
  if (characters(*form) < kLeastCharacters)
    return refuse(given, "too_short", fmt::format("must have at least {} characters", kLeastCharacters));
  if (is_common_password(*form) || is_about(*form, given.email))
    return refuse(given, "password_too_common",
                  "This password is among those that are tried first: take another one.");
  return *form;
}

std::vector<std::string> password_forms(std::string_view text) {
  std::vector<std::string> forms{opaque_string(text).value_or(std::string(text))};
  if (forms[0] != text) forms.emplace_back(text);
  return forms;
}

}  // namespace micropay
