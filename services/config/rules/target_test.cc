// Paths and forms of answers.
#include "services/config/rules/target.h"

#include <gtest/gtest.h>

#include "services/config/rules/render.h"

namespace micropay::config {
namespace {

constexpr const char* kForms[] = {"env", "yaml", "properties", "json", "plain"};

std::string read(std::string_view path, bool default_label = false) {
  const auto target = read_target(path, default_label);
  if (!target) return target.error().reason;
  return fmt::format("{} {} {} {} {}", kForms[size_t(target->form)], target->name,
                     fmt::join(target->request.profiles, ","), target->request.label, target->path);
}

TEST(Target, Paths) {
  const std::pair<const char*, const char*> cases[] = {
      {"/payment/eu", "env payment eu  "},
      {"/payment/eu,live/main", "env payment eu,live main "},
      {"/payment/eu/feature(_)x", "env payment eu feature/x "},
      {"/payment/eu/feature%28_%29x", "env payment eu feature/x "},
      {"/payment-eu.yml", "yaml payment eu  "},
      {"/my-payment-eu.yaml", "yaml my-payment eu  "},
      {"/main/payment-eu,live.properties", "properties payment eu,live main "},
      {"/v1.0/payment-eu.json", "json payment eu v1.0 "},
      {"/payment/eu/main/nginx.conf", "plain payment eu main nginx.conf"},
      {"/payment/eu/main/a/b/c.txt", "plain payment eu main a/b/c.txt"},
      {"/payment/eu.json", "env payment eu.json  "},
      {"/payment", "route_not_found"},
      {"/payment.yml", "route_not_found"},
      {"/", "invalid_path"},
      {"/payment/", "invalid_path"},
      {"/payment//x", "invalid_path"},
      {"/payment/eu/main/../x", "invalid_path"},
      {"/payment/eu/main/%2e%2e/x", "invalid_path"},
      {"/payment/eu/main/a%2fb", "invalid_path"},
      {"/payment/eu/main/a%5cb", "invalid_path"},
      {"/payment/eu/main/a%00b", "invalid_path"},
      {"/pay%20ment/eu", "invalid_name"},
      {"/payment/eu/--upload-pack=x", "invalid_label"},
      {"/payment/eu/(_)x", "invalid_label"},
      {"/payment/eu/a(_)..(_)b", "invalid_label"},
      {"/-x/payment-eu.yml", "invalid_label"},
  };
  for (const auto& [path, expected] : cases) EXPECT_EQ(read(path), expected) << path;
  EXPECT_EQ(read("/payment/eu/a/b.txt", true), "plain payment eu  a/b.txt");
}

TEST(Target, Labels) {
  for (const char* good : {"main", "feature/x-1", "v1.2.3", "0123abc", "a#1", "x+y"})
    EXPECT_TRUE(is_label(good)) << good;
  for (const char* bad :
       {"",   "-x",  "--x",   "/x",        "x/",   "a..b", "a//b", ".x", "a/.b", "x.", "a b", "a~1",
        "a^", "a:b", "a@{1}", "HEAD.lock", "a\nb", "a\\b", "a*",   "a?", "a[",   "$x", "`x`"})
    EXPECT_FALSE(is_label(bad)) << bad;
  EXPECT_FALSE(is_label(std::string(201, 'a')));
}

PropertyValue number(const char* text) { return {PropertyValue::Kind::kNumber, text}; }

TEST(Render, Nested) {
  const std::vector<Property> all = {
      {"a.b", number("1")},        {"a.c", {.text = "x: y"}},
      {"l[0]", {.text = "p"}},     {"l[1].q", {.text = "on"}},
      {"a.b.c", {.text = "flat"}}, {"m[1]", {.text = "gap"}},
      {"x..y", {.text = ""}},      {"t", {PropertyValue::Kind::kBool, "true"}}};
  EXPECT_EQ(
      nested_json(all),
      R"({"a":{"b":1,"c":"x: y"},"l":["p",{"q":"on"}],"a.b.c":"flat","m":{"[1]":"gap"},"x..y":"","t":true})");
  EXPECT_EQ(nested_yaml(all),
            "a:\n  b: 1\n  c: \"x: y\"\nl:\n  - p\n  -\n    q: \"on\"\na.b.c: flat\nm:\n  \"[1]\": "
            "gap\nx..y: \"\"\n"
            "t: true\n");
  EXPECT_EQ(nested_json({}), "{}");
  EXPECT_EQ(nested_yaml({}), "{}\n");
}

TEST(Render, EnvironmentAsSpringReadsIt) {
  Environment environment{.request = {.applications = {"payment"}, .profiles = {"eu", "live"}},
                          .version = "abc",
                          .sources = {{"x/payment.yml", {{"a.b", number("1")}, {"c", {.text = "\"q\""}}}}}};
  EXPECT_EQ(environment_json(environment, "payment"),
            R"({"name":"payment","profiles":["eu","live"],"label":null,"version":"abc","state":null,)"
            R"("propertySources":[{"name":"x/payment.yml","source":{"a.b":1,"c":"\"q\""}}]})");
}

TEST(Merged, ListsAreTakenWhole) {
  const std::vector<PropertySource> sources = {
      {"1", {{"l[0]", {.text = "a"}}, {"x", {.text = "1"}}}},
      {"2", {{"l[0]", {.text = "b"}}, {"l[1]", {.text = "c"}}, {"x", {}}, {"y", {}}}}};
  std::string keys;
  for (const Property& one : merged(sources)) keys += one.key + "=" + one.value.text + " ";
  EXPECT_EQ(keys, "l[0]=a x=1 y= ");
}

}  // namespace
}  // namespace micropay::config
