// The pipeline. Batches of events go from lane to lane and come back to a pool, so that their memory is used
// again; the pool is small, so a slow lane holds up the reader and not memory.
#include "app/log_pass.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "app/instance.h"
#include "app/projection_pass.h"
#include "contracts/audit.pb.h"
#include "libs/base/check.h"
#include "services/audit/rules.h"

namespace micropay::app {
namespace {

constexpr size_t kBatchEvents = 4000;  // each lane wakes once for so many
constexpr size_t kBatches = 8;
constexpr auto kTellEvery = std::chrono::milliseconds(100);
constexpr char kHeavyService[] = "payment";
constexpr char kTrailService[] = "audit";  // made here, not by its handler: see extend_trail

// The batch owns the message and nobody else sees it before the next lane.
bool parse(const EventRecord& event) {
  return std::const_pointer_cast<google::protobuf::Message>(event.message)
      ->ParseFromString(event.envelope.data());
}

}  // namespace

struct LogPass::Batch {
  std::vector<std::shared_ptr<const EventRecord>> events;
  // Records with their memory, by type, those in use first.
  struct Spare {
    std::vector<std::shared_ptr<EventRecord>> records;
    size_t used = 0;
  };
  std::unordered_map<const std::string*, Spare> spare;  // names of types are one object each

  EventRecord& add(const std::string& name) {
    Spare& of = spare[&name];
    if (of.used == of.records.size()) {
      const contract::Event* type = contract::model().event(name);
      of.records.push_back(std::make_shared<EventRecord>());
      of.records.back()->type = type;
      if (type != nullptr) of.records.back()->message = type->make();
    }
    events.push_back(of.records[of.used]);
    return *of.records[of.used++];
  }
  void clear() {
    events.clear();
    for (auto& [type, of] : spare) of.used = 0;
  }
};

class LogPass::Pool {
 public:
  using BatchPtr = std::shared_ptr<Batch>;
  BatchPtr take() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [this] { return !idle_.empty() || made_ < kBatches; });
    std::unique_ptr<Batch> batch;
    if (idle_.empty()) batch = std::make_unique<Batch>(), ++made_;
    else batch = std::move(idle_.back()), idle_.pop_back();
    batch->clear();
    return {batch.release(), [this](Batch* back) {
              std::lock_guard returned(mutex_);
              idle_.emplace_back(back);
              free_.notify_one();
            }};
  }

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<Batch>> idle_;
  size_t made_ = 0;
};

// A thread that works on batches in their order.
class LogPass::Lane {
 public:
  Lane(const char* name, std::function<void(const Pool::BatchPtr&)> work)
      : work_(std::move(work)), thread_([this] { run(); }) {
    pthread_setname_np(thread_.native_handle(), name);
  }
  ~Lane() { finish(); }
  void push(Pool::BatchPtr batch) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(batch));
    arrived_.notify_one();
  }
  void finish() {  // what was pushed is done when it returns
    if (thread_.joinable()) push(nullptr), thread_.join();
  }

 private:
  void run() {
    for (;;) {
      Pool::BatchPtr batch;
      {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [this] { return !queue_.empty(); });
        batch = std::move(queue_.front());
        queue_.pop_front();
      }
      if (!batch) return;
      work_(batch);
    }
  }

  std::function<void(const Pool::BatchPtr&)> work_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Pool::BatchPtr> queue_;
  std::thread thread_;  // last: it uses the rest
};

struct LogPass::Trail {
  AuditBlock block;
  std::string hash{audit::kFirstHash};
  const contract::Table& table = *contract::model().table_of<AuditBlock>();
};

LogPass::LogPass() : rows_(contract::model().tables().size()), trail_(std::make_unique<Trail>()) {}
LogPass::~LogPass() = default;

Result<void> LogPass::run(const Evidence& evidence, const LogPassOptions& options) {
  Pool pool;
  std::vector<std::unique_ptr<Lane>> lanes = start_lanes(options);
  Lane parser("parse", [this, &lanes](const Pool::BatchPtr& batch) {
    for (const auto& event : batch->events) {
      if (event->type == nullptr || parse(*event)) continue;
      bad_event_ = event->envelope.position();
      return;
    }
    if (bad_event_ != 0) return;
    for (const auto& lane : lanes) lane->push(batch);
  });
  std::atomic<bool> done = false;
  Result<void> result;
  std::thread reader([&] {
    pthread_setname_np(pthread_self(), "read");
    result = read(evidence, options, pool, parser);
    parser.finish();
    for (const auto& lane : lanes) lane->finish();
    done = true;
    done.notify_all();
  });
  while (!done) {
    std::this_thread::sleep_for(kTellEvery);
    if (options.tell) options.tell(events_);
  }
  reader.join();
  close_block();
  if (result && bad_event_ != 0)
    return fail(Code::kFailedPrecondition, "log_damaged",
                fmt::format("event {} cannot be read", bad_event_.load()));
  return result;
}

