// Calls to the outside of which nobody knows what they did: the process ended, the answer was late or could
// not be kept, another instance made them. They are asked for, and not made again.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "libs/runtime/data_twin.h"

namespace micropay {
namespace {

using test::Data;
using test::list;
using test::paying;

// A provider that does what it is asked to, and counts how.
struct Outside final : Effect<ProviderCall, ProviderOutcome> {
  Outcome<ProviderOutcome>::Kind first = Outcome<ProviderOutcome>::Kind::kDone;
  int performed = 0, polled = 0;
  Outcome<ProviderOutcome> perform(const ProviderCall&, std::string_view) override {
    return {.kind = ++performed == 1 ? first : Outcome<ProviderOutcome>::Kind::kDone,
            .response = {},
            .error = {}};
  }
  Outcome<ProviderOutcome> poll(const ProviderCall&, std::string_view) override { return ++polled, done(); }
  static Outcome<ProviderOutcome> done() { return {}; }
};

bool outcome_fails = false;
Result<void> on_outcome(Context&, const ProviderCall&, const Outcome<ProviderOutcome>&) {
  if (outcome_fails) return fail(Code::kInternal, "broken", "on purpose");
  return {};
}

std::vector<Service> calling(const std::shared_ptr<Outside>& outside) {
  Service account{"account"};
  account.effect<ProviderCall, ProviderOutcome>(outside, on_outcome);
  account.on([](Context& ctx, const PaymentCompleted&) -> Result<void> {
    return ctx.perform(ProviderCall()), Result<void>{};
  });
  return list(paying(), std::move(account));
}

// What the first process's call did, nobody knows, whether it was made or not.
TEST(Effects, UnderWayWhenTheProcessEndsAreAskedForAndNotMadeAgain) {
  for (const bool made : {false, true}) {
    auto outside = std::make_shared<Outside>();
    Data data;
    data.start(calling(outside));
    data.pay();
    ASSERT_EQ(data.jobs.size(), 1u);
    if (made) data.jobs[0]();
    data.start(calling(outside));
    data.settle();
    EXPECT_EQ(outside->performed, made ? 1 : 0);
    EXPECT_EQ(outside->polled, 1);
    EXPECT_TRUE(data.rows<EffectRecord>().empty());
  }
}

TEST(Effects, OfADeadLetterAreAskedForFirst) {
  auto outside = std::make_shared<Outside>();
  Data data;
  Engine& engine = data.start(calling(outside));
  outcome_fails = true;
  data.pay();
  data.settle();
  const auto letters = data.rows<DeadLetter>();
  ASSERT_EQ(letters.size(), 1u) << "the provider did it, and our handler did not take it";
  EXPECT_EQ(outside->performed, 1);
  outcome_fails = false;
  RedriveDeadLetterRequest redrive;
  redrive.set_id(letters[0].id());
  engine.submit({.method = contract::model().method_of<RedriveDeadLetterRequest>(),
                 .request = std::make_shared<RedriveDeadLetterRequest>(redrive),
                 .principal = system_principal(),
                 .done = [](const Answer& answer) { EXPECT_TRUE(answer.result); }});
  data.settle();
  EXPECT_EQ(outside->performed, 1);
  EXPECT_EQ(outside->polled, 1);
  EXPECT_TRUE(data.rows<EffectRecord>().empty());
}

// After the machine has started again its monotonic time is a small one; a call that waited to be repeated is
// not put off until it has grown.
TEST(Effects, ThatWaitedAreAskedForAtOnceByTheNextProcess) {
  auto outside = std::make_shared<Outside>();
  outside->first = Outcome<ProviderOutcome>::Kind::kRetry;
  Data data;
  data.start(calling(outside));
  data.pay();
  data.jobs[0]();
  data.engine().step();
  EXPECT_EQ(data.rows<EffectRecord>().at(0).attempts(), 1u);
  data.kill();
  data.clock = std::make_unique<ManualClock>(kSecond);
  data.start(calling(outside));
  data.settle();
  EXPECT_EQ(outside->performed, 1);
  EXPECT_EQ(outside->polled, 1);
}

TEST(Effects, WithoutAnAnswerInTimeAreAskedFor) {
  auto outside = std::make_shared<Outside>();
  Data data;
  data.start(calling(outside));
  data.pay();
  const auto late = std::exchange(data.jobs, {});
  data.clock->advance(kMinute);
  data.settle();
  EXPECT_EQ(outside->performed, 0);
  EXPECT_EQ(outside->polled, 1);
  late[0]();  // it arrived after all; what it says changes nothing
  data.settle();
  EXPECT_TRUE(data.rows<EffectRecord>().empty());
}

// A store that can be full, and whose ticks another instance gets as news.
class OtherStore final : public Store {
 public:
  explicit OtherStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)) {}
  Result<void> commit(Tick& tick) override {
    if (full) return fail(Code::kUnavailable, "storage_full", "no space left");
    const auto copy = std::make_shared<const Tick>(tick);
    TRY(inner_->commit(tick));
    if (other != nullptr) other->news_.push_back(copy);
    return {};
  }
  LogEnd end() const override { return inner_->end(); }
  Row get(const contract::Table& table, const std::string& key) const override {
    return inner_->get(table, key);
  }
  Result<Page> list(const ListQuery& query) const override { return inner_->list(query); }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    return inner_->read_events(position, limit);
  }
  Result<void> scan(const contract::Table& table,
                    const std::function<bool(const Row&)>& each) const override {
    return inner_->scan(table, each);
  }
  Result<void> catch_up() const override { return inner_->catch_up(); }
  std::vector<std::shared_ptr<const Tick>> news() override { return std::exchange(news_, {}); }

  bool full = false;
  OtherStore* other = nullptr;

 private:
  std::shared_ptr<Store> inner_;
  std::vector<std::shared_ptr<const Tick>> news_;
};

TEST(Effects, WhoseOutcomeCouldNotBeKeptAreAskedFor) {
  auto outside = std::make_shared<Outside>();
  Data data;
  auto store = std::make_shared<OtherStore>(data.store);
  data.store = store;
  data.start(calling(outside));
  data.pay();
  store->full = true;
  for (auto& job : std::exchange(data.jobs, {})) job();
  data.engine().step();
  EXPECT_EQ(outside->performed, 1);
  store->full = false;
  data.clock->advance(kSecond);
  data.settle();
  EXPECT_EQ(outside->performed, 1);
  EXPECT_TRUE(data.rows<EffectRecord>().empty());
}

TEST(Effects, OfAnInstanceThatIsGoneAreAskedForByAnother) {
  auto outside = std::make_shared<Outside>();
  Data one, other;
  auto store = std::make_shared<OtherStore>(one.store), view = std::make_shared<OtherStore>(one.store);
  store->other = view.get(), view->other = store.get();
  one.store = store, other.store = view;
  one.shared = other.shared = true;
  one.start(calling(outside));
  other.start(calling(outside));
  one.pay();
  for (auto& job : std::exchange(one.jobs, {})) job();  // the provider did it, and nobody heard
  one.kill();
  other.engine().step();
  EXPECT_TRUE(other.jobs.empty()) << "whoever asked is expected to see to it";
  other.clock->advance(kMinute);
  other.settle();
  EXPECT_EQ(outside->performed, 1);
  EXPECT_EQ(outside->polled, 1);
  EXPECT_TRUE(other.rows<EffectRecord>().empty());
}

}  // namespace
}  // namespace micropay
