// Links and pools.
#include "libs/sqlserver/sql_link.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace micropay {
namespace {

constexpr Duration kFirstPause = 20 * kMillisecond, kLongestPause = kSecond;

void pause(Duration duration) { std::this_thread::sleep_for(std::chrono::microseconds(duration)); }
Time now() { return system_clock().monotonic(); }

}  // namespace

Result<SqlSession*> SqlLink::session(Duration patience) {
  if (session_ != nullptr && !session_->broken()) return session_.get();
  session_.reset();
  const Time deadline = now() + patience;
  while (true) {
    if (now() < next_try_) {
      if (next_try_ > deadline) return std::unexpected(last_error_);
      pause(next_try_ - now());
    }
    auto opened = SqlSession::open(address_, options_);
    if (opened) {
      session_ = std::move(*opened);
      ++openings_;
      pause_ = 0;
      return session_.get();
    }
    last_error_ = opened.error();
    pause_ = std::clamp(2 * pause_, kFirstPause, kLongestPause);
    next_try_ = now() + pause_;
  }
}

SqlPool::SqlPool(SqlAddress address, SqlOptions options, size_t sessions, Duration patience)
    : address_(std::move(address)), options_(std::move(options)), most_(sessions), patience_(patience) {}

Result<std::unique_ptr<SqlSession>> SqlPool::take(Time deadline) {
  const Time began = now();
  {
    std::unique_lock lock(mutex_);
    const bool free =
        freed_.wait_for(lock, std::chrono::microseconds(std::max<Duration>(deadline - began, 0)),
                        [this] { return !idle_.empty() || open_ < most_; });
    waits_.observe(now() - began);
    if (!free)
      return fail(Code::kUnavailable, "storage_busy", "all connections for reading are in use; try again");
    if (!idle_.empty()) {
      auto session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
    ++open_;
  }
  auto opened = SqlSession::open(address_, options_);
  if (!opened) give_back(nullptr);
  return opened;
}

void SqlPool::give_back(std::unique_ptr<SqlSession> session) {
  if (session != nullptr) session->roll_back();
  {
    const std::lock_guard lock(mutex_);
    if (session != nullptr && !session->broken()) {
      idle_.push_back(std::move(session));
    } else {
      --open_;
      // What broke one has most likely broken those that lay idle.
      open_ -= idle_.size();
      idle_.clear();
    }
  }
  freed_.notify_one();
}

Result<void> SqlPool::read(const std::function<Result<void>(SqlSession&)>& work) {
  const Time deadline = now() + patience_;
  Duration wait = kFirstPause;
  while (true) {
    auto session = take(deadline);
    Result<void> done;
    bool again = true;
    if (session) {
      done = work(**session);
      again = !done && (*session)->broken();
      give_back(std::move(*session));
    } else {
      done = std::unexpected(session.error());
      again = done.error().reason == "storage_failed";
    }
    if (!again || now() + wait > deadline || hopeless_()) return done;
    pause(wait);
    wait = std::min(2 * wait, kLongestPause);
  }
}

}  // namespace micropay
