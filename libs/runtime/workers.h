// A few threads with a bounded queue, for preparations and effects.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace micropay {

class Workers {
 public:
  // `elsewhere`, when given, carries everything out in place of threads (a simulator decides when).
  using Executor = std::function<void(std::function<void()>)>;
  // kBackground: gets what CPU others leave, and always a little.
  enum class Priority : uint8_t { kNormal, kBackground };
  Workers(size_t threads, size_t max_queued, Executor elsewhere = {}, Priority priority = Priority::kNormal)
      : max_queued_(max_queued),
        threads_wanted_(threads),
        elsewhere_(std::move(elsewhere)),
        priority_(priority) {}
  ~Workers() { stop(); }
  void start();
  void stop();  // what is queued is dropped, what runs is waited for
  // False when the queue is full. Before start(): runs on the spot.
  bool run(std::function<void()> work);

 private:
  void loop();
  const size_t max_queued_, threads_wanted_;
  const Executor elsewhere_;
  const Priority priority_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace micropay
