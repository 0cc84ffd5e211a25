// The simulator's stores: what the two profiles keep their data in, in memory, with what disks and databases
// do to it. Both answer to Store, so the engine is the real one. One thread.
//
//   LogDisk    the embedded profile: the real log (libs/store/log_segment.h) on files that tear and drop what
//              was not synced, and tables that follow behind it and survive a crash as they were
//   Database   the cluster profile: one database that several instances of a service write through Clients
//              with a cache each; a tick over rows that others have changed is refused, else it moves behind
//              theirs
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>

#include "app/simulator/random.h"
#include "libs/store/log_file_twin.h"
#include "libs/store/log_segment.h"
#include "libs/store/store.h"

namespace micropay::app {

// Called with each tick when it has become durable, in the order of the log.
using TickListener = std::function<void(const Tick&)>;
// Changes a tick on its way into the store: a planted fault. Empty: none.
using Tamper = std::function<void(Tick&)>;

// Told of each attempt at a tick, before anybody knows what becomes of it. Empty: nobody.
struct TickHooks {
  std::function<void()> begins;
  std::function<void(uint64_t tick)> commits;
};

class LogDisk {
 public:
  LogDisk(Projector& projector, TickListener listener);
  Result<std::unique_ptr<Store>> open();  // recovers: the log is read, the tables catch up
  // Kills the process, or stops the machine: what was not synced is lost or torn then. Close the store first.
  void crash(Random& random);
  LogFolderTwin& folder() { return *folder_; }
  // Writes up to `ticks` ticks to the tables, as the applier does when it gets to it.
  void apply(size_t ticks);
  // Every tick of the log, decoded anew.
  Result<std::vector<Tick>> read_all() const;
  Tamper tamper;
  TickHooks hooks;

 private:
  class LogStore;
  void applied(const Tick& tick);
  std::shared_ptr<LogFolderTwin> folder_;
  std::unique_ptr<Store> tables_;
  TickListener listener_;
  uint64_t told_ = 0;  // last tick that the listener knows
  LogStore* open_ = nullptr;
};

class Database {
 public:
  Database(Projector& projector, TickListener listener);
  enum class Mood : uint8_t { kWell, kRefuses, kLosesAnswers };
  std::unique_ptr<Store> connect();
  Store& state() { return *state_; }
  const std::vector<Tick>& ticks() const { return ticks_; }
  Mood mood = Mood::kWell;
  Tamper tamper;
  TickHooks hooks;
  bool stale_cache = false;  // a planted fault: a conflict moves the position on and keeps the rows
  std::function<void(const Tick&)> on_refused;  // a planted fault: it hears of ticks that failed

 private:
  class Client;
  std::unique_ptr<Store> state_;
  std::vector<Client*> clients_;
  TickListener listener_;
  std::vector<Tick> ticks_;
};

}  // namespace micropay::app
