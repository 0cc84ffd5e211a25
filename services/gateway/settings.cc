// Declares the keys gateway.* and ops.listen.
#include "services/gateway/settings.h"

#include "libs/base/settings.h"

namespace micropay::gateway {
namespace {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    size_t end = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, end);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

}  // namespace

GatewaySettings GatewaySettings::read(Settings& settings) {
  GatewaySettings values;
  auto count = [&](std::string_view key, size_t standard, int64_t min, int64_t max, std::string_view help) {
    return static_cast<size_t>(settings.integer(key, static_cast<int64_t>(standard), min, max, help));
  };
  values.listen =
      settings.text("gateway.listen", values.listen, "Address of the public interface, host:port");
  values.ops_listen =
      settings.text("ops.listen", values.ops_listen, "Address of metrics and health, host:port");
  values.io_threads =
      count("gateway.io_threads", values.io_threads, 1, 64, "Threads that read requests and write answers");
  values.query_threads =
      count("gateway.query_threads", values.query_threads, 1, 64, "Threads that answer lists and exports");
  values.max_connections =
      count("gateway.max_connections", values.max_connections, 1, 1'000'000, "Open connections at most");
  values.max_streams_per_user = count("gateway.max_streams_per_user", values.max_streams_per_user, 1, 100'000,
                                      "Live streams of one user at most");
  values.max_body_bytes = count("gateway.max_body_bytes", values.max_body_bytes, 1024, 64 << 20,
                                "Size of a request's body at most");
  values.max_arriving_bytes =
      count("gateway.max_arriving_bytes", values.max_arriving_bytes, 1024, int64_t{64} << 30,
            "Memory for bodies that are still arriving, of all connections together; more are answered 503");
  values.request_timeout =
      settings.duration("gateway.request_timeout", values.request_timeout,
                        "How long a request may take to arrive, or its answer to be taken");
  values.idle_timeout =
      settings.duration("gateway.idle_timeout", values.idle_timeout, "How long an idle connection is kept");
  std::string log = settings.choice("gateway.access_log", "errors", {"on", "errors", "off"},
                                    "Log every request, those that fail with 5xx or are slow, or none");
  values.access_log = log == "on" ? AccessLog::kOn : log == "off" ? AccessLog::kOff : AccessLog::kErrors;
  values.slow =
      settings.duration("gateway.slow", values.slow, "A request that takes longer is logged as an error is");
  values.cors_origins = split_list(settings.text(
      "gateway.cors_origins", "", "Web origins that may call from a browser, with commas; * for any"));
  values.behind_tls =
      settings.flag("gateway.behind_tls", false, "Whether a proxy in front speaks TLS to the clients");
  values.trace_callers = settings.flag(
      "gateway.trace_callers", true,
      "Whether a caller's traceparent says if its trace is recorded; off: trace.sampling alone does");
  values.rate_limits = RateLimitSettings::read_settings(settings);
  return values;
}

}  // namespace micropay::gateway
