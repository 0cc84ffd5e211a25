// Makes the rows of projection tables from the log, behind the ticks: one instance at a time for each service
// (a lease in its row of `projection`), in the order of the log, each batch in one transaction with the
// position behind it. Should two believe that they are the one, the position refuses the slower; it begins
// from what is there then. Another version of the code makes the tables anew; an older one leaves them to the
// newer.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

#include "libs/sqlserver/known_rows.h"
#include "libs/sqlserver/sql_link.h"

namespace micropay {

struct ProjectionOptions {
  std::string instance;
  std::vector<std::string> services;
  Duration lease = 5 * kSecond;
  size_t cache_rows = 50'000;
};

class ProjectionRunner {
 public:
  ProjectionRunner(ProjectionOptions options, const SqlAddress& address, const contract::Model& model,
                   Projector& projector);
  ~ProjectionRunner();
  void start();

  using Events = std::vector<std::shared_ptr<const EventRecord>>;
  void nudge();  // there are new ticks
  // One that is durable, and its events: in order, without gaps. Saves reading it again from the log.
  void offer(uint64_t tick, const Events& events);
  // Until all projections, wherever they are made, have taken in this tick. projections_behind after
  // `patience`.
  Result<void> wait_for(uint64_t tick, Duration patience, SqlPool& readers);

 private:
  struct Part {  // of a service
    std::string service;
    bool mine = false;
    Time renew_at = 0;
    uint64_t tick = 0;
    std::unique_ptr<KnownRows> rows;
    std::unordered_set<std::string> event_keys;     // of the batch
    std::vector<const contract::Table*> looked_in;  // with such keys: their rows are fetched together
  };
  class Reader;
  struct Batch {
    uint64_t to = 0;  // tick
    Events events;
    bool full = false;  // there may be more
  };

  void run();
  bool stopping() const;
  Result<bool> work(SqlSession& session);
  Result<void> hold(SqlSession& session, Part& part);
  Result<void> take_over(SqlSession& session, Part& part);
  Result<void> clear(SqlSession& session, Part& part, uint64_t version);
  Result<bool> advance(SqlSession& session, Part& part);
  Result<bool> write(SqlSession& session, Part& part, uint64_t to, const std::vector<RowChange>& changes);
  std::optional<Batch> offered_since(uint64_t tick);
  Result<Batch> stored_since(SqlSession& session, uint64_t tick);
  void prefetch(SqlSession& session, Part& part, const Events& events);
  bool local(uint64_t tick);

  const ProjectionOptions options_;
  const contract::Model& model_;
  Projector& projector_;
  SqlLink link_;
  std::vector<Part> parts_;  // of the thread

  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  bool stopping_ = false;
  bool nudged_ = false, urgent_ = false;             // there are new ticks; somebody waits for them
  bool idle_ = false;                                // waits for them
  std::map<std::string, uint64_t> made_here_;        // tick, of those that are made here
  std::deque<std::pair<uint64_t, Events>> offered_;  // guarded by mutex_
  std::thread thread_;

  Counter& events_ = counter("micropay_projection_events_total", "Events taken into projections");
  Gauge& tick_ = gauge("micropay_projection_tick", "Tick up to which this instance has made projections");
};

}  // namespace micropay
