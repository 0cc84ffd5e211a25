// Rows of the runtime's own tables that are not what they should be, and handlers that meet what must not be:
// all of it is said and set aside, and the engine goes on.
#include "libs/runtime/stored.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const std::string kId = derived_uuid("one"), kOther = derived_uuid("another");

struct Provider final : Effect<ProviderCall, ProviderOutcome> {
  int performed = 0;
  Outcome<ProviderOutcome> perform(const ProviderCall&, std::string_view) override {
    ++performed;
    return {.kind = Outcome<ProviderOutcome>::Kind::kDone};
  }
  Outcome<ProviderOutcome> poll(const ProviderCall& call, std::string_view key) override {
    return perform(call, key);
  }
};

Result<void> on_outcome(Context&, const ProviderCall&, const Outcome<ProviderOutcome>&) { return {}; }

// An engine over rows that are there when it opens.
class StoredRows : public testing::Test {
 protected:
  ManualClock clock;
  std::unique_ptr<Store> store = make_memory_store(contract::model());
  std::shared_ptr<Provider> provider = std::make_shared<Provider>();
  std::unique_ptr<Engine> engine;
  int expired = 0, frozen = 0;

  template <typename Record>
  void keep(const Record& record) {
    const contract::Table& table = *contract::model().table_of<Record>();
    const LogEnd end = store->end();
    Tick tick{.number = end.tick + 1, .first_position = end.next_position, .time = clock.now()};
    tick.changes.push_back({&table, table.key_of(record), std::make_shared<Record>(record)});
    ASSERT_TRUE(store->commit(tick));
  }
  void open() {
    Service payment{"payment"};
    payment.on_timer(
        [this](Context&, const PaymentExpiry&) -> Result<void> { return ++expired, Result<void>(); });
    payment.on([this](Context& ctx, const AccountFrozen& event) -> Result<void> {
      ++frozen;
      if (event.reason() == "check") ctx.table<Payment>().edit(kOther);
      return {};
    });
    payment.command([](Context& ctx, const CancelPaymentRequest& request) -> Result<Payment> {
      Payment payment;
      payment.set_id(kOther);
      ctx.table<Payment>().insert(payment);
      ctx.keep_changes();
      return ctx.table<Payment>().edit(request.id());
    });
    payment.query([](QueryContext&, const GetPaymentRequest& request) -> Result<Payment> {
      CHECK(request.id() == kOther);
      return Payment();
    });
    Service account{"account"};
    account.effect<ProviderCall, ProviderOutcome>(provider, on_outcome, {.first_backoff = kSecond});
    std::vector<Service> services;
    services.push_back(std::move(payment));
    services.push_back(std::move(account));
    engine = std::make_unique<Engine>(EngineOptions{.seed = 1}, *store, clock, std::move(services));
    ASSERT_TRUE(engine->open());
    engine->settle();
  }
  void advance(Duration duration) {
    for (const Time end = clock.now() + duration; clock.now() < end; engine->settle())
      clock.advance(std::clamp(engine->next_due() - clock.monotonic(), kMillisecond, end - clock.now()));
  }
  std::vector<DeadLetter> letters() {
    std::vector<DeadLetter> found;
    EXPECT_TRUE(store->scan(*contract::model().table_of<DeadLetter>(), [&](const Row& row) {
      found.push_back(static_cast<const DeadLetter&>(*row));
      return true;
    }));
    return found;
  }
  std::string redrive(const DeadLetter& letter) {
    keep(letter);
    auto request = std::make_shared<RedriveDeadLetterRequest>();
    request->set_id(letter.id());
    const Answer answer = engine->call({.method = contract::model().method_of<RedriveDeadLetterRequest>(),
                                        .request = request,
                                        .principal = system_principal()});
    return answer.result ? "" : answer.result.error().reason;
  }
};

TimerRecord timer(const std::string& key, const std::string& message) {
  TimerRecord record;
  record.set_type("PaymentExpiry");
  record.set_timer_key(key);
  record.set_service("payment");
  record.set_message(message);
  return record;
}

EffectRecord effect(const std::string& request) {
  EffectRecord record;
  record.set_id(kId);
  record.set_service("account");
  record.set_type("ProviderCall");
  record.set_request(request);
  return record;
}

DeadLetter letter(DeadLetter::Kind kind, const std::string& type, const std::string& key,
                  const google::protobuf::Message& payload) {
  DeadLetter letter;
  letter.set_id(kOther);
  letter.set_kind(kind);
  letter.set_type(type);
  letter.set_key(key);
  letter.set_service(kind == DeadLetter::EFFECT ? "account" : "payment");
  letter.set_payload(payload.SerializeAsString());
  return letter;
}

