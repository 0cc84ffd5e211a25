// Sessions that come back: a link is one session that is opened again when it broke, a pool some of them for
// readers. Both say kUnavailable (storage_failed) while the server is away, at once while a try has just
// failed.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "libs/base/metrics.h"
#include "libs/sqlserver/sql_session.h"

namespace micropay {

// One thread at a time.
class SqlLink {
 public:
  SqlLink(SqlAddress address, SqlOptions options)
      : address_(std::move(address)), options_(std::move(options)) {}

  // The session, opened when there is none that works: within `patience`, trying again with growing pauses.
  Result<SqlSession*> session(Duration patience);
  uint64_t openings() const { return openings_; }  // sessions so far

 private:
  const SqlAddress address_;
  const SqlOptions options_;
  std::unique_ptr<SqlSession> session_;
  uint64_t openings_ = 0;
  Time next_try_ = 0;
  Duration pause_ = 0;
  Error last_error_;
};

// Any thread.
class SqlPool {
 public:
  SqlPool(SqlAddress address, SqlOptions options, size_t sessions, Duration patience);
  // Whether to wait for a server is of no use, because it has been away for longer: then one try has to do.
  // Before the first read.
  void give_up_when(std::function<bool()> hopeless) { hopeless_ = std::move(hopeless); }

  // Runs `work` with a session; again with another one when the connection broke, so it may only read. Waits
  // its turn, at most `patience` in all: storage_busy.
  Result<void> read(const std::function<Result<void>(SqlSession&)>& work);

 private:
  Result<std::unique_ptr<SqlSession>> take(Time deadline);
  void give_back(std::unique_ptr<SqlSession> session);

  const SqlAddress address_;
  const SqlOptions options_;
  const size_t most_;
  const Duration patience_;
  std::function<bool()> hopeless_ = [] { return false; };
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<SqlSession>> idle_;
  size_t open_ = 0;  // with those that are out
  Histogram& waits_ = duration_histogram("micropay_store_pool_wait_seconds",
                                         "Time a reader waited for a connection to the database");
};

}  // namespace micropay
