// A whole platform in a folder: the demo data is made once, the folder verifies, and planted faults are
// found.
#include "app/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/call.h"
#include "app/data_folder.h"
#include "app/demo.h"
#include "app/instance.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"

namespace micropay::app {
namespace {

using testing::HasSubstr;

// Made once and copied for every test: hashing six passwords takes longer than everything else.
class VerifyTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder(ScratchFolder::make().value());
    Settings settings;
    auto instance = Instance::make(settings, {.data = scratch_->path() + "/demo"}).value();
    const auto opened = instance->open();
    ASSERT_TRUE(opened) << opened.error().detail;
    instance->engine().start();
    const auto first = seed_demo(instance->engine());
    ASSERT_TRUE(first) << first.error().reason << " " << first.error().detail << " " << first.error().field;
    EXPECT_EQ(*first, Demo::kSeeded);
    const auto again = seed_demo(instance->engine());
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, Demo::kPresent);
    instance->engine().drain(10 * kSecond);
    instance.reset();
  }
  static void TearDownTestSuite() { delete scratch_; }

  void SetUp() override {
    folder_ = scratch_->path() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_TRUE(copy_data_folder(scratch_->path() + "/demo", folder_));
  }

  VerifyReport verify() {
    Progress progress("Verifying");
    auto report = verify_folder({.data = folder_}, progress);
    EXPECT_TRUE(report) << report.error().reason << ": " << report.error().detail;
    return report ? *report : VerifyReport{};
  }

  static const Check* failed(const VerifyReport& report) {
    for (const Check& check : report.checks)
      if (!check.ok) return &check;
    return nullptr;
  }

  // Commits a tick with this row, as a faulty service would.
  void commit(const google::protobuf::Message& row) {
    const auto projector = all_projections();
    auto store = EmbeddedStore::open({.folder = folder_}, contract::model(), projector.get()).value();
    const contract::Table& table = *contract::model().table(row.GetDescriptor());
    std::shared_ptr<google::protobuf::Message> copy(row.New());
    copy->CopyFrom(row);
    const LogEnd end = store->end();
    ASSERT_TRUE(store->commit({.number = end.tick + 1,
                               .first_position = end.next_position,
                               .time = 1,
                               .changes = {{.table = &table, .key = table.key_of(row), .row = copy}}}));
    ASSERT_TRUE(store->catch_up());
  }

  template <typename T>
  std::vector<T> rows() {
    const auto projector = all_projections();
    auto store =
        EmbeddedStore::open({.folder = folder_, .read_only = true}, contract::model(), projector.get())
            .value();
    std::vector<T> found;
    EXPECT_TRUE(store->scan(*contract::model().table_of<T>(), [&](const Row& row) {
      found.push_back(static_cast<const T&>(*row));
      return true;
    }));
    return found;
  }

  static inline ScratchFolder* scratch_ = nullptr;
  std::string folder_;
};

TEST_F(VerifyTest, DemoHoldsEveryInvariantAndShowsEveryKindOfPayment) {
  const VerifyReport report = verify();
  EXPECT_TRUE(report.ok()) << report.text();
  EXPECT_GT(report.checks.size(), 5u);
  for (const char* word : {"log is whole", "tables equal the log", "All "})
    EXPECT_THAT(report.text(), HasSubstr(word));
  EXPECT_THAT(report.json(), HasSubstr("{\"ok\":true,"));
  std::map<Payment::Status, int> payments;
  for (const Payment& payment : rows<Payment>()) ++payments[payment.status()];
  EXPECT_GE(payments[Payment::COMPLETED], 25);
  EXPECT_EQ(payments[Payment::FAILED], 1);
  EXPECT_EQ(payments[Payment::IN_REVIEW], 1);
  EXPECT_EQ(payments[Payment::REFUNDED], 1);
}

TEST_F(VerifyTest, MoneyFromNowhereIsFound) {
  Balance balance = rows<Balance>().at(0);
  balance.set_posted_minor(balance.posted_minor() + 1);
  commit(balance);
  const VerifyReport report = verify();
  ASSERT_NE(failed(report), nullptr);
  EXPECT_THAT(report.text(), HasSubstr("FAILED"));
  EXPECT_THAT(report.json(), HasSubstr("{\"ok\":false,"));
}

TEST_F(VerifyTest, AFlippedByteOfTheLogIsFound) {
  const std::string segment = std::filesystem::directory_iterator(folder_ + "/log")->path();
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(4096 + 200);  // in the payload of an early tick
  const char byte = char(file.get());
  file.seekp(4096 + 200);
  file.put(char(byte ^ 1));
  file.close();
  const VerifyReport report = verify();
  const Check* check = failed(report);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->name, "log is whole");
}

TEST_F(VerifyTest, ATableThatWasEditedByHandIsFound) {
  const std::string command =
      fmt::format("sqlite3 {}/state.db \"UPDATE payment_payment SET description = 'edited'\"", folder_);
  ASSERT_EQ(std::system(command.c_str()), 0);
  const VerifyReport report = verify();
  const Check* check = failed(report);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->name, "tables equal the log");
  EXPECT_THAT(check->problem, HasSubstr("payment_payment"));
}

TEST_F(VerifyTest, APlatformWithUsersOfItsOwnGetsNoDemoData) {
  Settings settings;
  auto instance = Instance::make(settings, {.data = folder_ + "-other"}).value();
  ASSERT_TRUE(instance->open());
  instance->engine().start();
  ASSERT_TRUE(call_engine(instance->engine(), "CreateUser",
                          R"({"email":"eve@example.org","password":"not-a-demo-user","displayName":"Eve"})"));
  const auto demo = seed_demo(instance->engine());
  ASSERT_TRUE(demo);
  EXPECT_EQ(*demo, Demo::kForeign);
  instance->engine().drain(kSecond);
}

}  // namespace
}  // namespace micropay::app
