// Processes that end at their first times: between the first event and its follower, between the first call
// to the outside and its answer. What was committed before is followed, asked for and retried by the next
// one, once.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/fraud.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/handlers.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const std::string kPayer = derived_uuid("payer");

// Data, and the processes that come and go over it. A process does what it is told to: nothing by itself.
class Data {
 public:
  Engine& start(std::vector<Service> services) {
    kill();
    EngineOptions options{.seed = ++starts_};
    options.run_elsewhere = [this](std::function<void()> job) { jobs.push_back(std::move(job)); };
    engine_ = std::make_unique<Engine>(options, *store, clock, std::move(services));
    EXPECT_TRUE(engine_->open());
    return *engine_;
  }
  void kill() {
    engine_.reset();
    jobs.clear();
  }
  // Answered, and that is all: what follows is left for later ticks.
  void pay() {
    CreatePaymentRequest request;
    request.set_payer_account_id(kPayer);
    bool answered = false;
    Command command{.method = contract::model().method_of<CreatePaymentRequest>(),
                    .request = std::make_shared<CreatePaymentRequest>(request),
                    .principal = system_principal()};
    command.done = [&](const Answer& answer) { answered = answer.result.has_value(); };
    engine_->submit(std::move(command));
    engine_->step();
    EXPECT_TRUE(answered);
  }
  void settle() {
    do {
      engine_->settle();
      for (auto& job : std::exchange(jobs, {})) job();
      clock.advance(kSecond);
    } while (engine_->step() || !jobs.empty());
  }
  template <typename T>
  std::vector<T> rows() {
    std::vector<T> rows;
    EXPECT_TRUE(store->scan(*contract::model().table_of<T>(), [&](const Row& row) {
      rows.push_back(static_cast<const T&>(*row));
      return true;
    }));
    return rows;
  }

  ManualClock clock;
  std::unique_ptr<Store> store = make_memory_store(contract::model());
  std::vector<std::function<void()>> jobs;

 private:
  uint64_t starts_ = 0;
  std::unique_ptr<Engine> engine_;
};

Service paying() {
  Service service{"payment"};
  service.command([](Context& ctx, const CreatePaymentRequest&) -> Result<Payment> {
    Payment payment;
    payment.set_id(ctx.new_id());
    payment.set_status(Payment::COMPLETED);
    ctx.table<Payment>().insert(payment);
    PaymentCompleted completed;
    completed.set_payment_id(payment.id());
    ctx.emit(completed);
    return payment;
  });
  return service;
}

Service following(int& seen) {
  Service service{"notification"};
  service.follow(
      [&seen](Context&, const PaymentCompleted&) -> Result<void> { return ++seen, Result<void>{}; });
  return service;
}

std::vector<Service> list(auto... services) {
  std::vector<Service> all;
  (all.push_back(std::move(services)), ...);
  return all;
}

TEST(FirstStart, TheFirstEventOfANewFolderIsFollowedAfterAKill) {
  int seen = 0;
  Data data;
  data.start(list(paying(), following(seen)));
  data.pay();
  data.kill();
  EXPECT_EQ(seen, 0);
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1);
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1);
}

TEST(FirstStart, AFollowerThatIsNewToAFolderHearsEverythingFromThenOn) {
  int seen = 0;
  Data data;
  data.start(list(paying()));
  data.pay();
  data.start(list(paying(), following(seen)));
  data.pay();
  data.kill();
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1) << "not what was before its time, and all since";
}

TEST(FirstStart, AFollowerThatWasHereGetsWhatWasCommittedWithoutIt) {
  int seen = 0;
  Data data;
  data.start(list(paying(), following(seen)));
  data.start(list(paying()));  // nothing has happened yet, but it was here
  data.pay();
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1);
}

TEST(FirstStart, TheRecordSaysHowManyWereFollowedSinceWhen) {
  int seen = 0;
  Data data;
  data.start(list(paying(), following(seen)));
  ASSERT_EQ(data.rows<ConsumerRecord>().size(), 1u) << "before anything was committed";
  EXPECT_EQ(data.rows<ConsumerRecord>()[0].position(), 1u);
  for (int i = 0; i < 3; ++i) data.pay();
  data.settle();
  const ConsumerRecord record = data.rows<ConsumerRecord>()[0];
  EXPECT_EQ(record.began(), 1u);
  EXPECT_EQ(record.followed(), 3u);
  EXPECT_EQ(record.position(), 4u);
  // It follows something else, too: another count, from where it is.
  Service more = following(seen);
  more.follow([](Context&, const PaymentFailed&) -> Result<void> { return {}; });
  data.start(list(paying(), std::move(more)));
  const ConsumerRecord anew = data.rows<ConsumerRecord>()[0];
  EXPECT_EQ(anew.began(), 4u);
  EXPECT_EQ(anew.followed(), 0u);
  EXPECT_NE(anew.follows(), record.follows());
}

Service seeding(int& seeded) {
  Service service{"fraud"};
  service.seed([&seeded](Context& ctx) -> Result<void> {
    FraudPolicy policy;
    policy.set_id("seeded");
    ctx.table<FraudPolicy>().insert(policy);
    return ++seeded, Result<void>{};
  });
  return service;
}

TEST(FirstStart, SeedsRunOnceAlsoInAFolderThatIsOlderThanTheirService) {
  int seeded = 0;
  Data data;
  data.start(list(paying()));
  data.pay();
  for (int i = 0; i < 3; ++i) data.start(list(paying(), seeding(seeded)));
  EXPECT_EQ(seeded, 1);
}

TEST(FirstStart, AServiceHasOneHandlerOfAnEvent) {
  int seen = 0;
  Service twice = following(seen);
  twice.on([](Context&, const PaymentCompleted&) -> Result<void> { return {}; });
  EXPECT_DEATH(Handlers(list(std::move(twice))), "one handler of an event");
}

TEST(Deliveries, OfAServiceThatIsNotHereWaitForIt) {
  int seen = 0;
  bool broken = true;
  const auto services = [&] {
    Service service{"notification"};
    service.follow([&](Context&, const PaymentCompleted&) -> Result<void> {
      if (broken) return fail(Code::kUnavailable, "not_yet");
      return ++seen, Result<void>{};
    });
    return list(paying(), std::move(service));
  };
  Data data;
  data.start(services());
  data.pay();
  data.settle();
  ASSERT_EQ(data.rows<DeliveryRecord>().size(), 1u);
  data.start(list(paying()));
  data.settle();
  EXPECT_EQ(data.rows<DeliveryRecord>().size(), 1u) << "nobody here could take it";
  broken = false;
  data.start(services());
  data.clock.advance(kMinute);
  data.settle();
  EXPECT_EQ(seen, 1);
  EXPECT_TRUE(data.rows<DeliveryRecord>().empty());
}

// A provider that does what it is asked to, and counts how.
struct Outside final : Effect<ProviderCall, ProviderOutcome> {
  int performed = 0, polled = 0;
  Outcome<ProviderOutcome> perform(const ProviderCall&, std::string_view) override {
    return ++performed, done();
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

}  // namespace
}  // namespace micropay
