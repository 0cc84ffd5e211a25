// What is seen of a text, and the forms in which secrets and host names are compared.
#include "libs/base/unicode.h"

#include <gtest/gtest.h>

namespace micropay {
namespace {

TEST(Unicode, KnowsWhatAnEyeSees) {
  const std::pair<char32_t, Glyph> cases[] = {
      {U'a', Glyph::kVisible},
      {U'\u00df', Glyph::kVisible},
      {U'\u0645', Glyph::kVisible},
      {U'\u05d3', Glyph::kVisible},
      {U'\U0001f642', Glyph::kVisible},
      {U'\u0600', Glyph::kVisible},
      {U' ', Glyph::kBlank},
      {U'\u00a0', Glyph::kBlank},
      {U'\u3000', Glyph::kBlank},
      {U'\u2800', Glyph::kBlank},
      {U'\u0301', Glyph::kMark},
      {U'\u20dd', Glyph::kMark},
      {U'\u200d', Glyph::kJoiner},
      {U'\u200c', Glyph::kJoiner},
      {U'\ufe0f', Glyph::kSelector},
      {U'\n', Glyph::kBreak},
      {U'\r', Glyph::kBreak},
      {0x85, Glyph::kBreak},
      {U'\u2028', Glyph::kBreak},
      {0x1b, Glyph::kControl},
      {0x7f, Glyph::kControl},
      {0x9b, Glyph::kControl},
      {0, Glyph::kControl},
      {U'\u202e', Glyph::kDirection},
      {U'\u200f', Glyph::kDirection},
      {U'\u061c', Glyph::kDirection},
      {U'\u200b', Glyph::kNothing},
      {U'\ufeff', Glyph::kNothing},
      {U'\u00ad', Glyph::kNothing},
      {U'\u3164', Glyph::kNothing},
      {U'\ufffc', Glyph::kNothing},
      {0xe0041, Glyph::kNothing},
      {0xe000, Glyph::kNoText},
      {0xfffe, Glyph::kNoText},
      {0x378, Glyph::kNoText},
      {0xd800, Glyph::kNoText},
  };
  for (const auto& [character, glyph] : cases)
    EXPECT_EQ(glyph_of(character), glyph) << std::hex << uint32_t(character);
}

TEST(Unicode, ReadsUtf8Strictly) {
  EXPECT_TRUE(is_utf8("a\xc3\xa9\xf0\x9f\x99\x82"));
  for (const char* wrong : {"\xc3", "\xa9", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xff"})
    EXPECT_FALSE(is_utf8(wrong));
  EXPECT_FALSE(nfc("\xc3"));
}

TEST(Unicode, ComposesWhatLooksTheSame) {
  EXPECT_EQ(nfc("n\u0303"), "\u00f1");
  EXPECT_EQ(nfc("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(nfc("\u212b"), "\u00c5");
  EXPECT_EQ(nfc(""), "");
}

TEST(Unicode, JoinersAndSelectorsHaveTheirPlace) {
  const std::pair<std::u32string_view, bool> cases[] = {
      {U"\U0001f469\u200d\U0001f4bb", true},                  // woman, joiner, laptop
      {U"\U0001f469\U0001f3fd\u200d\U0001f4bb", true},        // with a tone of skin
      {U"\u2764\ufe0f\u200d\U0001f525", true},                // heart as an emoji, on fire
      {U"\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", true},  // Ali-Reza in Persian
      {U"\u0915\u094d\u200d\u0937", true},                    // after a virama
      {U"\u845b\U000e0100", true},                            // a form of an ideograph
      {U"a\u200db", false},
      {U"a\u200cb", false},
      {U"\u200d\U0001f4bb", false},
      {U"\U0001f469\u200d", false},
      {U"a\ufe0f", false},
      {U"\ufe0f", false},
      {U"a\U000e0100", false},
  };
  for (const auto& [text, fits] : cases) {
    bool all = true;
    for (size_t at = 0; at < text.size(); ++at) all = all && fits_its_place(text, at);
    EXPECT_EQ(all, fits) << uint32_t(text[0]) << " of " << text.size();
  }
}

// The examples of RFC 8265, section 4.3, and its refusals.
TEST(Unicode, ComparesSecretsAsPrecisSays) {
  EXPECT_EQ(opaque_string("correct horse battery staple"), "correct horse battery staple");
  EXPECT_EQ(opaque_string("Correct Horse Battery Staple"), "Correct Horse Battery Staple");
  EXPECT_EQ(opaque_string("\u03c0\u00df\u00e5"), "\u03c0\u00df\u00e5");
  EXPECT_EQ(opaque_string("Jack of \u2666s"), "Jack of \u2666s");
  EXPECT_EQ(opaque_string("foo\u1680bar"), "foo bar");
  EXPECT_EQ(opaque_string("man\u0303ana"), opaque_string("ma\u00f1ana"));
  EXPECT_EQ(opaque_string("l\u00b7l \u05d3\u05f3 \u30ab\u30fb \u0661\u0662"),
            "l\u00b7l \u05d3\u05f3 \u30ab\u30fb \u0661\u0662");
  for (const char* refused : {"", "my cat is a \t by", "a\x1b", "a\u200b", "a\u202e", "a\u00b7",
                              "\u0661\u06f1", "\ue000", "\xff", "a\u0640", "\u30fb", "a\u200d"})
    EXPECT_FALSE(opaque_string(refused)) << refused;
  EXPECT_TRUE(opaque_string(std::string(4096, 'x')));
  EXPECT_FALSE(opaque_string(std::string(4097, 'x')));
}

TEST(Unicode, HostNamesAreAscii) {
  EXPECT_EQ(idna_to_ascii("ex\u00e4mple.org"), "xn--exmple-cua.org");
  EXPECT_EQ(idna_to_ascii("EXAMPLE.org"), "example.org");
  EXPECT_EQ(idna_to_ascii("fa\u00df.de"), "xn--fa-hia.de");
  EXPECT_EQ(idna_to_ascii("xn--exmple-cua.org"), "xn--exmple-cua.org");
  EXPECT_EQ(idna_to_ascii("\u30c9\u30e1\u30a4\u30f3\uff0e\u30c6\u30b9\u30c8"), "xn--eckwd4c7c.xn--zckzah");
  for (const char* wrong :
       {"", "a..b", "-a.org", "a b.org", "a_b.org", "xn--zzzzzz.org", "\xff.org", "a\u202e.org"})
    EXPECT_FALSE(idna_to_ascii(wrong)) << wrong;
  EXPECT_FALSE(idna_to_ascii(std::string(64, 'a') + ".org"));
}

TEST(Unicode, TerminalsAreShownEscapes) {
  EXPECT_EQ(printable("J\u00f6rg \U0001f642 \u05d3\u05d5\u05d3"), "J\u00f6rg \U0001f642 \u05d3\u05d5\u05d3");
  EXPECT_EQ(printable("a\x1b[31m\n\t\r"), "a\\u{1b}[31m\\n\\t\\r");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "2J"),
            "a\\u{9b}2J");
  EXPECT_EQ(printable("a\x9b\xff"), "a\\x9b\\xff");
  EXPECT_EQ(printable("a\u202eb\u200bc"), "a\\u{202e}b\\u{200b}c");
  EXPECT_EQ(printable("\u0301a\u0301"), "\\u{301}a\u0301");
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable_json("{\n \"a\": \"\u00e9\u202e\xc2\x9b\xff\U000e0041\"}"),
            "{\n \"a\": \"\u00e9\\u202e\\u009b\\ufffd\\udb40\\udc41\"}");
}

TEST(Unicode, ReadsDigitsOfEveryScript) {
  EXPECT_EQ(digit_of('7'), 7);
  EXPECT_EQ(digit_of(U'\uff17'), 7);
  EXPECT_EQ(digit_of(U'\u0667'), 7);
  EXPECT_EQ(digit_of(U'\u2466'), 7);
  EXPECT_EQ(digit_of(U'\u00bd'), -1) << "a half";
  EXPECT_EQ(digit_of('a'), -1);
}

}  // namespace
}  // namespace micropay
