// Traces through the engine: events carry the span that made them, so a whole saga is one causal tree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/base/trace.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

using testing::ElementsAre;

constexpr std::string_view kSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view kUnsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

class ListSink final : public TraceSink {
 public:
  bool sample_root() override { return false; }
  uint64_t new_number() override { return ++numbers_; }
  Time now() const override { return 1; }
  void take(std::unique_ptr<SpanRecord> span) override { spans.push_back(std::move(span)); }
  const SpanRecord& named(std::string_view name) const {
    for (const auto& span : spans)
      if (span->name == name) return *span;
    ADD_FAILURE() << "no span " << name;
    return *spans.front();
  }
  std::vector<std::unique_ptr<SpanRecord>> spans;

 private:
  uint64_t numbers_ = 0;
};

Result<Payment> create(Context& ctx, const CreatePaymentRequest& request) {
  if (request.amount().minor() == 13) return fail(Code::kFailedPrecondition, "unlucky");
  Payment payment;
  payment.set_id(ctx.new_id());
  ctx.table<Payment>().insert(payment);
  PaymentInitiated event;
  event.set_payment_id(payment.id());
  ctx.emit(event);
  return payment;
}

Result<void> complete(Context& ctx, const PaymentInitiated& event) {
  ctx.table<Payment>().edit(event.payment_id()).set_status(Payment::COMPLETED);
  PaymentCompleted completed;
  completed.set_payment_id(event.payment_id());
  ctx.emit(completed);
  return {};
}

Result<void> notice(Context&, const PaymentCompleted&) { return {}; }

struct Traced {
  Traced() : store(make_memory_store(contract::model())) {
    Service service{"payment"};
    service.command(create);
    service.on(complete);
    service.follow(notice);
    std::vector<Service> services;
    services.push_back(std::move(service));
    engine = std::make_unique<Engine>(EngineOptions{.seed = 1, .traces = &sink}, *store, clock,
                                      std::move(services));
    EXPECT_TRUE(engine->open().has_value());
  }
  // The traceparents of the events that came of it.
  std::vector<std::string> pay(std::string_view traceparent, int64_t minor = 100) {
    const uint64_t from = store->end().next_position;
    auto request = std::make_shared<CreatePaymentRequest>();
    request->mutable_amount()->set_minor(minor);
    engine->submit({.method = contract::model().method("CreatePayment"),
                    .request = request,
                    .principal = system_principal(),
                    .traceparent = std::string(traceparent),
                    .done = [](const Answer&) {}});
    engine->settle();
    std::vector<std::string> found;
    const auto events = store->read_events(from, 100);
    for (const auto& event : *events) found.emplace_back(event->envelope.traceparent());
    return found;
  }

  ListSink sink;
  ManualClock clock;
  std::unique_ptr<Store> store;
  std::unique_ptr<Engine> engine;
};

TEST(TickTrace, ASagaIsOneTree) {
  Traced traced;
  const auto events = traced.pay(kSampled);
  ASSERT_EQ(traced.sink.spans.size(), 3u);
  const SpanRecord& command = traced.sink.named("CreatePayment");
  const SpanRecord& reaction = traced.sink.named("payment.initiated");
  const SpanRecord& follower = traced.sink.named("payment.completed");
  EXPECT_EQ(command.parent_span_id, 0xb7ad6b7169203331u);
  EXPECT_EQ(reaction.parent_span_id, command.context.span_id);
  EXPECT_EQ(follower.parent_span_id, reaction.context.span_id);
  for (const auto& span : traced.sink.spans) {
    EXPECT_EQ(span->context.trace_id, parse_traceparent(kSampled)->trace_id);
    EXPECT_EQ(span->service, "payment");
  }
  EXPECT_THAT(events, ElementsAre(format_traceparent(command.context), format_traceparent(reaction.context)));
}

TEST(TickTrace, WhatIsNotRecordedKeepsItsTraceparent) {
  Traced traced;
  EXPECT_THAT(traced.pay(kUnsampled), ElementsAre(kUnsampled, kUnsampled));
  EXPECT_THAT(traced.pay(""), ElementsAre("", ""));
  EXPECT_TRUE(traced.sink.spans.empty());
}

TEST(TickTrace, ARefusalIsInTheSpan) {
  Traced traced;
  EXPECT_TRUE(traced.pay(kSampled, 13).empty());
  ASSERT_EQ(traced.sink.spans.size(), 1u);
  EXPECT_EQ(traced.sink.spans[0]->failure, "unlucky");
}

}  // namespace
}  // namespace micropay
