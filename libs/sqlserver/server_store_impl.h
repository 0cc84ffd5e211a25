// The parts of the store put together: server_store.cc opens it and reads for everybody, tick_reading.cc
// reads for a tick and takes in what others commit, commit.cc commits.
#pragma once

#include <unordered_set>

#include <atomic>
#include <mutex>
#include <span>

#include "libs/sqlserver/known_rows.h"
#include "libs/sqlserver/log_rows.h"
#include "libs/sqlserver/membership.h"
#include "libs/sqlserver/projection.h"
#include "libs/sqlserver/server_schema.h"
#include "libs/sqlserver/server_store.h"
#include "libs/store/read_set.h"
#include "libs/store/recent_events.h"
#include "libs/store/store_health.h"

namespace micropay {

using TickPtr = std::shared_ptr<const Tick>;

class ServerStoreImpl final : public ServerStore {
 public:
  ServerStoreImpl(ServerStoreOptions options, const contract::Model& model);
  ~ServerStoreImpl() override;
  Result<void> open(Projector* projector);

  const RowReader& tick_reader() const override { return tick_reader_; }
  void begin_tick() override;
  Result<void> commit(Tick& tick) override;
  LogEnd end() const override;
  bool current() const override;
  void refresh() override;
  std::vector<TickPtr> news() override { return std::exchange(news_, {}); }
  void on_foreign_commit(std::function<void()> wake) override;
  Row get(const contract::Table& table, const std::string& key) const override;
  Result<Page> list(const ListQuery& query) const override;
  using Events = std::vector<std::shared_ptr<const EventRecord>>;
  Result<Events> read_events(uint64_t position, size_t limit) const override;
  Result<void> scan(const contract::Table& table, const std::function<bool(const Row&)>& each) const override;
  Result<void> catch_up() const override;
  const std::string& instance() const override { return membership_.name(); }
  ServerStoreStats stats() const override;
  std::optional<Error> problem() const override { return health_.problem(); }
  const std::vector<std::string>& open_notes() const override { return notes_; }
  void expect(std::span<const ExpectedRow> rows) override;
  bool has_duty(std::string_view name, bool suited) override;
  Result<uint64_t> duty_position(std::string_view name) const override;
  Result<void> set_duty_position(std::string_view name, uint64_t position) override;
  Result<uint64_t> settled_number(std::string_view name, uint64_t now) override;

 private:
  struct Duty {
    bool held = false;
    Time look_at = 0, until = 0, unsuited_since = 0;
  };
  // duties.cc
  Result<bool> claim_duty(std::string_view name, bool suited) const;
  Result<void> leave_duty(std::string_view name) const;
  bool is_for_others(Duty& duty, bool suited, Time now) const;
  class TickReader final : public RowReader {
   public:
    explicit TickReader(ServerStoreImpl& store) : store_(store) {}
    Row get(const contract::Table& table, const std::string& key) const override {
      return store_.get_in_tick(table, key);
    }
    Result<Page> list(const ListQuery& query) const override { return store_.list_in_tick(query); }

   private:
    ServerStoreImpl& store_;
  };
  // How an attempt to commit ended.
  enum class Attempt : uint8_t { kDone, kMoved };

  // server_store.cc
  SchemaTables tables() const;
  bool has(const std::string& service) const;
  void called();
  void heard(const Error* trouble);
  bool away_for_long() const { return health_.away_for() > options_.commit_patience; }
  Result<void> prepare_schema();
  Row stored_row(const contract::Table& table, const std::string& key) const;
  Result<void> join();
  void set_end(const LogEnd& end);
  Result<void> catch_up(Duration patience) const;
  Result<void> read_stored(SqlSession& session, uint64_t position, size_t limit, Events& events) const;

  // tick_reading.cc
  void prefetch(std::span<const ExpectedRow> rows);  // all of them with a table
  StoreUnavailable unavailable(const Error& error);  // counts it
  void learn(const contract::Table& table, const std::string& key);
  Row get_in_tick(const contract::Table& table, const std::string& key);
  Result<Page> list_in_tick(const ListQuery& query);
  void add_log_since(SqlSession& session) const;
  // What others have committed, from the answer to add_log_since(); true: there may be more.
  Result<bool> take_in(const SqlRows& log);
  Result<bool> take_in_all();  // the same
  Result<SqlSession*> session();

  // commit.cc
  Result<void> commit_checked(Tick& tick);
  Result<void> try_commit(Tick& tick);
  Result<Attempt> commit_directly(SqlSession& session, Tick& tick);
  Result<Attempt> commit_locked(SqlSession& session, Tick& tick, std::optional<uint64_t> sent);
  Result<bool> lock_and_look(SqlSession& session, const Tick& tick, std::optional<uint64_t> sent);
  Result<bool> still_a_member(SqlSession& session);
  bool is_own(const SqlRows& log, uint64_t tick) const;
  Result<void> add_writes(SqlSession& session, Tick& tick);
  void committed(Tick& tick);
  std::unexpected<Error> conflict(std::string_view reason);
  void end_stalled();

  const ServerStoreOptions options_;
  const contract::Model& model_;
  StoreHealth health_;
  std::vector<std::string> notes_;
  Membership membership_;
  SqlLink main_;  // of the engine's thread
  mutable SqlPool readers_;
  RecentEvents recent_;
  std::unique_ptr<ProjectionRunner> projections_;
  TickReader tick_reader_{*this};

  // Of the engine's thread.
  KnownRows known_;
  std::atomic<size_t> known_count_{0};
  ReadSet reads_;
  std::vector<ExpectedRow> wanted_;
  std::unordered_set<std::string> expected_keys_;  // those without a table
  std::vector<const contract::Table*> looked_in_;  // tables where such keys have been looked for
  std::vector<TickPtr> since_begin_, news_;        // ticks of others, taken in
  bool stale_ = false;                             // one of them has changed what the tick has read
  uint64_t fence_ = 0;
  uint32_t cautious_ = 0;  // commits that lock first, because others were seen to commit
  LogRow log_row_;

  mutable std::mutex end_mutex_;
  LogEnd end_;
  std::atomic<bool> told_{false};       // others have committed
  std::atomic<bool> full_{false};       // the last commit found no space
  std::atomic<bool> went_back_{false};  // an earlier state was put into the database
  std::mutex wake_mutex_;
  std::function<void()> wake_;
  std::mutex duties_mutex_;
  std::map<std::string, Duty> duties_;

  struct Numbers {
    Counter& commits = counter("micropay_store_commits_total", "Ticks committed to the database");
    Counter& direct = counter("micropay_store_direct_commits_total", "Ticks committed in one round trip");
    Counter& moved =
        counter("micropay_store_moved_ticks_total", "Ticks moved behind those of other instances");
    Counter& conflicts =
        counter("micropay_store_conflicts_total", "Ticks refused because others had changed what they read");
    Counter& fenced = counter("micropay_store_fenced_total", "Times this instance had lost its epoch");
    Counter& unknown = counter("micropay_store_unknown_commits_total", "Commits whose answer was lost");
    Counter& foreign = counter("micropay_store_foreign_ticks_total", "Ticks of other instances taken in");
    Counter& hits = counter("micropay_store_cache_hits_total", "Rows of ticks found in memory");
    Counter& misses = counter("micropay_store_cache_misses_total", "Rows of ticks read from the database");
    Histogram& commit_seconds =
        duration_histogram("micropay_store_commit_seconds", "Time to commit a tick to the database");
    Histogram& read_seconds =
        duration_histogram("micropay_store_read_seconds", "Round trip of a read in a tick");
  } numbers_;
};

}  // namespace micropay
