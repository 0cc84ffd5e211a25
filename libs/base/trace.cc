#include "libs/base/trace.h"

#include <fmt/format.h>

namespace micropay {
namespace {

bool parse_hex(std::string_view text, uint64_t& number) {
  number = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return false;
    number = number << 4 | uint64_t(digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

char* append_hex(char* at, uint64_t number, int digits) {
  for (int i = digits - 1; i >= 0; --i) *at++ = "0123456789abcdef"[number >> (4 * i) & 15];
  return at;
}

// Cut where a character of UTF-8 begins.
std::string_view cut(std::string_view text) {
  if (text.size() <= SpanRecord::kMaxTextBytes) return text;
  size_t size = SpanRecord::kMaxTextBytes;
  while (size > 0 && (text[size] & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

// version-traceid-parentid-flags. A later version may have more behind a dash; what stands before it is ours
// to read.
std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kTraceparentSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  uint64_t version = 0, flags = 0;
  TraceContext context;
  if (!parse_hex(text.substr(0, 2), version) || version == 0xff) return {};
  if (text.size() > kTraceparentSize && (version == 0 || text[kTraceparentSize] != '-')) return {};
  if (!parse_hex(text.substr(3, 16), context.trace_id[0]) ||
      !parse_hex(text.substr(19, 16), context.trace_id[1]) ||
      !parse_hex(text.substr(36, 16), context.span_id) || !parse_hex(text.substr(53, 2), flags))
    return {};
  if ((context.trace_id[0] | context.trace_id[1]) == 0 || context.span_id == 0) return {};
  context.sampled = (flags & 1) != 0;
  return context;
}

std::string format_traceparent(const TraceContext& context) {
  std::string text(kTraceparentSize, '-');
  char* at = append_hex(text.data(), 0, 2) + 1;
  at = append_hex(append_hex(at, context.trace_id[0], 16), context.trace_id[1], 16) + 1;
  at = append_hex(at, context.span_id, 16) + 1;
  append_hex(at, context.sampled ? 1 : 0, 2);
  return text;
}

std::string_view valid_tracestate(std::string_view text) {
  constexpr size_t kMaxBytes = 512, kMaxMembers = 32;
  size_t members = 1;
  for (const char c : text) {
    if ((c < ' ' || c > '~') && c != '\t') return {};
    members += c == ',' ? 1 : 0;
  }
  return text.size() <= kMaxBytes && members <= kMaxMembers ? text : std::string_view();
}

Span detail::record_span(TraceSink& sink, const SpanStart& start) {
  auto record = std::make_unique<SpanRecord>();
  if (const auto parent = parse_traceparent(start.parent)) {
    record->context = *parent;
    record->parent_span_id = parent->span_id;
  } else {
    if (!start.may_begin_trace || !sink.sample_root()) return {};
    record->context.trace_id = {sink.new_number(), sink.new_number()};
  }
  record->context.sampled = true;
  record->context.span_id = sink.new_number();
  record->name = cut(start.name);
  record->service = start.service;
  record->kind = start.kind;
  record->began = sink.now();
  return {sink, std::move(record)};
}

void Span::set(std::string_view key, std::string_view value) {
  if (record_ && record_->attributes.size() < SpanRecord::kMaxAttributes)
    record_->attributes.push_back({.key = key, .text = std::string(cut(value))});
}
void Span::set(std::string_view key, int64_t value) {
  if (record_ && record_->attributes.size() < SpanRecord::kMaxAttributes)
    record_->attributes.push_back({.key = key, .number = value});
}

void Span::rename(std::string_view name) {
  if (record_) record_->name = cut(name);
}

void Span::link(std::string_view traceparent) {
  if (!record_ || record_->links.size() >= SpanRecord::kMaxLinks) return;
  if (const auto context = parse_traceparent(traceparent)) record_->links.push_back(*context);
}

void Span::tracestate(std::string_view text) {
  if (record_) record_->tracestate = valid_tracestate(text);
}

void Span::fail(std::string_view what) {
  if (record_) record_->failure = what.empty() ? std::string("failed") : std::string(cut(what));
}

void Span::ended_at(Time time) {
  if (record_) record_->ended = time;
}

void Span::end() {
  if (!record_) return;
  if (record_->ended == 0) record_->ended = sink_->now();
  record_->ended = std::max(record_->ended, record_->began);
  sink_->take(std::move(record_));
}

}  // namespace micropay
