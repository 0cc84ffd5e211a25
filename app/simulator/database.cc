// The cluster profile's store in the simulator: a database, and clients that cache what they read. It does
// what libs/sqlserver does, by the same rules (libs/store/read_set.h).
#include "app/simulator/stores.h"
#include "libs/base/check.h"
#include "libs/store/read_set.h"

namespace micropay::app {

// Rows that it has read stay cached until a commit changes them: its own, or another's when that is taken
// in. Its idea of the log's end is as old as they are, so a tick that would read a newer row beside them ends
// at once, and a commit looks at what others have written since.
class Database::Client final : public Store {
 public:
  explicit Client(Database& database) : database_(database), end_(database.state_->end()) {
    database_.clients_.push_back(this);
  }
  ~Client() override { std::erase(database_.clients_, this); }

  void begin_tick() override {
    if (database_.hooks.begins) database_.hooks.begins();
    reads_.clear();
    if (told_) refresh();
  }

  Result<void> commit(Tick& tick) override {
    if (database_.mood == Mood::kRefuses) {
      if (database_.on_refused) database_.on_refused(tick);
      return fail(Code::kUnavailable, "storage_failed", "The database does not answer.");
    }
    for (const Tick& foreign : since_end())
      if (reads_.conflicts(tick, foreign))
        return fail(Code::kAborted, "conflict", "Another instance has changed what was read.");
    if (!since_end().empty()) {
      refresh();
      move_tick(tick, end_);
    }
    CHECK(tick.number == end_.tick + 1 && tick.first_position == end_.next_position);
    if (database_.hooks.commits) database_.hooks.commits(tick.number);
    Tick written = tick;
    if (database_.tamper) database_.tamper(written);
    TRY(database_.state_->commit(Tick(written)));
    database_.listener_(written);
    database_.ticks_.push_back(written);
    for (Client* other : database_.clients_)
      if (other != this) other->tell();
    if (database_.mood == Mood::kLosesAnswers)
      return fail(Code::kUnavailable, "storage_failed", "The connection broke; nobody knows what happened.");
    take(written);
    end_ = database_.state_->end();
    return {};
  }
  LogEnd end() const override { return end_; }
  bool current() const override {
    return std::ranges::none_of(since_end(),
                                [this](const Tick& foreign) { return reads_.touched_by(foreign); });
  }
  void refresh() override {
    told_ = false;
    for (const Tick& foreign : since_end()) {
      if (!database_.stale_cache) take(foreign);
      news_.push_back(std::make_shared<const Tick>(foreign));
    }
    end_ = database_.state_->end();
  }
  std::vector<std::shared_ptr<const Tick>> news() override { return std::exchange(news_, {}); }
  void on_foreign_commit(std::function<void()> wake) override { wake_ = std::move(wake); }
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
    explicit TickReader(Client& client) : client_(client) {}
    Row get(const contract::Table& table, const std::string& key) const override {
      client_.reads_.row(table, key);
      const auto found = client_.rows_.find({table.id, key});
      if (found != client_.rows_.end()) return found->second;
      // What is newer than the rest must not stand beside it.
      for (const Tick& foreign : client_.since_end())
        for (const RowChange& change : foreign.changes)
          if (change.table == &table && change.key == key) throw StoreConflict();
      return client_.rows_[{table.id, key}] = client_.get(table, key);
    }
    Result<Page> list(const ListQuery& query) const override {
      client_.reads_.listed(*query.table);
      if (!client_.since_end().empty()) throw StoreConflict();
      return client_.list(query);
    }

   private:
    Client& client_;
  };

  // What others have committed since the end that this client knows.
  std::span<const Tick> since_end() const { return std::span(database_.ticks_).subspan(end_.tick); }
  void take(const Tick& tick) {
    for (const RowChange& change : tick.changes) rows_[{change.table->id, change.key}] = change.row;
  }
  void tell() {
    told_ = true;
    if (wake_) wake_();
  }

  Database& database_;
  LogEnd end_;
  ReadSet reads_;
  bool told_ = false;
  std::vector<std::shared_ptr<const Tick>> news_;
  std::function<void()> wake_;
  std::map<std::pair<uint32_t, std::string>, Row> rows_;
  TickReader reader_{*this};
};

Database::Database(Projector& projector, TickListener listener)
    : state_(make_memory_store(contract::model(), &projector)), listener_(std::move(listener)) {}

std::unique_ptr<Store> Database::connect() { return std::make_unique<Client>(*this); }

}  // namespace micropay::app
