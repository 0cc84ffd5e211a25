// Settings: which source wins, and that every mistake is reported, at once and by name.
#include "libs/base/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace micropay {
namespace {

using testing::HasSubstr;
using testing::Not;

// A file of this test's own, gone with it.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, std::string_view content)
      : path_(std::filesystem::temp_directory_path() / (std::to_string(::getpid()) + "_" + name)) {
    std::ofstream(path_) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(Settings, TheStrongestSourceWins) {
  const TemporaryFile file("rank.yaml", "a:\n  file: 2\n  environment: 2\n  flag: 2\n");
  const char* environment[] = {"MICROPAY_A_ENVIRONMENT=3", "MICROPAY_A_FLAG=3", "HOME=/", "MICROPAY_TEST_X=1",
                               nullptr};
  Settings settings;
  ASSERT_TRUE(settings.load_file(file.path()));
  settings.load_environment(environment);
  ASSERT_TRUE(settings.set("a.flag=9"));
  ASSERT_TRUE(settings.set("a.flag=4"));
  EXPECT_EQ(settings.integer("a.nothing", 1, 0, 10, "none given"), 1);
  EXPECT_EQ(settings.integer("a.file", 1, 0, 10, "in the file"), 2);
  EXPECT_EQ(settings.integer("a.environment", 1, 0, 10, "above the file"), 3);
  EXPECT_EQ(settings.integer("a.flag", 1, 0, 10, "above all"), 4);
  EXPECT_TRUE(settings.finish());
  std::vector<std::string> sources;
  for (const SettingInfo& info : settings.declared()) sources.push_back(info.source);
  EXPECT_THAT(sources,
              testing::ElementsAre("default", file.path() + ":2", "MICROPAY_A_ENVIRONMENT", "--set"));
}

TEST(Settings, ReadsEveryType) {
  Settings settings;
  settings.give("x.duration", "250ms", "--x");
  settings.give("x.off", "false", "--x");
  settings.give("x.on", "on", "--x");
  settings.give("x.text", "a=b", "--x");
  settings.give("x.choice", "shadow", "--x");
  EXPECT_EQ(settings.duration("x.duration", kMinute, "how long"), 250 * kMillisecond);
  EXPECT_FALSE(settings.flag("x.off", true, "whether"));
  EXPECT_TRUE(settings.flag("x.on", false, "whether"));
  EXPECT_EQ(settings.text("x.text", "", "what"), "a=b");
  EXPECT_EQ(settings.choice("x.choice", "enforce", {"enforce", "shadow", "off"}, "which"), "shadow");
  EXPECT_TRUE(settings.finish());
}

TEST(Settings, ABadValueYieldsTheDefaultAndAllAreReported) {
  Settings settings;
  settings.give("x.duration", "15", "--set");
  settings.give("x.integer", "11", "--set");
  settings.give("x.word", "1x", "--set");
  settings.give("x.flag", "yes", "--set");
  settings.give("x.choice", "none", "--set");
  EXPECT_EQ(settings.duration("x.duration", kMinute, ""), kMinute);
  EXPECT_EQ(settings.integer("x.integer", 5, 0, 10, ""), 5);
  EXPECT_EQ(settings.integer("x.word", 5, 0, 10, ""), 5);
  EXPECT_TRUE(settings.flag("x.flag", true, ""));
  EXPECT_EQ(settings.choice("x.choice", "on", {"on", "off"}, ""), "on");
  const auto result = settings.finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, "invalid_setting");
  for (const char* key :
       {"x.duration", "x.integer", "x.word", "x.flag", "x.choice", "from 0 to 10", "one of on, off"})
    EXPECT_THAT(result.error().detail, HasSubstr(key));
}

TEST(Settings, AnUnknownKeyNamesTheNearest) {
  const TemporaryFile file("unknown.yaml", "payment:\n  reservation_tl: 15m\n");
  const char* environment[] = {"MICROPAY_FRAUD_MOD=off", nullptr};
  Settings settings;
  ASSERT_TRUE(settings.load_file(file.path()));
  settings.load_environment(environment);
  ASSERT_TRUE(settings.set("rate_limits=off"));
  settings.duration("payment.reservation_ttl", kMinute, "");
  settings.choice("fraud.mode", "enforce", {"enforce", "off"}, "");
  settings.flag("gateway.rate_limits", true, "");
  const auto result = settings.finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, "unknown_setting");
  EXPECT_THAT(result.error().detail,
              HasSubstr(":2: payment.reservation_tl is no setting; the nearest is payment.reservation_ttl"));
  EXPECT_THAT(result.error().detail,
              HasSubstr("MICROPAY_FRAUD_MOD is no setting; the nearest is MICROPAY_FRAUD_MODE"));
  EXPECT_THAT(result.error().detail,
              HasSubstr("--set: rate_limits is no setting; the nearest is gateway.rate_limits"));
}

