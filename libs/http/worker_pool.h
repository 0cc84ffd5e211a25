// A few threads with a bounded queue, for what must not block an I/O thread: lists, media, replays of the
// log.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace micropay {

class WorkerPool {
 public:
  WorkerPool(size_t threads, size_t max_queued);
  ~WorkerPool() { stop(); }
  bool submit(std::function<void()> job);  // false: the queue is full, or it has stopped
  void stop();                             // what is queued is dropped

 private:
  void run();

  size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace micropay
