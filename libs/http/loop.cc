// The event loop of one I/O thread over Asio.
#include "libs/http/loop.h"

#include <pthread.h>
#include <ctime>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace micropay {
namespace asio = boost::asio;

constexpr Duration kTickLength = 250 * kMillisecond;

struct Loop::Ticker {
  explicit Ticker(asio::io_context& context) : timer(context), work(context.get_executor()) {}
  asio::steady_timer timer;
  asio::executor_work_guard<asio::io_context::executor_type> work;
};

Loop::Loop(size_t index, ServerCore& core)
    : index_(index),
      core_(core),
      context_(std::make_unique<asio::io_context>(1)),
      ticker_(std::make_unique<Ticker>(*context_)),
      scratch_(std::make_unique<char[]>(kScratchBytes)) {
  tick();
}

Loop::~Loop() { stop(); }

void Loop::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "io");
    context_->run();
  });
}

void Loop::stop() {
  if (!thread_.joinable()) return;
  post([this] {
    ticker_->timer.cancel();
    each([](LoopMember& member) { member.close(); });
    context_->stop();
  });
  thread_.join();
  std::vector<std::function<void()>> dropped;
  {
    std::scoped_lock lock(mutex_);
    stopped_ = true;
    dropped.swap(jobs_);
  }
  members_.clear();
  context_->restart();
  context_->poll();  // what was cancelled: its handlers hold the connections
}

void Loop::post(std::function<void()> job) {
  bool wake;
  {
    std::scoped_lock lock(mutex_);
    if (stopped_) return;
    wake = jobs_.empty();
    jobs_.push_back(std::move(job));
  }
  if (wake) asio::post(*context_, [this] { run_jobs(); });
}

void Loop::run_jobs() {
  {
    std::scoped_lock lock(mutex_);
    running_.swap(jobs_);
  }
  for (auto& job : running_) job();
  running_.clear();
}

void Loop::add(std::shared_ptr<LoopMember> member) {
  member->slot_ = members_.size();
  members_.push_back(std::move(member));
}

void Loop::remove(LoopMember& member) {
  size_t slot = std::exchange(member.slot_, SIZE_MAX);
  if (slot == SIZE_MAX) return;
  auto removed = std::move(members_[slot]);  // destroyed last: members_ must be whole again before it is
  if (slot + 1 != members_.size()) {
    members_[slot] = std::move(members_.back());
    members_[slot]->slot_ = slot;
  }
  members_.pop_back();
}

// Backwards, because a visited member may remove itself, which moves the last one into its place.
void Loop::each(const std::function<void(LoopMember&)>& visit) {
  for (size_t i = members_.size(); i-- > 0;) {
    if (i >= members_.size()) continue;
    auto member = members_[i];
    visit(*member);
  }
}

// When the thread or the machine stalled, the clients are not to blame: of that time, two ticks count.
void Loop::tick() {
  Time real = system_clock().monotonic();
  now_ = ticked_at_ == 0 ? real : now_ + std::min(real - ticked_at_, 2 * kTickLength);
  ticked_at_ = real;
  if (real - last_second_ >= kSecond) {
    last_second_ = real;
    std::time_t seconds = system_clock().now() / kSecond;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    size_t length = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    date_line_.assign(text, length);
    if (core_.options.on_second && here()) core_.options.on_second(index_);
  }
  each([this](LoopMember& member) { member.on_tick(now_); });
  ticker_->timer.expires_after(std::chrono::microseconds(kTickLength));
  ticker_->timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

}  // namespace micropay
