#include "libs/runtime/workers.h"

#include <pthread.h>
#include <sys/resource.h>

namespace micropay {

// Relative to the process: a tenth of what a thread of ours gets that always wants to run.
constexpr int kBackgroundNice = 10;

void Workers::start() {
  for (size_t i = 0; i < threads_wanted_; ++i) threads_.emplace_back([this] { loop(); });
}

void Workers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool Workers::run(std::function<void()> work) {
  if (elsewhere_) {
    elsewhere_(std::move(work));
    return true;
  }
  if (threads_.empty()) {
    work();
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= max_queued_) return false;
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void Workers::loop() {
  pthread_setname_np(pthread_self(), "worker");
  // Of this thread alone, as Linux has it. Not SCHED_IDLE: on a machine that is full, such a thread never
  // runs.
  if (priority_ == Priority::kBackground)
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kBackgroundNice);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace micropay
