// The engine with small services made up here over the contracts that are there: what a tick keeps, undoes,
// retries, waits for, and remembers.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/effects.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const std::string kPayer = derived_uuid("payer"), kPayee = derived_uuid("payee");

CreatePaymentRequest request(int64_t minor = 100) {
  CreatePaymentRequest request;
  request.set_payer_account_id(kPayer);
  request.set_payee_account_id(kPayee);
  request.mutable_amount()->set_currency("EUR");
  request.mutable_amount()->set_minor(minor);
  return request;
}

// A payment is inserted and initiated; amounts select what then happens.
Result<Payment> create(Context& ctx, const CreatePaymentRequest& request) {
  Payment payment;
  payment.set_id(ctx.new_id());
  *payment.mutable_amount() = request.amount();
  ctx.table<Payment>().insert(payment);
  PaymentInitiated event;
  event.set_payment_id(payment.id());
  *event.mutable_amount() = request.amount();
  ctx.emit(event);
  if (request.amount().minor() == 13) return fail(Code::kFailedPrecondition, "unlucky");
  if (request.amount().minor() == 14) {
    ctx.keep_changes();
    return fail(Code::kFailedPrecondition, "counted");
  }
  if (request.amount().minor() == 15) throw std::runtime_error("boom");
  return payment;
}

Result<void> complete(Context& ctx, const PaymentInitiated& event) {
  Payment& payment = ctx.table<Payment>().edit(event.payment_id());
  if (event.amount().minor() == 402) {
    payment.set_status(Payment::FAILED);
    payment.set_failure_reason("insufficient_funds");
    PaymentFailed failed;
    failed.set_payment_id(event.payment_id());
    ctx.emit(failed);
    return {};
  }
  if (event.amount().minor() == 500) {  // held
    PaymentHeld held;
    held.set_payment_id(event.payment_id());
    ctx.emit(held);
    return {};
  }
  if (event.amount().minor() == 600) return {};  // nothing more happens
  payment.set_status(Payment::COMPLETED);
  PaymentCompleted completed;
  completed.set_payment_id(event.payment_id());
  ctx.emit(completed);
  return {};
}

std::vector<Service> services(const std::function<void(Service&)>& more = {}) {
  Service service{"payment"};
  service.command(create);
  service.on(complete);
  if (more) more(service);
  std::vector<Service> list;
  list.push_back(std::move(service));
  return list;
}

TEST(Engine, AWholeSagaIsOneTick) {
  World world(services());
  const auto payment = world.call<Payment>(request());
  ASSERT_TRUE(payment);
  EXPECT_EQ(payment->status(), Payment::COMPLETED);
  EXPECT_EQ(world.events(), (Types{"payment.initiated", "payment.completed"}));
  EXPECT_EQ(world.store().end().tick, 1u);
  EXPECT_EQ(world.find<Payment>(payment->id())->status(), Payment::COMPLETED);
}

TEST(Engine, EventsCarryCausationAndOneCorrelation) {
  World world(services());
  ASSERT_TRUE(world.call<Payment>(request(), user_principal("u1")));
  const auto& initiated = world.history()[0]->envelope;
  const auto& completed = world.history()[1]->envelope;
  EXPECT_EQ(initiated.actor(), "u1");
  EXPECT_EQ(completed.actor(), "u1");
  EXPECT_EQ(initiated.correlation_id(), completed.correlation_id());
  EXPECT_EQ(completed.causation_id(), initiated.id());
  EXPECT_EQ(initiated.position() + 1, completed.position());
  EXPECT_LT(initiated.id(), completed.id());
}

TEST(Engine, ARejectedCommandLeavesNothing) {
  World world(services());
  for (const int64_t minor : {13, 15}) {
    const auto answer = world.call<Payment>(request(minor));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().reason, minor == 13 ? "unlucky" : "handler_threw");
  }
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(world.store().end().tick, 0u);
}

TEST(Engine, ARejectedCommandMayKeepItsChanges) {
  World world(services());
  EXPECT_EQ(world.call<Payment>(request(14)).error().reason, "counted");
  EXPECT_EQ(world.events(), (Types{"payment.initiated", "payment.completed"}));
}

TEST(Engine, AFailedPaymentIs402WithItsId) {
  World world(services());
  const auto answer = world.call<Payment>(request(402));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kPaymentRequired);
  EXPECT_EQ(answer.error().reason, "insufficient_funds");
  ASSERT_EQ(answer.error().extensions.size(), 1u);
  EXPECT_EQ(answer.error().extensions[0].first, "paymentId");
}

TEST(Engine, APauseAndATimeoutAnswer202) {
  World world(services());
  EXPECT_EQ(world.call_answer(request(500)).status, 202u);
  EXPECT_EQ(world.call_answer(request(600)).status, 202u);
  EXPECT_EQ(world.call_answer(request(100)).status, 201u);
}

