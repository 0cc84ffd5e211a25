// A full disk stopped ticks of timers and of retries. The engine then read both anew from tables that could
// not be brought up to date either, got an error, and was left with none: until the next start no reservation
// expired and no delivery was tried again. What a failed tick took is put back from memory.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const std::string kAccount = derived_uuid("account");

// A store whose disk may be full, below the log and below the tables.
class FullStore final : public Store {
 public:
  bool full = false;
  bool away = false;  // a server that does not answer
  uint64_t refused = 0;

  Row get(const contract::Table& table, const std::string& key) const override {
    if (away) throw StoreUnavailable{fail(Code::kUnavailable, "storage_failed", "no answer").error()};
    return store_->get(table, key);
  }
  Result<Page> list(const ListQuery& query) const override {
    TRY(catch_up());
    return store_->list(query);
  }
  Result<void> commit(Tick& tick) override {
    if (full) ++refused;
    TRY(catch_up());
    return store_->commit(tick);
  }
  LogEnd end() const override { return store_->end(); }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    return store_->read_events(position, limit);
  }
  Result<void> scan(const contract::Table& table,
                    const std::function<bool(const Row&)>& each) const override {
    TRY(catch_up());
    return store_->scan(table, each);
  }
  Result<void> catch_up() const override {
    if (full) return fail(Code::kUnavailable, "storage_full", "no space left");
    return {};
  }

 private:
  std::unique_ptr<Store> store_ = make_memory_store(contract::model());
};

// A freeze sets a timer, and is delivered at the second attempt; both are seen as a payment that failed.
struct FullStoreTest : testing::Test {
  ManualClock clock;
  FullStore store;
  bool not_yet = true;
  std::unique_ptr<Engine> engine = make_engine();

  std::vector<Service> services() {
    Service service{"payment"};
    service.on([](Context& ctx, const AccountFrozen& event) -> Result<void> {
      PaymentExpiry expiry;
      expiry.set_payment_id(event.account_id());
      ctx.set_timer(event.account_id(), ctx.now() + kMinute, expiry);
      return {};
    });
    service.on_timer(
        [](Context& ctx, const PaymentExpiry& expiry) { return tell(ctx, expiry.payment_id()); });
    Service other{"account"};
    other.on([this](Context& ctx, const AccountFrozen&) -> Result<void> {
      if (std::exchange(not_yet, false)) return fail(Code::kUnavailable, "not_yet");
      AccountUnfrozen event;
      event.set_account_id(kAccount);
      ctx.emit(event);
      return {};
    });
    std::vector<Service> all;
    all.push_back(std::move(service));
    all.push_back(std::move(other));
    return all;
  }
  static Result<void> tell(Context& ctx, const std::string& id) {
    PaymentFailed event;
    event.set_payment_id(id);
    ctx.emit(event);
    return {};
  }
  std::unique_ptr<Engine> make_engine() {
    auto made = std::make_unique<Engine>(EngineOptions{.seed = 1}, store, clock, services());
    EXPECT_TRUE(made->open());
    return made;
  }
  void freeze() {
    AccountFrozen frozen;
    frozen.set_account_id(kAccount);
    engine->deliver(foreign_event(frozen, 1, clock.now()));
    engine->settle();
  }
  void pass(Duration duration) {
    clock.advance(duration);
    engine->settle();
  }
  size_t seen(std::string_view type) {
    size_t count = 0;
    const auto events = store.read_events(1, 1'000).value();
    for (const auto& event : events) count += event->type->type == type;
    return count;
  }
};

TEST_F(FullStoreTest, TimersAndRetriesComeWhenThereIsSpace) {
  freeze();
  const uint64_t before = store.end().tick;
  store.full = true;
  for (int i = 0; i < 5; ++i) pass(kMinute);
  EXPECT_EQ(store.end().tick, before);
  EXPECT_GE(store.refused, 5u);
  EXPECT_EQ(seen("payment.failed") + seen("account.unfrozen"), 0u);
  store.full = false;
  pass(kMinute);
  EXPECT_EQ(seen("payment.failed"), 1u);
  EXPECT_EQ(seen("account.unfrozen"), 1u);
  pass(kHour);
  EXPECT_EQ(seen("payment.failed") + seen("account.unfrozen"), 2u);
}

// What was delivered meanwhile is not lost, and nothing is decided without having read.
TEST_F(FullStoreTest, AStoreThatCannotBeReadIsWaitedFor) {
  const uint64_t before = store.end().tick;
  store.away = true;
  freeze();
  for (int i = 0; i < 5; ++i) pass(kSecond);
  EXPECT_EQ(store.end().tick, before);
  store.away = false;
  pass(kSecond);
  pass(kHour);
  EXPECT_EQ(seen("payment.failed"), 1u);
  EXPECT_EQ(seen("account.unfrozen"), 1u);
}

// Ticks and ids go on behind the log, also when the clock is an hour back by now.
TEST_F(FullStoreTest, AnEngineGoesOnBehindTheLog) {
  freeze();
  const LogEnd end = store.end();
  clock.advance(-kHour);
  engine = make_engine();
  pass(2 * kHour);
  const auto events = store.read_events(1, 1'000).value();
  EXPECT_GT(store.end().tick, end.tick);
  EXPECT_GE(store.end().time, end.time);
  for (size_t i = 2; i < events.size(); ++i)  // the first was made elsewhere
    EXPECT_LT(events[i - 1]->envelope.id(), events[i]->envelope.id());
}

}  // namespace
}  // namespace micropay
