// Events of other processes: handled once, and where each partition is goes on is written down in the same
// tick.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/runtime.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

struct ForeignEventTest : testing::Test {
  ManualClock clock;
  std::unique_ptr<Store> store = make_memory_store(contract::model());
  size_t handled = 0;
  std::unique_ptr<Engine> engine = make_engine();

  std::unique_ptr<Engine> make_engine() {
    Service service{"payment"};
    service.on([this](Context&, const AccountFrozen&) -> Result<void> {
      ++handled;
      return {};
    });
    std::vector<Service> all;
    all.push_back(std::move(service));
    auto made = std::make_unique<Engine>(EngineOptions{.seed = 1}, *store, clock, std::move(all));
    EXPECT_TRUE(made->open());
    return made;
  }
  void deliver(uint64_t position, uint32_t partition, uint64_t offset) {
    AccountFrozen frozen;
    frozen.set_account_id(derived_uuid("account"));
    engine->deliver(foreign_event(frozen, position, clock.now()), partition, offset);
    engine->settle();
  }
  std::pair<uint64_t, uint64_t> mark(const std::string& source) {
    const contract::Table& table = *contract::model().table_of<ConsumerRecord>();
    const Row row = store->get(table, *table.encode_key({source}));
    if (row == nullptr) return {};
    const auto& record = static_cast<const ConsumerRecord&>(*row);
    return {record.position(), record.offset()};
  }
};

TEST_F(ForeignEventTest, PositionAndOffsetAreKept) {
  deliver(7, 3, 42);
  deliver(9, 3, 43);
  deliver(8, 2, 5);
  EXPECT_EQ(mark("source:account/3"), std::pair(uint64_t(9), uint64_t(43)));
  EXPECT_EQ(mark("source:account/2"), std::pair(uint64_t(8), uint64_t(5)));
  EXPECT_EQ(handled, 3u);
}

TEST_F(ForeignEventTest, WhatNobodyHearsIsPassed) {
  deliver(7, 3, 42);
  engine->pass(foreign_event(AccountClosed(), 90, clock.now()), 3, 100);
  engine->settle();
  EXPECT_EQ(mark("source:account/3"), std::pair(uint64_t(90), uint64_t(100)));
  EXPECT_EQ(handled, 1u);
  EXPECT_EQ(store->end().next_position, 2u) << "it is not in this log";
}

TEST_F(ForeignEventTest, WhatComesAgainChangesNothing) {
  deliver(7, 3, 42);
  deliver(7, 3, 50);  // published twice
  deliver(6, 3, 51);
  EXPECT_EQ(mark("source:account/3"), std::pair(uint64_t(7), uint64_t(42)));
  EXPECT_EQ(handled, 1u);
}

}  // namespace
}  // namespace micropay