TEST(Idempotency, TheFirstAnswerComesAgain) {
  World world(services());
  const auto first = world.call_answer(request(), user_principal("u1"), "k1");
  const auto again = world.call_answer(request(), user_principal("u1"), "k1");
  ASSERT_TRUE(first.result && again.result);
  EXPECT_FALSE(first.replayed);
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.status, 201u);
  EXPECT_EQ((*first.result)->SerializeAsString(), (*again.result)->SerializeAsString());
  EXPECT_EQ(world.all<PaymentInitiated>().size(), 1u);
  EXPECT_EQ(world.call_answer(request(101), user_principal("u1"), "k1").result.error().reason,
            "idempotency_key_reused");
  EXPECT_TRUE(world.call_answer(request(101), user_principal("u2"), "k1")
                  .result);  // another caller's key is another key
}

TEST(Idempotency, AFailedPaymentIsAnsweredTheSameAgain) {
  World world(services());
  const auto first = world.call_answer(request(402), user_principal("u1"), "k1");
  const auto again = world.call_answer(request(402), user_principal("u1"), "k1");
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.result.error().reason, "insufficient_funds");
  EXPECT_EQ(again.result.error().extensions, first.result.error().extensions);
}

TEST(Idempotency, ARejectionIsNotRemembered) {
  World world(services());
  EXPECT_FALSE(world.call<Payment>(request(13), user_principal("u1"), "k1"));
  EXPECT_TRUE(world.call<Payment>(request(100), user_principal("u1"), "k1"));
}

TEST(Deliveries, AnEventFromOutsideActsOnce) {
  int seen = 0;
  World world(services([&](Service& service) {
    service.on([&](Context&, const AccountFrozen&) -> Result<void> { return ++seen, Result<void>{}; });
  }));
  AccountFrozen frozen;
  frozen.set_account_id(kPayer);
  world.given(frozen);
  EXPECT_EQ(seen, 1);
}

TEST(Deliveries, AFailingHandlerIsRetriedInOrderOfItsKey) {
  int failures = 2;
  std::vector<std::string> seen;
  World world(services([&](Service& service) {
    service.on([&](Context&, const AccountFrozen& event) -> Result<void> {
      if (event.reason() == "first" && failures-- > 0) return fail(Code::kUnavailable, "not_yet");
      seen.push_back(event.reason());
      return {};
    });
  }));
  AccountFrozen frozen;
  frozen.set_account_id(kPayer);
  for (const char* reason : {"first", "second"}) frozen.set_reason(reason), world.given(frozen);
  frozen.set_account_id(kPayee), frozen.set_reason("other key"), world.given(frozen);
  EXPECT_EQ(seen, (std::vector<std::string>{"other key"}));
  world.advance(5 * kSecond);
  EXPECT_EQ(seen, (std::vector<std::string>{"other key", "first", "second"}));
}

TEST(Deliveries, WhatFailsForGoodIsADeadLetterThatCanBeRedriven) {
  bool broken = true;
  int handled = 0;
  World world(services([&](Service& service) {
    service.on([&](Context&, const AccountFrozen&) -> Result<void> {
      if (broken) return fail(Code::kInternal, "broken", "on purpose");
      return ++handled, Result<void>{};
    });
  }));
  AccountFrozen frozen;
  frozen.set_account_id(kPayer);
  world.given(frozen);
  world.given(frozen);
  world.advance(kHour);
  const auto letters = world.query<ListDeadLettersResponse>(ListDeadLettersRequest());
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->dead_letters_size(), 2);
  EXPECT_EQ(letters->dead_letters(0).reason(), "broken");
  EXPECT_EQ(letters->dead_letters(0).type(), "account.frozen");
  broken = false;
  RedriveDeadLetterRequest redrive;
  redrive.set_id(letters->dead_letters(0).id());
  const auto redriven = world.call<DeadLetter>(redrive);
  ASSERT_TRUE(redriven);
  EXPECT_EQ(redriven->status(), DeadLetter::REDRIVEN);
  world.settle();
  EXPECT_EQ(handled, 1);
}

TEST(Timers, FireOnceWhenTheyAreDue) {
  int fired = 0;
  World world(services([&](Service& service) {
    service.on([&](Context& ctx, const AccountFrozen& event) -> Result<void> {
      PaymentExpiry expiry;
      ctx.set_timer(event.account_id(), ctx.now() + kMinute, expiry);
      if (event.reason() == "twice") ctx.set_timer(event.account_id(), ctx.now() + kHour, expiry);
      if (event.reason() == "cancelled") ctx.cancel_timer<PaymentExpiry>(event.account_id());
      return {};
    });
    service.on_timer([&](Context&, const PaymentExpiry&) -> Result<void> { return ++fired, Result<void>{}; });
  }));
  AccountFrozen frozen;
  frozen.set_account_id(kPayer), world.given(frozen);
  frozen.set_account_id(kPayee), frozen.set_reason("twice"), world.given(frozen);
  frozen.set_account_id(derived_uuid("third")), frozen.set_reason("cancelled"), world.given(frozen);
  world.advance(59 * kSecond);
  EXPECT_EQ(fired, 0);
  world.advance(2 * kSecond);
  EXPECT_EQ(fired, 1);
  world.advance(2 * kHour);
  EXPECT_EQ(fired, 2);
}

