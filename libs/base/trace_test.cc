// Trace context as W3C has it, and what a span costs and keeps.
#include "libs/base/trace.h"

#include <gtest/gtest.h>

#include <ctime>

namespace micropay {
namespace {

constexpr std::string_view kSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view kUnsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

class ListSink final : public TraceSink {
 public:
  bool sample_root() override { return samples; }
  uint64_t new_number() override { return ++numbers; }
  Time now() const override { return clock.now(); }
  void take(std::unique_ptr<SpanRecord> span) override { spans.push_back(std::move(span)); }
  bool samples = true;
  uint64_t numbers = 0;
  ManualClock clock;
  std::vector<std::unique_ptr<SpanRecord>> spans;
};

TEST(TraceContext, IsReadAndWritten) {
  const auto context = parse_traceparent(kSampled);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id[0], 0x0af7651916cd43ddu);
  EXPECT_EQ(context->trace_id[1], 0x8448eb211c80319cu);
  EXPECT_EQ(context->span_id, 0xb7ad6b7169203331u);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(format_traceparent(*context), kSampled);
  EXPECT_FALSE(parse_traceparent(kUnsampled)->sampled);
  EXPECT_EQ(format_traceparent(*parse_traceparent(kUnsampled)), kUnsampled);
  EXPECT_TRUE(traceparent_sampled(kSampled));
  EXPECT_FALSE(traceparent_sampled(kUnsampled));
  EXPECT_FALSE(traceparent_sampled(""));
}

TEST(TraceContext, RefusesWhatTheStandardRefuses) {
  const std::string good(kSampled);
  const auto with = [&](size_t at, char c) {
    std::string changed = good;
    changed[at] = c;
    return parse_traceparent(changed).has_value();
  };
  EXPECT_FALSE(parse_traceparent(""));
  EXPECT_FALSE(parse_traceparent(good.substr(1)));
  EXPECT_FALSE(parse_traceparent(good + "-00"));                    // version 00 ends there
  EXPECT_TRUE(parse_traceparent("01" + good.substr(2) + "-more"));  // a later one may not
  EXPECT_FALSE(parse_traceparent("01" + good.substr(2) + "more"));
  EXPECT_FALSE(parse_traceparent("ff" + good.substr(2)));
  EXPECT_TRUE(with(0, 'c'));
  EXPECT_TRUE(with(53, 'f'));
  for (const size_t at : {2, 35, 52}) EXPECT_FALSE(with(at, '_')) << at;
  for (const size_t at : {0, 3, 34, 36, 51, 54}) EXPECT_FALSE(with(at, 'A')) << at;  // lower case only
  EXPECT_FALSE(parse_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
}

TEST(TraceContext, PassesATracestateOn) {
  EXPECT_EQ(valid_tracestate("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
            "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
  EXPECT_EQ(valid_tracestate("a=\r\nb"), "");
  EXPECT_EQ(valid_tracestate(std::string(513, 'a')), "");
  EXPECT_EQ(valid_tracestate(std::string(40, ',')), "");
}

TEST(Span, IsBelowItsParent) {
  ListSink sink;
  {
    Span outer = begin_span(
        &sink, {.name = "outer", .service = "payment", .kind = SpanKind::kServer, .parent = kSampled});
    sink.clock.advance(5);
    Span inner = begin_span(&sink, {.name = "inner", .service = "balance", .parent = outer.traceparent()});
    inner.set("payments", 3);
    inner.set("outcome", "declined");
    inner.fail("insufficient_funds");
    inner.link(kUnsampled);
    sink.clock.advance(7);
  }
  ASSERT_EQ(sink.spans.size(), 2u);
  const SpanRecord &inner = *sink.spans[0], &outer = *sink.spans[1];
  EXPECT_EQ(outer.parent_span_id, 0xb7ad6b7169203331u);
  EXPECT_EQ(outer.context.trace_id, parse_traceparent(kSampled)->trace_id);
  EXPECT_EQ(inner.context.trace_id, outer.context.trace_id);
  EXPECT_EQ(inner.parent_span_id, outer.context.span_id);
  EXPECT_EQ(inner.ended - inner.began, 7);
  EXPECT_EQ(outer.ended - outer.began, 12);
  EXPECT_EQ(inner.attributes[0].number, 3);
  EXPECT_EQ(inner.attributes[1].text, "declined");
  EXPECT_EQ(inner.failure, "insufficient_funds");
  EXPECT_EQ(inner.links.size(), 1u);
}

TEST(Span, TheParentDecidesAndElseTheSink) {
  ListSink sink;
  EXPECT_FALSE(begin_span(nullptr, {.name = "a", .service = "b", .parent = kSampled}).recorded());
  EXPECT_FALSE(begin_span(&sink, {.name = "a", .service = "b", .parent = kUnsampled}).recorded());
  EXPECT_TRUE(begin_span(&sink, {.name = "a", .service = "b"}).recorded());
  EXPECT_FALSE(begin_span(&sink, {.name = "a", .service = "b", .may_begin_trace = false}).recorded());
  sink.samples = false;
  EXPECT_FALSE(begin_span(&sink, {.name = "a", .service = "b"}).recorded());
  EXPECT_TRUE(begin_span(&sink, {.name = "a", .service = "b", .parent = kSampled}).recorded());
}

TEST(Span, IsBounded) {
  ListSink sink;
  Span span = begin_span(&sink, {.name = std::string(1'000, 'n'), .service = "b"});
  for (int i = 0; i < 100; ++i) span.set("key", std::string(255, 'x') + "\u00e4"), span.link(kSampled);
  span.end();
  span.end();                 // once
  span.set("late", "value");  // and nothing afterwards
  ASSERT_EQ(sink.spans.size(), 1u);
  EXPECT_EQ(sink.spans[0]->name.size(), SpanRecord::kMaxTextBytes);
  EXPECT_EQ(sink.spans[0]->attributes.size(), SpanRecord::kMaxAttributes);
  EXPECT_EQ(sink.spans[0]->attributes[0].text, std::string(255, 'x'));  // no half character
  EXPECT_EQ(sink.spans[0]->links.size(), SpanRecord::kMaxLinks);
}

TEST(Span, ThatIsDroppedDidNotHappen) {
  ListSink sink;
  Span span = begin_span(&sink, {.name = "a", .service = "b"});
  span.drop();
  span.end();
  EXPECT_TRUE(sink.spans.empty());
}

}  // namespace
}  // namespace micropay