// The trail on one lane, the projections of the service with the most handlers on another, the rest on a
// third.
std::vector<std::unique_ptr<LogPass::Lane>> LogPass::start_lanes(const LogPassOptions& options) {
  const auto wanted = [&](const std::string& service) {
    return options.service.empty() || options.service == service;
  };
  std::vector<std::unique_ptr<Lane>> lanes;
  if (wanted(kTrailService))
    lanes.push_back(std::make_unique<Lane>(
        "trail",
        [this, known = options.known](const Pool::BatchPtr& batch) { extend_trail(*batch, known); }));
  for (const bool heavy : {true, false}) {
    auto projector = all_projections([&](const std::string& service) {
      return wanted(service) && service != kTrailService && (service == kHeavyService) == heavy;
    });
    projections_.push_back(std::make_unique<ProjectionPass>(std::move(projector), hash_, rows_));
    lanes.push_back(std::make_unique<Lane>(
        heavy ? "payment" : "others",
        [pass = projections_.back().get()](const Pool::BatchPtr& batch) { pass->take(batch->events); }));
  }
  return lanes;
}

Result<void> LogPass::read(const Evidence& evidence, const LogPassOptions& options, Pool& pool,
                           Lane& parser) {
  TickRecord record;
  Pool::BatchPtr batch = pool.take();
  Result<void> decoded;
  TRY(evidence.read_log(
      1, [&](const RecordHeader& header, std::string_view stored, const TickLog::Place& place) {
        if (!decode_record(header, stored, record)) {
          decoded = log_damaged(std::string(place.segment), place.byte, header.tick,
                                "a record that cannot be decoded");
          return false;
        }
        take(record, options, *batch);
        if (batch->events.size() >= kBatchEvents) {
          parser.push(std::exchange(batch, nullptr));
          batch = pool.take();
        }
        return true;
      }));
  if (!batch->events.empty()) parser.push(std::move(batch));
  return decoded;
}

void LogPass::take(TickRecord& record, const LogPassOptions& options, Batch& batch) {
  note_changes(record);
  if (options.look_at_record) options.look_at_record(record);
  ++ticks_;
  events_ += record.events.size();
  for (Envelope& envelope : record.events) {
    if (options.look) options.look(envelope);
    if (record.tick <= options.projected_to) std::swap(batch.add(envelope.type()).envelope, envelope);
  }
}

void LogPass::note_changes(const TickRecord& record) {
  noted_.clear();
  for (const TickRecord::Change& change : record.changes) {
    const auto [at, added] = tables_.try_emplace(change.table, nullptr);
    if (added) at->second = contract::model().table(std::string_view(*change.table));
    if (at->second == nullptr) continue;  // of a service that was removed
    noted_.push_back({&rows_[at->second->id], hash_(change.key), &change});
    noted_.back().rows->prefetch(noted_.back().key);  // a map of millions is not in the caches
  }
  for (const Noted& noted : noted_) {
    RowMap::Entry& entry = noted.rows->at(noted.key);
    entry.row = noted.change->erased ? 0 : hash_(noted.change->row);
    entry.where = record.tick;
  }
}

// The same bytes that the audit service's projection makes, by the same rules, but without a row's life
// around them: that is half of the whole work.
void LogPass::extend_trail(const Batch& batch, const std::optional<AuditHead>& known) {
  for (const auto& event : batch.events) {
    const uint64_t sequence = event->envelope.position();
    if (audit::place_in_block(sequence) == 0) {
      close_block();
      trail_->block.Clear();
      trail_->block.set_number(audit::block_of(sequence));
    }
    audit::append_entry(trail_->block, event->envelope, trail_->hash);
    trail_->hash = trail_->block.last_hash();
    head_.sequence = sequence;
    if (known && known->sequence == sequence) known_met_ = known->hash == trail_->hash;
  }
}

void LogPass::close_block() {
  if (trail_->block.count() == 0) return;
  const std::string key = trail_->table.key_of(trail_->block);
  RowMap::Entry& entry = rows_[trail_->table.id].at(hash_(key));
  entry.row = hash_(trail_->block.SerializeAsString());
  entry.where = trail_->block.number();
  head_.hash = trail_->hash;
}

std::optional<std::pair<std::string, std::string>> LogPass::projected(const contract::Table& table,
                                                                      uint64_t where) const {
  for (const auto& pass : projections_)
    if (pass->makes(table)) return pass->row_at(where);
  return {};
}

uint64_t LogPass::bytes() const {
  uint64_t sum = 0;
  for (const RowMap& rows : rows_) sum += rows.bytes();
  return sum;
}

}  // namespace micropay::app
