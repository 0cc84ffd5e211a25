// Text by Unicode's own rules: what a character is to an eye, one form of what looks the same, secrets and
// host names as their standards compare them, and a form that is safe on a terminal. ICU's tables stand
// behind it; what they do not know yet counts as unassigned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace micropay {

// What a character is in a line of text.
enum class Glyph : uint8_t {
  kVisible,    // has ink of its own
  kBlank,      // takes room, shows nothing
  kMark,       // stands on the character before it
  kJoiner,     // U+200C, U+200D: shapes its neighbours
  kSelector,   // picks a form of the character before it: emoji, ideographs, Mongolian letters
  kBreak,      // ends a line or jumps within it: \n, \t, U+2028 and the like
  kControl,    // C0 and C1 but those
  kDirection,  // turns the direction of others
  kNothing,    // takes no room, or shows nothing of its own: U+200B, U+FEFF, soft hyphens, tags
  kNoText,     // unassigned, private, surrogates, noncharacters
};
Glyph glyph_of(char32_t character);

// The character at a place, which moves behind it; nothing where the bytes are no UTF-8 (the place moves by
// one).
std::optional<char32_t> next_character(std::string_view text, size_t& at);
bool is_utf8(std::string_view text);
std::optional<std::u32string> characters_of(std::string_view text);  // nothing when it is no UTF-8
std::string to_utf8(std::u32string_view characters);
// 0 to 9 of every script's digits, circled ones and the like; -1: it is none.
int digit_of(char32_t character);

// Normalisation form C; nothing when it is no UTF-8. The time can grow with the square of a run of marks:
// bound the text before.
std::optional<std::string> nfc(std::string_view text);

// A joiner or selector has its place where scripts and emoji use it: after a virama, between joining letters,
// in an emoji of several; a selector behind what has forms. Elsewhere it only hides. `at`: of the character.
bool fits_its_place(std::u32string_view text, size_t at);

// RFC 8265, OpaqueString: the form in which passwords are hashed and compared. Other blanks become U+0020,
// the rest is NFC. Nothing when it is empty, has characters that the profile refuses (controls, invisible
// ones), or more than 4096 bytes.
std::optional<std::string> opaque_string(std::string_view text);

// UTS 46, nontransitional: "exämple.org" is "xn--exmple-cua.org", in lower case. Nothing when it is no host
// name.
std::optional<std::string> idna_to_ascii(std::string_view domain);

// For terminals and logs: one line, in which all but visible characters, plain blanks and marks that stand on
// something is an escape: \n, \t, \x9b (a byte that is no UTF-8), \u{200b}.
std::string printable(std::string_view text);
std::string printable_lines(std::string_view text);             // the same, but \n stays
void append_json_escape(std::string& out, char32_t character);  // \u00e9; a pair beyond U+FFFF
// Of a JSON document, with JSON's own escapes: the same value, and its lines stay lines.
std::string printable_json(std::string_view json);

}  // namespace micropay
