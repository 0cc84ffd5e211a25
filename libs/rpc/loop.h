// The thread that connections live on. A gateway gives its I/O threads, so that a call goes out and comes
// back on the thread that has the request; everybody else lets a LoopThread run.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace micropay::rpc {

class Loop {
 public:
  virtual ~Loop() = default;
  virtual void post(std::function<void()> job) = 0;  // any thread, in order; dropped when it has ended
  virtual bool here() const = 0;                     // whether this is its thread
  virtual boost::asio::io_context& context() = 0;
};

// What other threads leave for a loop. It outlives the loop: an answer that comes late finds nobody home.
class Mailbox {
 public:
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}
  void post(std::function<void()> job);  // any thread; one wake-up for all that are queued meanwhile
  bool here() const { return std::this_thread::get_id() == owner_; }

  // The rest is the loop's.
  void open() { owner_ = std::this_thread::get_id(); }
  void close();  // what is queued is dropped
  void run();

 private:
  std::function<void()> wake_;  // guarded by mutex_
  std::mutex mutex_;
  std::vector<std::function<void()>> jobs_;     // guarded by mutex_
  bool closed_ = false;                         // guarded by mutex_
  std::vector<std::function<void()>> running_;  // being run; kept for its memory
  std::atomic<std::thread::id> owner_{};
};

class LoopThread final : public Loop {
 public:
  explicit LoopThread(const char* name);
  ~LoopThread() override;
  void start();
  void stop();  // what is queued is dropped, what waits is cancelled; then everything on it may be destroyed

  void post(std::function<void()> job) override { mailbox_->post(std::move(job)); }
  bool here() const override { return mailbox_->here(); }
  boost::asio::io_context& context() override { return *context_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

 private:
  struct Work;
  const char* name_;
  std::unique_ptr<boost::asio::io_context> context_;
  std::unique_ptr<Work> work_;
  std::shared_ptr<Mailbox> mailbox_;
  std::thread thread_;
};

// Calls every `period` on the loop until it is destroyed, which has to happen there or when the loop has
// ended.
class Ticker {
 public:
  Ticker(Loop& loop, int64_t period_us, std::function<void()> tick);
  ~Ticker();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace micropay::rpc
