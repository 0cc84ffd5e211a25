// A flag that a thread waits for and others raise: raised while nobody waits, it is seen by the next wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "libs/base/time.h"

namespace micropay::kafka {

class Wakeup {
 public:
  void notify() {
    {
      const std::lock_guard lock(mutex_);
      raised_ = true;
    }
    wake_.notify_one();
  }
  void wait(Duration longest) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::microseconds(longest), [&] { return raised_; });
    raised_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool raised_ = false;
};

}  // namespace micropay::kafka
