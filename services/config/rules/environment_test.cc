// Which files count, and in which order.
#include "services/config/rules/environment.h"

#include <gtest/gtest.h>

#include "services/config/rules/changes.h"
#include "services/config/rules/placeholders.h"

namespace micropay::config {
namespace {

FileTree tree_of(std::initializer_list<std::pair<const std::string, std::string>> files) {
  return {.location = "x/", .version = "1", .files = files};
}

std::string names(const FileTree& tree, std::string_view applications, std::string_view profiles) {
  const auto made =
      make_environment(tree, {*split_checked(applications, ""), *split_checked(profiles, ""), ""});
  if (!made) return made.error().reason;
  std::string out;
  for (const PropertySource& source : made->sources) out += (out.empty() ? "" : " ") + source.name.substr(2);
  return out;
}

TEST(Environment, StrongestFirst) {
  const FileTree tree = tree_of({{"application.yml", "a: 1"},
                                 {"application-eu.yml", "a: 2"},
                                 {"application-live.yml", "a: 3"},
                                 {"payment.yml", "a: 4"},
                                 {"payment.properties", "a=5"},
                                 {"payment-eu.yaml", "a: 6"},
                                 {"payment-live.yml", "a: 7"},
                                 {"shared.yml", "a: 8"},
                                 {"other.yml", "a: 9"}});
  EXPECT_EQ(names(tree, "payment", "eu,live"),
            "payment-live.yml application-live.yml payment-eu.yaml application-eu.yml payment.properties "
            "payment.yml "
            "application.yml");
  EXPECT_EQ(names(tree, "payment", "default"), "payment.properties payment.yml application.yml");
  EXPECT_EQ(names(tree, "shared,payment", "eu"),
            "payment-eu.yaml application-eu.yml payment.properties payment.yml shared.yml application.yml");
  EXPECT_EQ(names(tree, "application", "eu"), "application-eu.yml application.yml");
  EXPECT_EQ(names(tree, "nobody", "x"), "application.yml");
}

TEST(Environment, DocumentsForProfiles) {
  const FileTree tree =
      tree_of({{"payment.yml", "a: 1\n---\nspring.config.activate.on-profile: eu\na: 2\n---\na: 3\n"}});
  EXPECT_EQ(names(tree, "payment", "eu"),
            "payment.yml (document #2) payment.yml (document #1) payment.yml (document #0)");
  EXPECT_EQ(names(tree, "payment", "us"), "payment.yml (document #2) payment.yml (document #0)");
}

TEST(Environment, RootsOfALabel) {
  FileTree tree =
      tree_of({{"payment.yml", "a: 1"}, {"test/payment.yml", "a: 2"}, {"n.conf", "x"}, {"test/n.conf", "y"}});
  tree.roots = {"test/", ""};
  EXPECT_EQ(names(tree, "payment", "eu"), "test/payment.yml payment.yml");
  EXPECT_EQ(*find_plain_file(tree, "n.conf", {}), "y");
}

TEST(Environment, AFileThatIsBrokenIsAnError) {
  EXPECT_EQ(names(tree_of({{"payment.yml", "a: ["}}), "payment", "eu"), "settings_malformed");
  EXPECT_EQ(names(tree_of({{"payment.yml", "a: ["}}), "balance", "eu"), "");
}

TEST(Environment, Names) {
  for (const char* good : {"a", "payment-service", "a,b", "A_1.b"})
    EXPECT_TRUE(split_checked(good, "")) << good;
  for (const char* bad : {"", ",", "a,", ".", "..", "a b", "a/b", "a\\b", "a\n", "\xc3\xa4", "a*"})
    EXPECT_FALSE(split_checked(bad, "")) << bad;
  EXPECT_FALSE(split_checked(std::string(101, 'a'), ""));
}

TEST(PlainFile, OfTheStrongestProfile) {
  const FileTree tree =
      tree_of({{"d/nginx.conf", "0"}, {"d/nginx-eu.conf", "1"}, {"d.x/run", "2"}, {"d.x/run-eu", "3"}});
  EXPECT_EQ(*find_plain_file(tree, "d/nginx.conf", {"eu", "live"}), "1");
  EXPECT_EQ(*find_plain_file(tree, "d/nginx.conf", {"live"}), "0");
  EXPECT_EQ(*find_plain_file(tree, "d.x/run", {"eu"}), "3");
  EXPECT_EQ(find_plain_file(tree, "d", {}), nullptr);
}

TEST(PlaceholdersTest, AreFilledIn) {
  const std::vector<Property> all = {{"a", {.text = "1"}},      {"b", {.text = "${a}2"}},
                                     {"c", {.text = "${d}"}},   {"d", {.text = "${c}"}},
                                     {"k-1", {.text = "deep"}}, {"host:x", {.text = "colon"}}};
  const Placeholders placeholders(all);
  const std::pair<const char*, const char*> cases[] = {
      {"x${a}y", "x1y"},      {"${b}", "12"},        {"${none}", "${none}"}, {"${none:other}", "other"},
      {"${none:}", ""},       {"${none:${a}}", "1"}, {"\\${a}", "${a}"},     {"${a", "${a"},
      {"${host:x}", "colon"}, {"$a {a}", "$a {a}"},  {"${}", "${}"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(placeholders.resolve(text), expected) << text;
  EXPECT_EQ(placeholders.resolve("${c}").substr(0, 2), "${");  // a circle ends
}

TEST(PlaceholdersTest, DoNotGrowWithoutBounds) {
  std::vector<Property> all = {{"a0", {.text = std::string(1'000, 'x')}}};
  for (int i = 1; i < 8; ++i) {
    std::string text;
    for (int j = 0; j < 50; ++j) text += fmt::format("${{a{}}}", i - 1);
    all.push_back({fmt::format("a{}", i), {.text = text}});
  }
  EXPECT_EQ(Placeholders(all).resolve("${a7}"), "${a7}");
}

std::vector<Change> changes(std::initializer_list<std::pair<const std::string, std::string>> before,
                            std::initializer_list<std::pair<const std::string, std::string>> after) {
  return changes_between(tree_of(before), tree_of(after));
}

TEST(Changes, NameTheApplications) {
  using All = std::vector<Change>;
  EXPECT_EQ(changes({{"a.yml", "1"}}, {{"a.yml", "1"}}), All{});
  EXPECT_EQ(changes({{"a.yml", "1"}}, {{"a.yml", "2"}}), (All{{"a", "*"}}));
  EXPECT_EQ(changes({{"a-eu.yml", "1"}}, {}), (All{{"a", "eu"}, {"a-eu", "*"}}));
  EXPECT_EQ(changes({}, {{"application-eu.properties", "1"}}), (All{{"*", "eu"}, {"application-eu", "*"}}));
  EXPECT_EQ(changes({{"a.yml", "1"}}, {{"a.yml", "2"}, {"application.yml", "x"}}), (All{{"*", "*"}}));
  EXPECT_EQ(changes({}, {{"d/nginx.conf", "1"}}), (All{{"*", "*"}}));
}

}  // namespace
}  // namespace micropay::config