TEST(Settings, SecretsAreMaskedAndMayComeFromAFile) {
  const TemporaryFile file("secret", "hunter2\n");
  Settings settings;
  settings.give("mail.password", "swordfish", "--set");
  settings.give("provider.key_file", file.path(), "--set");
  EXPECT_EQ(settings.secret("mail.password", "of the mail server"), "swordfish");
  EXPECT_EQ(settings.secret("provider.key", "of the provider"), "hunter2");
  EXPECT_EQ(settings.secret("provider.other", "not given"), "");
  EXPECT_TRUE(settings.finish());
  EXPECT_THAT(settings.print(), Not(HasSubstr("swordfish")));
  EXPECT_THAT(settings.print(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(settings.print(), HasSubstr("***"));
}

TEST(Settings, ASecretGivenTwiceOrWithoutItsFileIsReported) {
  Settings settings;
  settings.give("a.key", "swordfish", "--set");
  settings.give("a.key_file", "/nowhere", "--set");
  settings.give("b.key_file", "/nowhere", "--set");
  settings.secret("a.key", "");
  settings.secret("b.key", "");
  const auto result = settings.finish();
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().detail, HasSubstr("a.key_file (--set) are both given"));
  EXPECT_THAT(result.error().detail, HasSubstr("b.key_file = \"/nowhere\" cannot be read"));
  EXPECT_THAT(result.error().detail, Not(HasSubstr("swordfish")));
}

TEST(Settings, FilesThatCannotBeReadSayWhereAndWhy) {
  const TemporaryFile malformed("malformed.yaml", "a: 1\nb: [1\n");
  const TemporaryFile list("list.yaml", "- a\n");
  for (const std::string& path : {std::string("/nowhere.yaml"), malformed.path(), list.path()}) {
    const auto result = Settings().load_file(path);
    ASSERT_FALSE(result) << path;
    EXPECT_EQ(result.error().reason, "config_unreadable");
    EXPECT_THAT(result.error().detail, HasSubstr(path));
  }
  const TemporaryFile twice("twice.yaml", "a:\n  b: 1\na:\n  b: 2\n");
  Settings settings;
  ASSERT_TRUE(settings.load_file(twice.path()));
  settings.integer("a.b", 0, 0, 9, "");
  EXPECT_FALSE(settings.finish());
  const TemporaryFile empty("empty.yaml", "# nothing\npayment:\n");
  EXPECT_TRUE(Settings().load_file(empty.path()));
}

// A section that was an alias of itself ended the process by recursion; a few lines of aliases could unfold
// to more values than memory holds. Seen while fuzz/settings.cc was written.
TEST(Settings, AliasesThatNeverEndAreRefused) {
  std::string laughs = "a0: &a0 {x: 1}\n";
  for (int i = 1; i <= 7; ++i) {
    laughs += fmt::format("a{}: &a{} {{", i, i);
    for (int j = 0; j < 10; ++j) laughs += fmt::format("{}k{}: *a{}", j == 0 ? "" : ", ", j, i - 1);
    laughs += "}\n";
  }
  for (const std::string& yaml : {std::string("a: &a\n  b: *a\n"), laughs}) {
    Settings settings;
    const auto loaded = settings.load_text(yaml, "config.yaml");
    ASSERT_FALSE(loaded) << yaml;
    EXPECT_EQ(loaded.error().reason, "config_unreadable");
  }
}

TEST(Settings, ListsBecomeCommas) {
  const TemporaryFile file("list.yaml", "cors:\n  origins: [a, b]\n");
  Settings settings;
  ASSERT_TRUE(settings.load_file(file.path()));
  EXPECT_EQ(settings.text("cors.origins", "", ""), "a,b");
}

TEST(Settings, AnAssignmentNeedsAKeyAndAnEquals) {
  Settings settings;
  EXPECT_FALSE(settings.set("fraud.mode"));
  EXPECT_FALSE(settings.set("=x"));
  EXPECT_TRUE(settings.set("a.b="));
}

TEST(SettingsDeathTest, ASettingHasOneReader) {
  Settings settings;
  settings.flag("a.b", true, "");
  EXPECT_DEATH(settings.flag("a.b", true, ""), "declared in two places");
}

TEST(Settings, TheConfigServerIsTheWeakest) {
  Settings settings;
  settings.give_remote({{"a.remote", "2"}, {"a.file", "2"}, {"a.bad", "x"}, {"spring.profile", "x"}},
                       "http://c");
  ASSERT_TRUE(settings.load_text("a: {file: 3}", "f.yaml"));
  EXPECT_EQ(settings.integer("a.remote", 1, 0, 10, "from there"), 2);
  EXPECT_EQ(settings.integer("a.file", 1, 0, 10, "the file is stronger"), 3);
  EXPECT_EQ(settings.integer("a.bad", 1, 0, 10, "not allowed"), 1);
  EXPECT_TRUE(settings.finish());  // neither the unknown nor the bad one keeps a process from starting
  EXPECT_THAT(settings.refused(), testing::ElementsAre("a.bad"));
  EXPECT_THAT(settings.unknown_remote(), testing::ElementsAre("spring.profile"));
  EXPECT_EQ(settings.declared().front().source, "http://c");
}

TEST(Settings, LiveOnesTakeNewValues) {
  Settings settings;
  settings.give_remote({{"a.live", "2"}, {"a.file", "2"}}, "http://c");
  ASSERT_TRUE(settings.load_text("a: {file: 3}", "f.yaml"));
  int64_t live = settings.integer("a.live", 1, 0, 10, "live");
  (void)settings.integer("a.file", 1, 0, 10, "live, but the file is stronger");
  (void)settings.integer("a.fixed", 1, 0, 10, "read at start only");
  (void)settings.text("a.picky", "ok", "its reader looks closer");
  (void)settings.secret("a.secret", "one that is live");
  std::string secret;
  settings.live("a.live", [&](const std::string& value) { return live = std::stoll(value), true; });
  settings.live("a.file", [&](const std::string&) { return ADD_FAILURE(), true; });
  settings.live("a.picky", [](const std::string& value) { return value == "ok"; });
  settings.live("a.secret", [&](const std::string& value) { return secret = value, true; });
  EXPECT_TRUE(settings.finish());
  auto taken = settings.take_over(
      {{"a.live", "7"}, {"a.file", "8"}, {"a.fixed", "9"}, {"a.picky", "no"}, {"a.secret", "s"}, {"x", "y"}},
      "http://c");
  EXPECT_EQ(live, 7);
  EXPECT_EQ(secret, "s");
  EXPECT_THAT(taken.applied, testing::UnorderedElementsAre("a.live", "a.secret"));
  EXPECT_THAT(taken.needs_restart, testing::ElementsAre("a.fixed"));
  EXPECT_THAT(taken.refused, testing::ElementsAre("a.picky"));
  EXPECT_THAT(settings.print(), testing::Not(HasSubstr(" s ")));
  taken = settings.take_over({{"a.live", "70"}}, "http://c");
  EXPECT_EQ(live, 7);
  EXPECT_THAT(taken.refused, testing::ElementsAre("a.live"));
  EXPECT_TRUE(taken.needs_restart.empty());
  taken = settings.take_over({}, "http://c");
  EXPECT_EQ(live, 1);  // back to the default
  EXPECT_THAT(taken.applied, testing::ElementsAre("a.live"));
}

}  // namespace
}  // namespace micropay
