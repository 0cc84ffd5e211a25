// Whose log is read next: of a user one replay at a time, a piece of it at a time, and then it is the next
// user's turn. So thirty replays of one user keep another one waiting for a piece, not for thirty logs.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "libs/http/worker_pool.h"

namespace micropay::gateway {

class ReplayLines {
 public:
  using Piece = std::function<bool()>;  // reads on; true: that was all

  explicit ReplayLines(WorkerPool& pool) : pool_(pool) {}
  // Any thread. False: too many users wait.
  bool add(const std::string& user, Piece piece);

 private:
  void run(const std::string& user);
  bool ended(const std::string& user);

  WorkerPool& pool_;
  std::mutex mutex_;
  std::map<std::string, std::deque<Piece>> lines_;  // guarded by mutex_; each has one turn in the pool
};

}  // namespace micropay::gateway
