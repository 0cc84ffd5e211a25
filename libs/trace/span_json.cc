#include "libs/trace/span_json.h"

#include <map>

#include <fmt/format.h>

namespace micropay {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20) fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    else out += c;
  }
  out += '"';
}

void append_ids(std::string& out, std::string_view trace_name, std::string_view span_name,
                const TraceContext& context) {
  fmt::format_to(std::back_inserter(out), R"("{}":"{:016x}{:016x}","{}":"{:016x}")", trace_name,
                 context.trace_id[0], context.trace_id[1], span_name, context.span_id);
}

template <typename Items, typename Append>
void append_list(std::string& out, const Items& items, Append append) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!std::exchange(first, false)) out += ',';
    append(item);
  }
  out += ']';
}

// --- OTLP ---

void append_attribute(std::string& out, const SpanAttribute& attribute) {
  out += R"({"key":)";
  append_quoted(out, attribute.key);
  if (attribute.text.empty()) {
    fmt::format_to(std::back_inserter(out), R"(,"value":{{"intValue":"{}"}}}})", attribute.number);
  } else {
    out += R"(,"value":{"stringValue":)";
    append_quoted(out, attribute.text);
    out += "}}";
  }
}

void append_otlp(std::string& out, const SpanRecord& span) {
  out += '{';
  append_ids(out, "traceId", "spanId", span.context);
  if (span.parent_span_id != 0)
    fmt::format_to(std::back_inserter(out), R"(,"parentSpanId":"{:016x}")", span.parent_span_id);
  if (!span.tracestate.empty()) {
    out += R"(,"traceState":)";
    append_quoted(out, span.tracestate);
  }
  out += R"(,"name":)";
  append_quoted(out, span.name);
  fmt::format_to(std::back_inserter(out),
                 R"(,"kind":{},"startTimeUnixNano":"{}000","endTimeUnixNano":"{}000","attributes":)",
                 int(span.kind), span.began, span.ended);
  append_list(out, span.attributes, [&](const SpanAttribute& each) { append_attribute(out, each); });
  if (!span.links.empty()) {
    out += R"(,"links":)";
    append_list(out, span.links, [&](const TraceContext& link) {
      out += '{';
      append_ids(out, "traceId", "spanId", link);
      out += '}';
    });
  }
  if (!span.failure.empty()) {
    out += R"(,"status":{"code":2,"message":)";
    append_quoted(out, span.failure);
    out += '}';
  }
  out += '}';
}

// --- Zipkin ---

// Zipkin has no word for what happens inside.
std::string_view zipkin_kind(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer: return "SERVER";
    case SpanKind::kClient: return "CLIENT";
    case SpanKind::kProducer: return "PRODUCER";
    case SpanKind::kConsumer: return "CONSUMER";
    default: return {};
  }
}

void append_tags(std::string& out, const SpanRecord& span) {
  out += '{';
  bool first = true;
  const auto tag = [&](std::string_view key, std::string_view value) {
    if (!std::exchange(first, false)) out += ',';
    append_quoted(out, key);
    out += ':';
    append_quoted(out, value);
  };
  for (const SpanAttribute& attribute : span.attributes) {
    if (attribute.text.empty()) tag(attribute.key, fmt::format("{}", attribute.number));
    else tag(attribute.key, attribute.text);
  }
  for (const TraceContext& link : span.links) tag("link", format_traceparent(link));
  if (!span.failure.empty()) tag("error", span.failure);
  out += '}';
}

void append_zipkin(std::string& out, const SpanRecord& span) {
  out += '{';
  append_ids(out, "traceId", "id", span.context);
  if (span.parent_span_id != 0)
    fmt::format_to(std::back_inserter(out), R"(,"parentId":"{:016x}")", span.parent_span_id);
  out += R"(,"name":)";
  append_quoted(out, span.name);
  if (const auto kind = zipkin_kind(span.kind); !kind.empty())
    fmt::format_to(std::back_inserter(out), R"(,"kind":"{}")", kind);
  fmt::format_to(std::back_inserter(out), R"(,"timestamp":{},"duration":{},"localEndpoint":{{"serviceName":)",
                 span.began, std::max<Duration>(1, span.ended - span.began));
  append_quoted(out, span.service);
  out += R"(},"tags":)";
  append_tags(out, span);
  out += '}';
}

}  // namespace

std::string otlp_json(SpanBatch spans) {
  std::map<std::string_view, std::vector<const SpanRecord*>> by_service;
  for (const auto& span : spans) by_service[span->service].push_back(span.get());
  std::string out = R"({"resourceSpans":)";
  append_list(out, by_service, [&](const auto& service) {
    out += R"({"resource":{"attributes":[{"key":"service.name","value":{"stringValue":)";
    append_quoted(out, service.first);
    out += R"(}},{"key":"service.namespace","value":{"stringValue":"micropay"}}]},)";
    out += R"("scopeSpans":[{"scope":{"name":"micropay"},"spans":)";
    append_list(out, service.second, [&](const SpanRecord* span) { append_otlp(out, *span); });
    out += "}]}";
  });
  return out + "}";
}

std::string zipkin_json(SpanBatch spans) {
  std::string out;
  append_list(out, spans, [&](const auto& span) { append_zipkin(out, *span); });
  return out;
}

}  // namespace micropay
