// A thread around an Asio context.
#include "libs/rpc/loop.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace micropay::rpc {
namespace asio = boost::asio;

struct LoopThread::Work {
  explicit Work(asio::io_context& context) : guard(context.get_executor()) {}
  asio::executor_work_guard<asio::io_context::executor_type> guard;
};

void Mailbox::post(std::function<void()> job) {
  std::scoped_lock lock(mutex_);
  if (closed_) return;
  const bool wake = jobs_.empty();
  jobs_.push_back(std::move(job));
  if (wake) wake_();
}

void Mailbox::close() {
  std::vector<std::function<void()>> dropped;
  std::scoped_lock lock(mutex_);
  closed_ = true;
  dropped.swap(jobs_);
}

void Mailbox::run() {
  {
    std::scoped_lock lock(mutex_);
    running_.swap(jobs_);
  }
  for (auto& job : running_) job();
  running_.clear();
}

LoopThread::LoopThread(const char* name)
    : name_(name),
      context_(std::make_unique<asio::io_context>(1)),
      work_(std::make_unique<Work>(*context_)),
      mailbox_(std::make_shared<Mailbox>([this] { asio::post(*context_, [this] { mailbox_->run(); }); })) {}

LoopThread::~LoopThread() { stop(); }

void LoopThread::start() {
  thread_ = std::thread([this] {
    mailbox_->open();
    pthread_setname_np(pthread_self(), name_);
    context_->run();
  });
}

void LoopThread::stop() {
  mailbox_->close();
  context_->stop();
  if (thread_.joinable()) thread_.join();
}

struct Ticker::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, int64_t period, std::function<void()> call)
      : timer(context), period_us(period), tick(std::move(call)) {}
  void wait() {
    timer.expires_after(std::chrono::microseconds(period_us));
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || !self->tick) return;
      const auto call = self->tick;  // which may destroy the ticker
      call();
      if (self->tick) self->wait();
    });
  }
  asio::steady_timer timer;
  int64_t period_us;
  std::function<void()> tick;
};

Ticker::Ticker(Loop& loop, int64_t period_us, std::function<void()> tick)
    : state_(std::make_shared<State>(loop.context(), period_us, std::move(tick))) {
  state_->wait();
}

Ticker::~Ticker() {
  state_->tick = nullptr;
  state_->timer.cancel();
}

}  // namespace micropay::rpc
