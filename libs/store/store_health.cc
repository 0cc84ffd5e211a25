#include "libs/store/store_health.h"

namespace micropay {
namespace {

constexpr Duration kBelieved = 10 * kSecond;  // what commits found
constexpr std::string_view kFailures = "micropay_store_commit_failures_total";
constexpr std::string_view kHelp = "Ticks that could not be committed, by reason";

Counter& failures_of(MetricLabels labels, std::string reason) {
  labels.emplace_back("reason", std::move(reason));
  return counter(kFailures, kHelp, labels);
}

}  // namespace

StoreHealth::StoreHealth(MetricLabels labels, Duration silence, const Clock& clock)
    : labels_(std::move(labels)), silence_(silence), clock_(clock), heard_at_(clock.monotonic()) {
  // There from the beginning, so that their first rise is seen.
  for (const char* reason : {"storage_full", "storage_failed", "storage_contended", "fenced"})
    failures_of(labels_, reason);
  available_ = gauge_callback("micropay_store_available", "Whether the store takes commits", labels_,
                              [this] { return problem() ? 0.0 : 1.0; });
}

// A tick that others were faster than is run again, which is no trouble; nor is one of a fenced instance.
void StoreHealth::failed(const Error& error) {
  if (error.code == Code::kAborted && error.reason != "fenced") return;
  failures_of(labels_, error.reason).add();
  if (error.code == Code::kAborted) return;
  const std::lock_guard lock(mutex_);
  commits_ = error;
  commits_at_ = clock_.monotonic();
  troubled_ = true;
}

void StoreHealth::recovered() {
  const std::lock_guard lock(mutex_);
  commits_.reset(), server_.reset();
  away_since_ = 0;
  troubled_ = false;
}

// When the server answers again, what commits found of its absence is over, too.
void StoreHealth::heard(const Error* trouble) {
  const std::lock_guard lock(mutex_);
  const Time now = clock_.monotonic();
  if (trouble != nullptr) {
    server_ = *trouble;
    if (away_since_ == 0) away_since_ = now;
    troubled_ = true;
    return;
  }
  if (away_since_ != 0 && commits_ && commits_->reason == server_->reason) commits_.reset();
  heard_at_ = now;
  away_since_ = 0;
  server_.reset();
}

void StoreHealth::broken(Error error) {
  const std::lock_guard lock(mutex_);
  if (!broken_) broken_ = std::move(error);
}

std::optional<Error> StoreHealth::problem_now(Time now) const {
  if (broken_) return broken_;
  if (server_) return server_;
  const Duration silence = now - heard_at_.load(std::memory_order_relaxed);
  if (silence_ > 0 && silence > silence_)
    return Error{.code = Code::kUnavailable,
                 .reason = "storage_failed",
                 .detail = fmt::format("the database has said nothing for {} s", silence / kSecond)};
  if (commits_ && now - commits_at_ <= kBelieved) return commits_;
  return {};
}

std::optional<Error> StoreHealth::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_now(clock_.monotonic());
}

Duration StoreHealth::away_for() const {
  if (!troubled_.load(std::memory_order_relaxed)) return 0;
  const std::lock_guard lock(mutex_);
  return away_since_ == 0 ? 0 : clock_.monotonic() - away_since_;
}

}  // namespace micropay
