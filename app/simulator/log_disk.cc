// The embedded profile's store in the simulator.
#include "app/simulator/stores.h"
#include "libs/base/check.h"

namespace micropay::app {
namespace {

constexpr uint64_t kSegmentBytes = 256 << 10;  // small, so that a run sees many
constexpr uint64_t kFirstBytes = 64 << 10;

TickLogOptions log_options() {
  return {.segment_bytes = kSegmentBytes, .first_bytes = kFirstBytes, .prepare_in_background = false};
}

Result<std::vector<Tick>> ticks_from(const TickLog& log, uint64_t from) {
  std::vector<Tick> ticks;
  bool good = true;
  TRY(log.read(from, [&](const RecordHeader& header, std::string_view stored) {
    TickRecord record;
    Tick tick;
    good = decode_record(header, stored, record) && to_tick(record, contract::model(), tick);
    if (good) ticks.push_back(std::move(tick));
    return good;
  }));
  if (!good) return fail(Code::kInternal, "log_damaged", "A record cannot be decoded.");
  return ticks;
}

}  // namespace

class LogDisk::LogStore final : public Store {
 public:
  LogStore(LogDisk& disk, std::unique_ptr<TickLog> log) : disk_(disk), log_(std::move(log)) {
    disk_.open_ = this;
  }
  ~LogStore() override { disk_.open_ = nullptr; }

  void begin_tick() override {
    if (disk_.hooks.begins) disk_.hooks.begins();
  }
  Result<void> commit(Tick& given) override {
    Tick tick = given;  // it may be tampered with
    if (disk_.hooks.commits) disk_.hooks.commits(tick.number);
    CHECK(tick.number == end().tick + 1 && tick.first_position == end().next_position);
    if (disk_.tamper) disk_.tamper(tick);
    RecordHeader header;
    const std::string_view record = TRY(encoder_.encode(tick, header));
    TRY(log_->append(header, record));
    disk_.applied(tick);
    for (const RowChange& change : tick.changes) newer_[{change.table->id, change.key}] = change.row;
    waiting_.push_back(std::move(tick));
    return {};
  }
  LogEnd end() const override { return log_->end(); }
  Row get(const contract::Table& table, const std::string& key) const override {
    const auto found = newer_.find({table.id, key});
    return found != newer_.end() ? found->second : disk_.tables_->get(table, key);
  }
  Result<Page> list(const ListQuery& query) const override {
    TRY(catch_up());
    return disk_.tables_->list(query);
  }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    TRY(catch_up());
    return disk_.tables_->read_events(position, limit);
  }
  Result<void> scan(const contract::Table& table,
                    const std::function<bool(const Row&)>& each) const override {
    TRY(catch_up());
    return disk_.tables_->scan(table, each);
  }
  Result<void> catch_up() const override {
    apply(waiting_.size());
    return {};
  }
  void apply(size_t ticks) const {
    for (; ticks > 0 && !waiting_.empty(); --ticks) {
      CHECK(disk_.tables_->commit(std::move(waiting_.front())).has_value());
      waiting_.pop_front();
    }
    if (waiting_.empty()) newer_.clear();
  }
  const TickLog& log() const { return *log_; }

 private:
  LogDisk& disk_;
  std::unique_ptr<TickLog> log_;
  TickEncoder encoder_;
  mutable std::deque<Tick> waiting_;  // durable, not in the tables yet
  mutable std::map<std::pair<uint32_t, std::string>, Row> newer_;
};

LogDisk::LogDisk(Projector& projector, TickListener listener)
    : folder_(std::make_shared<LogFolderTwin>()),
      tables_(make_memory_store(contract::model(), &projector)),
      listener_(std::move(listener)) {}

// A tick that was durable when the machine stopped, and that nobody was told of, is heard of at recovery.
void LogDisk::applied(const Tick& tick) {
  if (tick.number <= told_) return;
  CHECK(tick.number == told_ + 1);
  told_ = tick.number;
  listener_(tick);
}

Result<std::unique_ptr<Store>> LogDisk::open() {
  auto log = TRY(TickLog::open(folder_, log_options()));
  for (Tick& tick : TRY(ticks_from(*log, tables_->end().tick + 1))) {
    applied(tick);
    TRY(tables_->commit(std::move(tick)));
  }
  return std::unique_ptr<Store>(new LogStore(*this, std::move(log)));
}

void LogDisk::crash(Random& random) {
  std::mt19937_64 bits(random.next());
  const uint64_t capacity = folder_->capacity;
  folder_ = random.chance(30) ? folder_->kill() : folder_->crash(bits, random.chance(50));
  folder_->capacity = capacity;
}

void LogDisk::apply(size_t ticks) {
  if (open_ != nullptr) open_->apply(ticks);
}

Result<std::vector<Tick>> LogDisk::read_all() const {
  CHECK(open_ != nullptr);
  return ticks_from(open_->log(), 1);
}

}  // namespace micropay::app