TEST(Followers, ComeBehindAndMayEmit) {
  World world(services([](Service& service) {
    service.follow([](Context& ctx, const PaymentCompleted& event) -> Result<void> {
      PaymentRefunded refunded;
      refunded.set_refund_id(event.payment_id());
      ctx.emit(refunded);
      return {};
    });
  }));
  ASSERT_TRUE(world.call<Payment>(request()));
  world.settle();
  EXPECT_EQ(world.events(), (Types{"payment.initiated", "payment.completed", "payment.refunded"}));
}

// ---- effects ----

struct Script final : Effect<ProviderCall, ProviderOutcome> {
  using Kind = Outcome<ProviderOutcome>::Kind;
  static constexpr Kind kThrows = Kind(99);
  std::vector<Kind> answers;  // in turn; the last again and again
  size_t asked = 0, polled = 0;
  Outcome<ProviderOutcome> next() {
    Outcome<ProviderOutcome> outcome;
    outcome.kind = answers[std::min(asked++, answers.size() - 1)];
    if (outcome.kind == kThrows) throw std::runtime_error("the connection broke");
    outcome.error = "scripted";
    return outcome;
  }
  Outcome<ProviderOutcome> perform(const ProviderCall&, std::string_view) override { return next(); }
  Outcome<ProviderOutcome> poll(const ProviderCall&, std::string_view) override { return ++polled, next(); }
};

std::vector<Outcome<ProviderOutcome>::Kind> told;
Result<void> on_outcome(Context&, const ProviderCall&, const Outcome<ProviderOutcome>& outcome) {
  told.push_back(outcome.kind);
  return {};
}

struct EffectCase {
  std::vector<Script::Kind> answers;
  std::vector<Script::Kind> told;
  size_t polled;
  int dead_letters;
};

TEST(Effects, EndAsTheirOutcomesSay) {
  using K = Script::Kind;
  const EffectCase cases[] = {
      {{K::kDone}, {K::kDone}, 0, 0},
      {{K::kRetry, K::kRetry, K::kDone}, {K::kDone}, 0, 0},
      {{K::kFailed}, {K::kFailed}, 0, 1},
      {{K::kRetry}, {K::kFailed}, 0, 1},  // attempts are used up
      {{K::kUnknown, K::kUnknown, K::kDone}, {K::kUnknown, K::kDone}, 2, 0},
      {{K::kUnknown, K::kRetry, K::kDone},
       {K::kUnknown, K::kDone},
       1,
       0},  // it never arrived: performed again
      // Nobody knows how far a call got that broke off: it is asked for, and not made again.
      {{Script::kThrows, K::kDone}, {K::kUnknown, K::kDone}, 1, 0},
      {{Script::kThrows, Script::kThrows, K::kDone}, {K::kUnknown, K::kDone}, 2, 0},
  };
  for (const EffectCase& c : cases) {
    told.clear();
    auto script = std::make_shared<Script>();
    script->answers = c.answers;
    Service account{"account"};
    account.effect<ProviderCall, ProviderOutcome>(script, on_outcome);
    account.on([](Context& ctx, const PaymentCompleted&) -> Result<void> {
      return ctx.perform(ProviderCall()), Result<void>{};
    });
    auto list = services();
    list.push_back(std::move(account));
    World world(std::move(list));
    ASSERT_TRUE(world.call<Payment>(request()));
    world.advance(2 * kHour);
    EXPECT_EQ(told, c.told);
    EXPECT_EQ(script->polled, c.polled);
    EXPECT_EQ(world.query<ListDeadLettersResponse>(ListDeadLettersRequest())->dead_letters_size(),
              c.dead_letters);
    EXPECT_EQ(world.engine().stats().effects_pending, 0u);
  }
}

TEST(Engine, TheSameSeedGivesTheSameHistory) {
  std::vector<std::string> histories;
  for (int run = 0; run < 2; ++run) {
    World world(services(), 7);
    for (int i = 0; i < 20; ++i)
      (void)world.call<Payment>(request(i * 100), user_principal("u"), fmt::format("k{}", i));
    std::string history;
    for (const auto& event : world.history()) {
      StoredEnvelope stored;
      event->envelope.store(stored);
      history += stored.SerializeAsString();
    }
    histories.push_back(history);
  }
  EXPECT_EQ(histories[0], histories[1]);
}

}  // namespace
}  // namespace micropay
