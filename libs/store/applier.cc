// The applier's thread: when it works, who waits for it, what it does when it cannot. What it writes is in
// batch.cc.
#include "libs/store/applier.h"
#include <pthread.h>
#include <sys/resource.h>

#include "libs/base/check.h"
#include "libs/base/log.h"

namespace micropay {
namespace {

constexpr size_t kHurryBytes = 12 << 20;   // of ticks: beyond this they are written at once
constexpr size_t kBatchBytes = 16 << 20;   // of one transaction
constexpr size_t kBehindBytes = 24 << 20;  // beyond this it does not step aside
constexpr Duration kAtATime = kMillisecond / 2, kAside = kMillisecond / 2;
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

// So that those who answer callers do not queue for one processor while this thread has another alone:
// libs/base/stepping_aside.h says why priorities do not help. Here it is done between two rows, without a
// signal, because this thread holds locks at times.
void Applier::step_aside() {
  if (!steps_aside_) return;
  const Time now = system_clock().monotonic();
  if (now - stepped_aside_ < kAtATime) return;
  stepped_aside_ = now;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiters_ > 0 || unapplied_bytes_ > kBehindBytes) return;
  }
  std::this_thread::sleep_for(std::chrono::microseconds(kAside));
  stepped_aside_ = system_clock().monotonic();
}

void Applier::run() {
  pthread_setname_np(pthread_self(), "applier");
  // It has time: callers wait for the engine and the I/O threads, not for the tables.
  setpriority(PRIO_PROCESS, 0, 5);
  steps_aside_ = true;
  std::unique_lock lock(mutex_);
  while (!stopping_ || !queue_.empty() || !ticks_.empty()) {
    wait_for_work(lock);
    take_queued();
    const bool now = hurry() || taken_bytes_ >= kBatchBytes;
    lock.unlock();
    Result<void> done = gather({});
    const bool writes = !ticks_.empty() && (now || system_clock().monotonic() >= due_);
    if (done && writes) done = write();
    lock.lock();
    if (!done) {
      if (!note_failure(lock, done.error())) return;
    } else if (writes) {
      failure_.reset();
      unapplied_bytes_ -= std::exchange(taken_bytes_, 0);
      done_.notify_all();
      const bool idle = queue_.empty() && waiters_ == 0;
      lock.unlock();
      checkpoint(idle);
      lock.lock();
    }
  }
}

// Until there are ticks to be gathered or written. A few come together, because waking up costs, too.
void Applier::wait_for_work(std::unique_lock<std::mutex>& lock) {
  const auto something = [this] { return stopping_ || waiters_ > 0 || !queue_.empty(); };
  if (ticks_.empty()) work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  else if (const Duration left = due_ - system_clock().monotonic(); left > 0)
    work_.wait_for(lock, std::chrono::microseconds(left), something);
  else return;
  work_.wait_for(lock, std::chrono::microseconds(options_.gather_interval), [this] { return hurry(); });
}

void Applier::take_queued() {
  if (ticks_.empty()) due_ = system_clock().monotonic() + options_.interval;
  while (!queue_.empty() && (ticks_.empty() || taken_bytes_ + queue_.front().bytes <= kBatchBytes)) {
    taken_bytes_ += queue_.front().bytes;
    ticks_.push_back(std::move(queue_.front().tick));
    queue_.pop_front();
  }
}

// Tells those who wait, and pauses. False when nothing more is to be tried: the log has everything, and the
// next start goes on from here.
bool Applier::note_failure(std::unique_lock<std::mutex>& lock, const Error& error) {
  ++attempts_failed_;
  if (!failure_) log_error("store.apply_failed", error.detail, {});
  failure_ = error;
  done_.notify_all();
  if (stopping_) return false;
  work_.wait_for(lock, kRetryPause, [this] { return stopping_; });
  return true;
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
