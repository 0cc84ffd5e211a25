// Files of settings become flat keys as Spring's readers make them.
#include "services/config/rules/document.h"

#include <gtest/gtest.h>

#include "services/config/rules/profiles.h"
#include "services/config/rules/properties_file.h"

namespace micropay::config {
namespace {

using Kind = PropertyValue::Kind;

// "key=value" lines; a number is followed by " #", a bool by " ?".
std::string flat(std::string_view path, std::string_view content) {
  const auto documents = read_documents(path, content);
  if (!documents) return documents.error().reason;
  std::string out;
  for (const Document& document : *documents) {
    if (&document != &documents->front()) out += "---\n";
    if (!document.on_profile.empty()) out += "on " + document.on_profile + "\n";
    for (const Property& one : document.properties) {
      out += one.key + "=" + one.value.text;
      out += one.value.kind == Kind::kNumber ? " #\n" : one.value.kind == Kind::kBool ? " ?\n" : "\n";
    }
  }
  return out;
}

TEST(YamlDocuments, AreFlattened) {
  EXPECT_EQ(flat("a.yml", "a:\n  b: x\n  c: 3\nd: [p, {q: true}]\n"),
            "a.b=x\na.c=3 #\nd[0]=p\nd[1].q=true ?\n");
  EXPECT_EQ(flat("a.yml", "a: ~\nb:\nc: []\nd: ''\n"), "a=\nb=\nc=\nd=\n");
  EXPECT_EQ(flat("a.yml", "a: \"3\"\nb: 1.50\nc: 010\nd: on\ne: False\nf: 1e3\n"),
            "a=3\nb=1.50 #\nc=010\nd=on\ne=false ?\nf=1e3 #\n");
  EXPECT_EQ(flat("a.yml", "a: 7400171007376915968217281\nb: 1e999\n"),
            "a=7400171007376915968217281\nb=1e999\n");
  EXPECT_EQ(flat("a.yml", "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n"),
            "base.x=1 #\nbase.y=2 #\nuse.y=3 #\nuse.x=1 #\n");
  EXPECT_EQ(flat("a.yml", "list:\n  '[a.b]': 1\n"), "list[a.b]=1 #\n");
  EXPECT_EQ(flat("a.yml", ""), "");
}

TEST(YamlDocuments, SeveralAndForProfiles) {
  EXPECT_EQ(flat("a.yml", "a: 1\n---\nspring.config.activate.on-profile: eu\na: 2\n"),
            "a=1 #\n---\non eu\na=2 #\n");
  EXPECT_EQ(flat("a.yml", "%YAML 1.2\n---\na: 1\n...\n--- # next\nb: |\n  x\n   ---\n"),
            "a=1 #\n---\nb=x\n ---\n\n");
  EXPECT_EQ(read_documents("a.yml", "a: 1\n---\nb: 2\nc: [").error().detail.substr(0, 8), "a.yml:4:");
  EXPECT_EQ(flat("a.yaml", "spring:\n  profiles: [x, y]\na: 2\n"), "on x,y\na=2 #\n");
}

TEST(YamlDocuments, RefusesWhatIsNoSettings) {
  const char* bad[] = {"a: b: c", "- a", "a: 1\na: 2", "? [x]\n: 1", "a: &x [*x]", "[", "\"", "a: \xff"};
  for (const char* text : bad) EXPECT_EQ(flat("a.yml", text), "settings_malformed") << text;
  std::string deep(2'000, '[');
  EXPECT_EQ(flat("a.yml", "a: " + deep), "settings_malformed");
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i)
    laughs +=
        fmt::format("a{0}: &a{0} [*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1}]\n", i, i - 1);
  EXPECT_EQ(flat("a.yml", laughs), "settings_malformed");
  EXPECT_EQ(flat("a.yml", std::string(kMaxFileBytes + 1, ' ')), "settings_malformed");
  EXPECT_EQ(flat("a.yml", "a: &a {x: 1, <<: [*a, *a, *a]}"), "settings_malformed");
  EXPECT_EQ(flat("a.yml", "a: &a {x: 1, <<: *a}"), "settings_malformed");
  EXPECT_EQ(flat("a.yml", "a: {<<: [1]}"), "settings_malformed");
  EXPECT_EQ(flat("a.yml", "a: \"\\_\""), "settings_malformed");
  EXPECT_EQ(flat("a.yml", ",d\n{\"a\": 1}"), "settings_malformed");  // yaml-cpp makes endless documents of it
  EXPECT_EQ(flat("a.yml", "{a: 1}\n{b: 2}"), "settings_malformed");
  EXPECT_EQ(flat("a.yml", std::string(1'001, 'k') + ": [1, 2]"), "settings_malformed");
}

TEST(PropertiesDocuments, FollowJavasRules) {
  EXPECT_EQ(
      flat("a.properties", "a=1\nb : two words\nc\\ d=e\n# no\n ! no\n\nf=\\u00e4\\t\ng=x\\\n   y\nh\n"),
      "a=1\nb=two words\nc d=e\nf=\xc3\xa4\t\ng=xy\nh=\n");
  EXPECT_EQ(flat("a.properties", "a=1\r\na=2\r\n"), "a=2\n");
  EXPECT_EQ(flat("a.properties", "a=\\ud83d\\ude00\n"), "a=\xf0\x9f\x98\x80\n");
  EXPECT_EQ(flat("a.properties", "a=1\n#---\nspring.config.activate.on-profile=eu\na=2\n"),
            "a=1\n---\non eu\na=2\n");
  EXPECT_EQ(flat("a.properties", "a=c:\\\\x\\\\\nb=1"), "a=c:\\x\\\nb=1\n");
  for (const char* bad : {"a=\\u12", "a=\\uzzzz", "a=\\ud83d"})
    EXPECT_EQ(flat("a.properties", bad), "settings_malformed") << bad;
}

TEST(PropertiesDocuments, AreReadAsTheyWereWritten) {
  const std::vector<Property> all = {
      {"a b:c", {.text = " x\n\ty\\"}}, {"#k", {.text = "=:#!"}}, {"u", {.text = "\xc3\xa4"}}};
  const auto again = read_properties("a.properties", write_properties(all));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->front().properties, all);
}

TEST(Profiles, Expressions) {
  const std::vector<std::string> profiles = {"eu", "live"};
  for (const char* holds : {"eu", "x,live", "eu & live", "!x", "(x | eu) & !y", "!(x & eu)", "x | eu & live"})
    EXPECT_TRUE(matches(holds, profiles)) << holds;
  for (const char* not_so : {"", "x", "!eu", "eu & x", "eu &", "(eu", "eu)", "eu live", "eu,,x,!", "& eu"})
    EXPECT_EQ(matches(not_so, profiles), std::string_view(not_so).starts_with("eu,")) << not_so;
  EXPECT_FALSE(matches(std::string(100'000, '('), profiles));
}

}  // namespace
}  // namespace micropay::config
