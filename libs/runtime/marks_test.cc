// What an answer says of the events behind it, and how another service waits for those.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "libs/runtime/watermarks.h"

namespace micropay {
namespace {

const std::string kPayer = derived_uuid("payer"), kPayee = derived_uuid("payee");

const contract::Service* service_named(const char* name) { return contract::model().service(name); }
uint32_t digest_of(const char* type) { return type_digest(contract::model().event(type)->type); }

// A payment is complete when its account is frozen, of all things: another service's event.
struct MarksTest : testing::Test {
  ManualClock clock;
  std::unique_ptr<Store> store = make_memory_store(contract::model());
  EngineOptions options{.wait_timeout = 10 * kSecond,
                        .seed = 1,
                        .shared_store = true,
                        .partition_of = [](std::string_view key) { return key == kPayer ? 2u : 7u; }};
  std::unique_ptr<Engine> engine = make_engine();
  std::string payment_id;
  std::optional<Answer> answered;

  std::unique_ptr<Engine> make_engine() {
    Service service{"payment"};
    service.command([this](Context& ctx, const CreatePaymentRequest&) -> Result<Payment> {
      Payment payment;
      payment.set_id(payment_id = ctx.new_id());
      ctx.table<Payment>().insert(payment);
      PaymentInitiated event;
      event.set_payment_id(payment.id());
      ctx.emit(event);
      return payment;
    });
    service.on([this](Context& ctx, const AccountFrozen&) -> Result<void> {
      PaymentCompleted completed;
      completed.set_payment_id(payment_id);
      ctx.emit(completed);
      return {};
    });
    std::vector<Service> all;
    all.push_back(std::move(service));
    auto made = std::make_unique<Engine>(options, *store, clock, std::move(all));
    EXPECT_TRUE(made->open());
    return made;
  }
  static Command command(const std::string& key = "k") {
    auto request = std::make_shared<CreatePaymentRequest>();
    request->set_payer_account_id(kPayer);
    request->set_payee_account_id(kPayee);
    request->mutable_amount()->set_currency("EUR");
    request->mutable_amount()->set_minor(100);
    return {.method = contract::model().method_of<CreatePaymentRequest>(),
            .request = request,
            .principal = user_principal("u1"),
            .correlation_id = "given",  // that of foreign_event()
            .idempotency_key = key};
  }
  void submit(Command command) {
    answered.reset();
    command.done = [this](Answer answer) { answered = std::move(answer); };
    engine->submit(std::move(command));
    engine->settle();
  }
  void freeze(uint64_t position, uint32_t partition = 2) {
    AccountFrozen frozen;
    frozen.set_account_id(kPayer);
    engine->deliver(foreign_event(frozen, position, clock.now()), partition, position);
    engine->settle();
  }
  static Marks frozen_at(uint64_t position) {
    return {{service_named("account"), 2, digest_of("account.frozen"), position}};
  }
};

TEST_F(MarksTest, AnAnswerNamesEveryEventThatLedToIt) {
  submit(command());
  ASSERT_FALSE(answered);
  freeze(40);
  ASSERT_TRUE(answered && answered->result);
  std::map<uint32_t, Mark> marks;
  for (const Mark& mark : answered->marks) marks[mark.type] = mark;
  ASSERT_EQ(marks.size(), 3u);
  EXPECT_EQ(marks[digest_of("payment.initiated")].position, 1u);
  EXPECT_EQ(marks[digest_of("payment.initiated")].service, service_named("payment"));
  EXPECT_EQ(marks[digest_of("payment.initiated")].partition, 7u);
  EXPECT_EQ(marks[digest_of("account.frozen")].position, 40u) << "in its own service's log";
  EXPECT_EQ(marks[digest_of("account.frozen")].partition, 2u);
  EXPECT_EQ(marks[digest_of("payment.completed")].position, 3u);
}

TEST_F(MarksTest, AnAnswerThatComesTooLateNamesWhatThereIs) {
  submit(command());
  clock.advance(11 * kSecond);
  engine->settle();
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->status, 202u);
  ASSERT_EQ(answered->marks.size(), 1u);
  EXPECT_EQ(answered->marks[0].type, digest_of("payment.initiated"));
}

TEST_F(MarksTest, WhoeverHasSeenAnEventWaitsUntilItIsHere) {
  Watermarks& watermarks = engine->watermarks();
  freeze(40);
  EXPECT_TRUE(watermarks.cover(frozen_at(40)));
  EXPECT_FALSE(watermarks.cover(frozen_at(41)));
  std::vector<bool> told;
  const auto go = [&](bool known) { told.push_back(known); };
  ASSERT_TRUE(watermarks.wait_for(frozen_at(41), clock.monotonic() + kSecond, go));
  watermarks.expire(clock.monotonic());
  freeze(41, 3);  // another partition
  EXPECT_TRUE(told.empty());
  freeze(42);
  EXPECT_EQ(told, std::vector{true});
  ASSERT_TRUE(watermarks.wait_for(frozen_at(42), clock.monotonic() + kSecond, go)) << "it is here";
  ASSERT_TRUE(watermarks.wait_for(frozen_at(50), clock.monotonic() + kSecond, go));
  watermarks.expire(clock.monotonic() + kSecond);
  EXPECT_EQ(told, (std::vector{true, true, false}));
  ASSERT_TRUE(watermarks.wait_for(frozen_at(51), clock.monotonic() + kSecond, go));
  watermarks.forget_waiting();
  freeze(60);
  EXPECT_EQ(told.size(), 3u);
}

TEST_F(MarksTest, WhoeverMissesARecordLooksAgainWhenMoreIsKnown) {
  Watermarks& watermarks = engine->watermarks();
  const uint64_t before = watermarks.told();
  int looked = 0;
  const auto look = [&] { ++looked; };
  ASSERT_TRUE(watermarks.wait_for_more(before, clock.monotonic() + kSecond, look));
  EXPECT_EQ(looked, 0);
  freeze(40);
  EXPECT_EQ(looked, 1);
  ASSERT_TRUE(watermarks.wait_for_more(before, clock.monotonic() + kSecond, look)) << "more is known already";
  EXPECT_EQ(looked, 2);
  ASSERT_TRUE(watermarks.wait_for_more(watermarks.told(), clock.monotonic() + kSecond, look));
  watermarks.expire(clock.monotonic() + kSecond);
  EXPECT_EQ(looked, 3) << "the last look";
  int waiting = 0;
  while (watermarks.wait_for_more(watermarks.told(), clock.monotonic() + kSecond, look)) ++waiting;
  EXPECT_EQ(waiting, 100);
  watermarks.forget_waiting();
  EXPECT_FALSE(watermarks.wait_for_more(0, clock.monotonic() + kSecond, look)) << "it is closed";
  EXPECT_EQ(looked, 3);
}

TEST_F(MarksTest, NobodyWaitsForWhatItDoesNotHearOrHasMadeItself) {
  const Watermarks& watermarks = engine->watermarks();
  EXPECT_TRUE(watermarks.cover({{service_named("account"), 2, digest_of("account.created"), 99}}));
  EXPECT_TRUE(watermarks.cover({{service_named("payment"), 2, digest_of("account.frozen"), 99}}));
  EXPECT_FALSE(watermarks.cover({{service_named("account"), 9, digest_of("account.frozen"), 1}}));
}

TEST_F(MarksTest, AStartKnowsWhatWasTakenInBefore) {
  freeze(40);
  engine = make_engine();
  EXPECT_TRUE(engine->watermarks().cover(frozen_at(40)));
}

TEST_F(MarksTest, AKeyWhoseFirstCommandWaitsAtAnotherInstanceIsInProgress) {
  submit(command());
  engine = make_engine();  // another one, over the same store
  submit(command());
  ASSERT_TRUE(answered && !answered->result);
  EXPECT_EQ(answered->result.error().reason, "idempotency_in_progress");
  Command again = command();
  again.repeated = true;  // its first attempt broke off: it is not another
  submit(std::move(again));
  ASSERT_TRUE(answered && answered->result);
  EXPECT_EQ(answered->status, 202u);
  clock.advance(13 * kSecond);  // whoever waited would have answered
  submit(command());
  ASSERT_TRUE(answered && answered->result);
  EXPECT_EQ(answered->status, 202u);
  EXPECT_TRUE(answered->replayed);
}

}  // namespace
}  // namespace micropay
