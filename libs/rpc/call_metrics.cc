#include "libs/rpc/call_metrics.h"

namespace micropay::rpc {

CallMetrics::CallMetrics(std::string side) : side_(std::move(side)) {
  for (const contract::Method* method : contract::model().methods()) {
    if (slots_.size() <= method->id) slots_.resize(method->id + 1);
    slots_[method->id] = std::make_unique<Slot>();
  }
}

void CallMetrics::record(const contract::Method& method, const Code* code, Duration took) {
  Slot& slot = *slots_[method.id];
  auto& counted = slot.counters[code == nullptr ? 0 : size_t(*code) + 1];
  Counter* requests = counted.load(std::memory_order_relaxed);
  if (requests == nullptr) {
    requests = &counter("micropay_rpc_" + side_ + "_requests_total", "Calls between processes by outcome",
                        {{"service", method.service->name},
                         {"method", method.name},
                         {"code", std::string(code == nullptr ? "OK" : code_name(*code))}});
    counted.store(requests, std::memory_order_relaxed);
  }
  requests->add();
  Histogram* durations = slot.durations.load(std::memory_order_relaxed);
  if (durations == nullptr) {
    durations = &duration_histogram("micropay_rpc_" + side_ + "_duration_seconds",
                                    "How long calls between processes take",
                                    {{"service", method.service->name}, {"method", method.name}});
    slot.durations.store(durations, std::memory_order_relaxed);
  }
  durations->observe(took);
}

void record_loss(std::string_view side, std::string_view reason) {
  counter("micropay_rpc_connections_lost_total", "Connections between processes that failed, and why",
          {{"side", std::string(side)}, {"reason", std::string(reason)}})
      .add();
}

}  // namespace micropay::rpc
