// What can be set about the gateway and the operations port. Read once, at start.
#pragma once

#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "services/gateway/rate_limits.h"

namespace micropay::gateway {

enum class AccessLog : uint8_t { kOff, kErrors, kOn };

struct GatewaySettings {
  std::string listen = "127.0.0.1:8080";
  std::string ops_listen = "127.0.0.1:9080";
  size_t io_threads = 1;
  size_t query_threads = 2;
  size_t max_connections = 20'000;
  size_t max_streams_per_user = 50;
  size_t max_body_bytes = 4 << 20;          // a full batch of transfers fits
  size_t max_arriving_bytes = 256 << 20;    // of bodies that are not complete, all together
  Duration request_timeout = 30 * kSecond;  // for a request to arrive, and for its answer to be taken
  Duration idle_timeout = 75 * kSecond;
  AccessLog access_log = AccessLog::kErrors;
  Duration slow = kSecond;                     // logged as an error is
  std::vector<std::string> cors_origins = {};  // exact origins, or "*"
  bool behind_tls = false;                     // a proxy in front ends TLS: Strict-Transport-Security is sent
  bool trace_callers = true;                   // a caller's traceparent says whether its trace is recorded
  RateLimitSettings rate_limits = {.on = false};

  static GatewaySettings read(Settings& settings);
};

}  // namespace micropay::gateway
