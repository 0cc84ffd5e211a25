// Whether a store takes commits at present, and what became of those that it did not take, for /metrics and
// for /health/ready: micropay_store_available, micropay_store_commit_failures_total{reason}.
//
//   health.failed(error);      // a commit, or a read that a commit needs
//   health.committed();
//   health.heard(&error);      // of a store on a server: whether that answers; null: it does
//   if (const auto problem = health.problem()) …
//
// A full disk is seen by commits alone, and there may be none behind the last that failed: what they found is
// believed for some seconds. Any thread.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "libs/base/error.h"
#include "libs/base/metrics.h"
#include "libs/base/time.h"

namespace micropay {

class StoreHealth {
 public:
  // `silence`: a server that says nothing for so long is away; 0: there is none.
  explicit StoreHealth(MetricLabels labels = {}, Duration silence = 0, const Clock& clock = system_clock());

  void committed() {
    if (silence_ > 0) heard_at_.store(clock_.monotonic(), std::memory_order_relaxed);
    if (troubled_.load(std::memory_order_relaxed)) recovered();
  }
  void failed(const Error& error);
  void heard(const Error* trouble);
  // For good: nothing that comes later mends it.
  void broken(Error error);
  std::optional<Error> problem() const;  // none: it takes commits
  Duration away_for() const;             // how long the server has not answered; 0: it does

 private:
  void recovered();
  std::optional<Error> problem_now(Time now) const;  // with the lock

  const MetricLabels labels_;
  const Duration silence_;
  const Clock& clock_;
  std::atomic<Time> heard_at_;  // the server has answered
  std::atomic<bool> troubled_{false};
  mutable std::mutex mutex_;
  std::optional<Error> broken_, commits_, server_;  // guarded by mutex_, as all below
  Time commits_at_ = 0, away_since_ = 0;
  GaugeCallback available_;
};

}  // namespace micropay
