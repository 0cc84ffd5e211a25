// An instance among others: its row with an epoch and a lease, the heartbeats that keep it, fencing those
// whose lease is over, and telling each other of commits. A thread and a connection of its own.
//
// `fence` of log_head counts every change of who may write; the commits compare it (see commit.cc), so nobody
// who was fenced can slip through between looking and writing.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "libs/sqlserver/sql_link.h"

namespace micropay {

struct LogHead {
  uint64_t tick = 0, next_position = 1;
  Time time = 0;
  uint64_t fence = 0;
};
// SQL of the head, locked until the transaction ends; head_of() reads its answer (log_damaged: it is gone).
std::string_view lock_head_sql();
Result<LogHead> head_of(const SqlRows& answer);
// A restored database, or a standby that did not have all, under a process that runs.
Error log_went_back(uint64_t tick, uint64_t known);
// The server's clock in microseconds: leases do not depend on ours.
std::string now_sql(SqlServer server);

struct MemberOptions {
  std::string name;
  Duration lease = 5 * kSecond;
  // Whether a server cannot call us: how often the log's end is looked at, after others were seen to work and
  // in quiet times.
  Duration busy_poll = 20 * kMillisecond, idle_poll = 200 * kMillisecond;
};

class Membership {
 public:
  struct Joined {
    LogHead head;
    uint64_t epoch;
  };

  Membership(MemberOptions options, SqlAddress address);
  ~Membership();  // leaves

  // Takes an epoch. instance_in_use: another process of this name is alive; waits a lease for it to be gone.
  Result<Joined> join(SqlSession& session);
  struct Events {
    std::function<uint64_t()> known_tick;  // the last one of ours or taken in
    std::function<void()> wake;            // others have committed
    // Whether the server answers; null: it does. log_went_back: its log ends before known_tick, so somebody
    // has put an earlier state there.
    std::function<void(const Error*)> heard = [](const Error*) {};
  };
  void start(Events events);
  void stop();   // its thread: nobody is called any more
  void leave();  // and everything that the instance holds is free

  // The engine's thread: a tick of ours is durable; others hear of it.
  void committed(uint64_t tick);
  bool fenced() const { return fenced_.load(std::memory_order_relaxed); }  // join() again
  void note_others(uint64_t others) { others_.store(others, std::memory_order_relaxed); }
  uint64_t others() const { return others_.load(std::memory_order_relaxed); }
  const std::string& name() const { return options_.name; }
  uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }

 private:
  void run();
  Result<void> work(SqlSession& session);
  Result<void> beat(SqlSession& session);
  Result<void> fence(SqlSession& session, const std::string& name);
  Result<void> tell(SqlSession& session);
  Result<void> listen(SqlSession& session, Duration timeout);
  Result<std::optional<Joined>> try_join(SqlSession& session);
  void drain_wake();

  const MemberOptions options_;
  const SqlAddress address_;
  SqlLink link_;
  uint64_t listening_ = 0;  // which of the link's sessions
  std::atomic<uint64_t> epoch_{0}, others_{0};
  std::atomic<uint64_t> committed_{0};
  uint64_t told_ = 0;
  Time next_beat_ = 0, last_heard_ = 0;
  int wake_fd_ = -1;
  std::atomic<bool> stopping_{false}, fenced_{false};
  Events events_;
  std::thread thread_;
};

}  // namespace micropay
