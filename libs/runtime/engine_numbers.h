// What the engine counts and measures of itself, for /metrics. Only engine_impl.h includes it.
#pragma once

#include "libs/base/metrics.h"

namespace micropay {

struct EngineNumbers {
  Counter& ticks = counter("micropay_engine_ticks_total", "Ticks committed");
  Counter& inputs = counter("micropay_engine_inputs_total", "Inputs handled");
  Counter& events = counter("micropay_engine_events_total", "Events appended to the log");
  Counter& overload =
      counter("micropay_engine_overload_total", "Commands refused because the queue was full");
  Counter& dead_letters = counter("micropay_engine_dead_letters_total", "Inputs that failed for good");
  Counter& conflicts =
      counter("micropay_engine_conflicts_total", "Ticks repeated because another instance wrote first");
  Counter& retries = counter("micropay_engine_delivery_retries_total", "Deliveries of events tried again");
  Histogram& handlers = duration_histogram("micropay_engine_handlers_seconds", "Time in handlers, per tick");
  Histogram& commits = duration_histogram("micropay_engine_commit_seconds", "Time of a commit");
  Histogram& size = histogram("micropay_engine_tick_inputs", "Inputs of a tick", {},
                              {1, 2, 4, 8, 16, 32, 64, 128, 256, 512});
};

}  // namespace micropay
