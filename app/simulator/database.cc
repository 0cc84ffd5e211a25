// The cluster profile's store in the simulator: a database, and clients that cache what they read.
#include "app/simulator/stores.h"
#include "libs/base/check.h"

namespace micropay::app {

// Rows that it has read stay cached until a commit of its own changes them or refresh() drops them all. Its
// idea of the log's end is as old as they are, so a commit over anything older than the database is refused,
// and a tick that would read a newer row beside them ends at once.
class Database::Client final : public Store {
 public:
  explicit Client(Database& database) : database_(database), end_(database.state_->end()) {}

  Result<void> commit(Tick tick) override {
    if (database_.mood == Mood::kRefuses) {
      if (database_.on_refused) database_.on_refused(tick);
      return fail(Code::kUnavailable, "storage_failed", "The database does not answer.");
    }
    const LogEnd present = database_.state_->end();
    if (tick.number != present.tick + 1)
      return fail(Code::kAborted, "conflict", "Another instance has committed since.");
    CHECK(tick.first_position == present.next_position);
    if (database_.tamper) database_.tamper(tick);
    TRY(database_.state_->commit(tick));
    database_.listener_(tick);
    database_.ticks_.push_back(tick);
    if (database_.mood == Mood::kLosesAnswers)
      return fail(Code::kUnavailable, "storage_failed", "The connection broke; nobody knows what happened.");
    for (const RowChange& change : tick.changes) rows_[{change.table->id, change.key}] = change.row;
    end_ = database_.state_->end();
    return {};
  }
  LogEnd end() const override { return end_; }
  bool current() const override { return database_.state_->end().tick == end_.tick; }
  void refresh() override {
    if (!database_.stale_cache) rows_.clear();
    end_ = database_.state_->end();
  }
  const RowReader& tick_reader() const override { return reader_; }
  Row get(const contract::Table& table, const std::string& key) const override {
    return database_.state_->get(table, key);
  }
  Result<Page> list(const ListQuery& query) const override { return database_.state_->list(query); }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    return database_.state_->read_events(position, limit);
  }
  Result<void> scan(const contract::Table& table,
                    const std::function<bool(const Row&)>& each) const override {
    return database_.state_->scan(table, each);
  }
  Result<void> catch_up() const override { return {}; }

 private:
  class TickReader final : public RowReader {
   public:
    explicit TickReader(const Client& client) : client_(client) {}
    Row get(const contract::Table& table, const std::string& key) const override {
      const auto found = client_.rows_.find({table.id, key});
      if (found != client_.rows_.end()) return found->second;
      check_state();
      return client_.rows_[{table.id, key}] = client_.get(table, key);
    }
    Result<Page> list(const ListQuery& query) const override {
      check_state();
      return client_.list(query);
    }

   private:
    void check_state() const {
      if (client_.database_.state_->end().tick != client_.end_.tick) throw StoreConflict();
    }
    const Client& client_;
  };

  Database& database_;
  LogEnd end_;
  mutable std::map<std::pair<uint32_t, std::string>, Row> rows_;
  TickReader reader_{*this};
};

Database::Database(Projector& projector, TickListener listener)
    : state_(make_memory_store(contract::model(), &projector)), listener_(std::move(listener)) {}

std::unique_ptr<Store> Database::connect() { return std::make_unique<Client>(*this); }

}  // namespace micropay::app
