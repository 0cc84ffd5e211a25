// The applier's thread: when it works, who waits for it, what it does when it cannot. What it writes is in
// batch.cc.
#include "libs/store/applier.h"
#include <pthread.h>
#include <sys/resource.h>

#include "libs/base/check.h"
#include "libs/base/log.h"

namespace micropay {
namespace {

constexpr size_t kHurryBytes = 4 << 20;   // gathered beyond this is applied at once
constexpr size_t kBatchBytes = 16 << 20;  // of one transaction
constexpr Duration kLongestDelay = 10 * kMillisecond;
constexpr auto kRetryPause = std::chrono::milliseconds(200);
constexpr uint64_t kIdleCheckpointPart = 8;

}  // namespace

Applier::Applier(ApplierOptions options, std::unique_ptr<SqlTables> tables, RowCache& cache,
                 Projector* projector, uint64_t applied_tick)
    : options_(options),
      tables_(std::move(tables)),
      cache_(cache),
      projector_(projector),
      applied_(applied_tick) {
  if (projector_ != nullptr) services_ = projector_->services();
}

Applier::~Applier() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
  tables_->connection().checkpoint(true);
}

void Applier::start() {
  thread_ = std::thread([this] { run(); });
}

bool Applier::hurry() const { return stopping_ || waiters_ > 0 || unapplied_bytes_ > kHurryBytes; }

void Applier::run() {
  pthread_setname_np(pthread_self(), "applier");
  // It has time: callers wait for the engine and the I/O threads, not for the tables.
  setpriority(PRIO_PROCESS, 0, 5);
  std::unique_lock lock(mutex_);
  std::vector<PackedTickPtr> batch;
  while (!stopping_ || !queue_.empty()) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    work_.wait_for(lock, std::chrono::microseconds(options_.interval), [this] { return hurry(); });
    if (queue_.empty()) continue;
    batch.clear();
    size_t bytes = 0;
    for (const Queued& queued : queue_) {
      if (!batch.empty() && bytes + queued.bytes > kBatchBytes) break;
      batch.push_back(queued.tick);
      bytes += queued.bytes;
    }
    lock.unlock();
    Result<void> applied = apply(batch);
    lock.lock();
    bool failing = failure_.has_value();
    failure_.reset();
    if (applied) {
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(batch.size()));
      unapplied_bytes_ -= bytes;
      done_.notify_all();
      bool idle = queue_.empty() && waiters_ == 0;
      lock.unlock();
      checkpoint(idle);
      lock.lock();
      continue;
    }
    ++attempts_failed_;
    if (!failing) log_error("store.apply_failed", applied.error().detail, {});
    failure_ = applied.error();
    done_.notify_all();
    if (stopping_) return;  // the log has everything; the next start goes on from here
    work_.wait_for(lock, kRetryPause, [this] { return stopping_; });
  }
}

void Applier::checkpoint(bool idle) {
  uint64_t enough = idle ? options_.checkpoint_bytes / kIdleCheckpointPart : options_.checkpoint_bytes;
  if (tables_->connection().wal_bytes() > enough) tables_->connection().checkpoint(false);
}

void Applier::push(PackedTickPtr tick, size_t bytes) {
  std::lock_guard lock(mutex_);
  bool was_idle = queue_.empty();
  queue_.push_back({std::move(tick), bytes});
  unapplied_bytes_ += bytes;
  if (was_idle || hurry()) work_.notify_one();
}

// From half of what may wait on, every tick waits a little, so that a platform that is given more than it can
// write slows down evenly and does not stand still for a whole batch.
Result<void> Applier::admit() {
  std::unique_lock lock(mutex_);
  const size_t half = options_.max_unapplied_bytes / 2;
  if (unapplied_bytes_ > half && unapplied_bytes_ <= 2 * half) {
    const auto delay = Duration(uint64_t(kLongestDelay) * (unapplied_bytes_ - half) / half);
    done_.wait_for(lock, std::chrono::microseconds(delay), [&] { return unapplied_bytes_ <= half; });
  }
  while (unapplied_bytes_ > options_.max_unapplied_bytes) {
    if (failure_) return std::unexpected(*failure_);
    done_.wait(lock);
  }
  return {};
}

Result<void> Applier::wait_for(uint64_t tick) {
  if (applied_tick() >= tick) return {};
  std::unique_lock lock(mutex_);
  ++waiters_;
  work_.notify_one();
  uint64_t failed_before = attempts_failed_;
  auto failed = [&] { return failure_ && attempts_failed_ != failed_before; };
  done_.wait(lock, [&] { return applied_tick() >= tick || failed(); });
  --waiters_;
  if (applied_tick() >= tick) return {};
  return std::unexpected(*failure_);
}

Applier::Stats Applier::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace micropay
