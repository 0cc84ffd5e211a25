// The wired platform: it comes up, is reached over its control socket, drains, and refuses to start where it
// cannot.
#include "app/platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "app/call.h"
#include "app/data_folder.h"
#include "contracts/user.pb.h"

namespace micropay::app {
namespace {

using testing::HasSubstr;

class PlatformTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Platform>> make(const std::string& listen = "127.0.0.1:0") {
    settings_ = std::make_unique<Settings>();
    settings_->give("data", data(), "--data");
    settings_->give("gateway.listen", listen, "--listen");
    settings_->give("ops.listen", "127.0.0.1:0", "--ops");
    settings_->give("log.level", "error", "--set");
    auto platform = Platform::make(*settings_, {});
    EXPECT_TRUE(settings_->finish());
    return platform;
  }
  std::string data() const { return folder_.path() + "/data"; }

  CreateAdminRequest admin(const std::string& email) {
    CreateAdminRequest request;
    request.set_email(email);
    request.set_password("a long password");
    return request;
  }
  Result<std::string> call(const google::protobuf::Message& request) {
    Settings settings;
    return run_call(data(), settings, request);
  }

  ScratchFolder folder_ = ScratchFolder::make().value();
  std::unique_ptr<Settings> settings_;
};

TEST_F(PlatformTest, RunsIsAskedAndDrains) {
  auto platform = make().value();
  EXPECT_EQ(platform->state(), Platform::State::kNew);
  const auto started = platform->start();
  ASSERT_TRUE(started) << started.error().detail;
  EXPECT_EQ(platform->state(), Platform::State::kRunning);
  EXPECT_THAT(platform->address(), HasSubstr("127.0.0.1:"));
  const auto made = call(admin("root@example.org"));
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_THAT(*made, HasSubstr("\"roles\":[\"ADMIN\"]"));
  EXPECT_THAT(*made, testing::Not(HasSubstr("password")));

  ControlRequest stats;
  stats.set_command("stats");
  EXPECT_THAT(ControlClient::connect(data())->ask(stats)->answer(), HasSubstr("\"ticks\":"));
  ControlRequest nonsense;
  nonsense.set_command("nonsense");
  EXPECT_EQ(ControlClient::connect(data())->ask(nonsense).error().reason, "unknown_command");

  platform->drain();
  EXPECT_EQ(platform->state(), Platform::State::kStopped);
  EXPECT_FALSE(ControlClient::connect(data()));
}

// The same command by way of a running platform and in this process: one code path, one answer.
TEST_F(PlatformTest, ACommandWorksWithAndWithoutAPlatform) {
  ASSERT_TRUE(call(admin("first@example.org")));  // nobody runs; the folder is made
  auto platform = make().value();
  ASSERT_TRUE(platform->start());
  ASSERT_TRUE(call(admin("second@example.org")));
  EXPECT_EQ(call(admin("first@example.org")).error().reason, "email_taken");
  platform->drain();
  platform.reset();
  EXPECT_EQ(call(admin("second@example.org")).error().reason, "email_taken");
  CreateAdminRequest weak = admin("third@example.org");
  weak.set_password("short");
  EXPECT_EQ(call(weak).error().field, "password");
}

TEST_F(PlatformTest, BacksUpWhileItRuns) {
  auto platform = make().value();
  ASSERT_TRUE(platform->start());
  ASSERT_TRUE(call(admin("root@example.org")));
  Settings settings;
  const std::string to = folder_.path() + "/backup";
  double done = 0;
  const auto backed = run_backup(data(), settings, to, [&](double part) { done = part; });
  ASSERT_TRUE(backed) << backed.error().detail;
  EXPECT_TRUE(std::filesystem::exists(to + "/keys.json"));
  EXPECT_TRUE(require_data_folder(to));
  EXPECT_EQ(run_backup(data(), settings, to, [](double) {}).error().reason, "target_not_empty");
}

TEST_F(PlatformTest, RefusesAFolderThatIsInUse) {
  auto first = make().value();
  ASSERT_TRUE(first->start());
  auto second = make().value();
  const auto started = second->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().reason, "data_in_use");
}

TEST_F(PlatformTest, AStartThatFailsHalfWayLeavesNothingBehind) {
  auto platform = make("256.0.0.1:99999").value();
  ASSERT_FALSE(platform->start());
  platform.reset();
  auto again = make().value();
  EXPECT_TRUE(again->start());
}

}  // namespace
}  // namespace micropay::app