TEST_F(StoredRows, ATimerThatCannotBeReadIsADeadLetter) {
  keep(timer("a", "\xff\xff"));
  keep(timer("b", ""));
  open();
  advance(kSecond);
  EXPECT_EQ(expired, 1) << "the other one";
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].reason(), "unreadable_timer");
  EXPECT_EQ(letters()[0].key(), "a");
}

TEST_F(StoredRows, AnEffectThatCannotBeReadIsADeadLetterAndIsNotCarriedOut) {
  keep(effect("\xff\xff"));
  open();
  advance(kMinute);
  EXPECT_EQ(provider->performed, 0);
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].reason(), "unreadable_effect");
  EXPECT_EQ(engine->stats().effects_pending, 0u);
}

TEST_F(StoredRows, AnEventThatCannotBeReadIsADeadLetter) {
  DeliveryRecord record;
  record.set_service("payment");
  record.set_event_key("k");
  record.mutable_envelope()->set_type("account.frozen");
  record.mutable_envelope()->set_data("\xff\xff");
  keep(record);
  record.set_position(1);
  record.mutable_envelope()->set_type("no.such.event");
  keep(record);
  open();
  advance(kHour);
  ASSERT_EQ(letters().size(), 2u);
  for (const DeadLetter& each : letters()) EXPECT_EQ(each.reason(), "unreadable_event");
}

TEST_F(StoredRows, ALetterWithTheWrongPayloadIsNotRedriven) {
  open();
  StoredEnvelope envelope;
  envelope.set_id(kId);
  envelope.set_type("account.frozen");
  envelope.set_key("k");
  const TimerRecord a_timer = timer("k", "");
  const EffectRecord an_effect = effect("");
  DeadLetter garbage = letter(DeadLetter::EVENT, "account.frozen", "k", envelope);
  garbage.set_payload("\xff\xff");
  const DeadLetter wrong[] = {
      garbage,
      letter(DeadLetter::EVENT, "account.frozen", "k", a_timer),
      letter(DeadLetter::EVENT, "account.frozen", "other", envelope),
      letter(DeadLetter::EFFECT, "ProviderCall", kId, envelope),
      letter(DeadLetter::EFFECT, "ProviderCall", "no id", an_effect),
      letter(DeadLetter::TIMER, "PaymentExpiry", "k", an_effect),
      letter(DeadLetter::TIMER, "PaymentExpiry", "other", a_timer),
  };
  for (const DeadLetter& each : wrong)
    EXPECT_EQ(redrive(each), "dead_letter_unreadable") << each.ShortDebugString();
  TimerRecord foreign = a_timer;
  foreign.set_type("TopUpExpiry");
  EXPECT_EQ(redrive(letter(DeadLetter::TIMER, "TopUpExpiry", "k", foreign)), "not_redrivable");
  EXPECT_EQ(redrive(letter(static_cast<DeadLetter::Kind>(9), "", "", a_timer)), "not_redrivable");
  EXPECT_EQ(redrive(letter(DeadLetter::TIMER, "PaymentExpiry", "k", a_timer)), "");
  EXPECT_EQ(redrive(letter(DeadLetter::EVENT, "account.frozen", "k", envelope)), "");
  engine->settle();
  EXPECT_EQ(expired, 1);
  EXPECT_EQ(frozen, 1);
}

TEST_F(StoredRows, AnEventWhoseKeyNoRowCanHaveIsADeadLetter) {
  open();
  AccountFrozen event;
  event.set_account_id(std::string("a\0b", 3));
  event.set_reason("check");
  engine->deliver(foreign_event(event, 1, clock.now()));
  engine->settle();
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].reason(), "invariant_broken");
}

// What must hold, and does not because of a row or another's event: the input is undone, and the engine
// lives.
TEST_F(StoredRows, ACheckInAHandlerEndsItsInputAlone) {
  open();
  AccountFrozen event;
  event.set_account_id(kId);
  event.set_reason("check");
  engine->deliver(foreign_event(event, 1, clock.now()));
  advance(kHour);
  EXPECT_EQ(frozen, 5);
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].reason(), "invariant_broken");

  auto cancel = std::make_shared<CancelPaymentRequest>();
  cancel->set_id(kId);
  const Answer answer = engine->call({.method = contract::model().method_of<CancelPaymentRequest>(),
                                      .request = cancel,
                                      .principal = system_principal()});
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().reason, "invariant_broken");
  const contract::Table& payments = *contract::model().table_of<Payment>();
  EXPECT_EQ(store->get(payments, *payments.encode_key({kOther})), nullptr)
      << "not even what it wanted to keep";

  GetPaymentRequest get;
  get.set_id(kId);
  const auto found =
      engine->query(*contract::model().method_of<GetPaymentRequest>(), system_principal(), get);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().reason, "invariant_broken");
}

}  // namespace
}  // namespace micropay
