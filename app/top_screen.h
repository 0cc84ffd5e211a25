// What `micropay top` shows: figures worked out from two readings of /metrics, as a screen of text or as
// JSON.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/metrics_text.h"
#include "libs/base/time.h"

namespace micropay::app {

// Times in seconds, rates a second, over the time between two readings.
struct TopFigures {
  struct Latency {
    double rate, p50, p90, p99;
  };
  double over_seconds;
  Latency payments, requests;         // payments: POST /payments that was answered at all
  double completed, failed, refused;  // payments answered 201; otherwise below 500; 503 a second
  double all_refused, server_errors;  // of all requests
  double websockets;
  double ticks, events;  // a second
  double tick_inputs, tick_inputs_p99;
  double tick_handlers, tick_commit, tick_commit_p99, tick_sync, tick_sync_p99;
  double queued, followers_lag, effects_pending, deliveries_pending, dead_letters;
  double unapplied_ticks, cached_rows, log_bytes, table_bytes;
  std::vector<std::pair<std::string, double>> projections;  // service, ticks that it has not seen
  double memory_bytes, cpu_cores, open_files, uptime_seconds;
};

struct TopReading {
  MetricsText metrics;
  Time at = 0;    // monotonic
  Time wall = 0;  // for the time since the start of the process
};

TopFigures top_figures(const TopReading& before, const TopReading& now);

// Lines without their ends. With colours, what needs an eye is marked.
std::vector<std::string> top_screen(const std::string& address, const TopFigures& figures, bool colours);
std::string top_json(const std::string& address, const TopFigures& figures);

}  // namespace micropay::app
