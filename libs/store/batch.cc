// One batch of the applier: what is gathered tick by tick, and what is written in one transaction.
#include "libs/base/check.h"
#include "libs/store/applier.h"
#include "libs/store/tick_packing.h"

namespace micropay {
namespace {

constexpr size_t kEventsPerCall = 500;  // to the projector

// Table, then six bytes of the key: of ids, their millisecond.
uint64_t place_of(const contract::Table& table, std::string_view key) {
  uint64_t place = table.id;
  for (size_t i = 0; i < 6; ++i) place = place << 8 | (i < key.size() ? uint8_t(key[i]) : 0);
  return place;
}

}  // namespace

// What a projection may read: projection tables, with the rows made since the last transaction.
class Applier::ProjectionReader final : public RowReader {
 public:
  explicit ProjectionReader(Applier& applier) : applier_(applier) {}

  Row get(const contract::Table& table, const std::string& key) const override {
    CHECK(table.projection);
    if (const RowChange* made = applier_.projected_.find(table, key)) return made->row;
    RowCache::Lookup cached = applier_.cache_.find(table, key);
    if (cached.known) return cached.row;
    // Not made since the last transaction, so what the tables hold is its last version.
    auto row = applier_.tables_->get(table, key);
    if (!row) throw row.error();
    if (*row) applier_.cache_.fill(table, key, *row, cached);
    return *row;
  }

  Result<Page> list(const ListQuery&) const override {
    return fail(Code::kUnimplemented, "no_lists_in_projections", "A projection reads by key.");
  }

 private:
  Applier& applier_;
};

Result<void> Applier::apply(std::vector<PackedTickPtr> ticks) {
  CHECK(ticks_.empty() && ticks.front()->number == applied_tick() + 1);
  ticks_ = std::move(ticks);
  TRY(gather({}));
  return write();
}

Result<void> Applier::project_only(const std::string& service, std::vector<PackedTickPtr> ticks) {
  const uint64_t last = ticks.back()->number;
  ticks_ = std::move(ticks);
  TRY(gather(service));
  TRY(in_transaction([&]() -> Result<void> {
    TRY(write_projected());
    return tables_->set_projected(service, {last, projector_->version(service)});
  }));
  forget_batch();
  return {};
}

Result<void> Applier::clear_projections(const contract::Model& model, const std::string& service) {
  return in_transaction([&]() -> Result<void> {
    for (const contract::Table* table : model.tables())
      if (table->projection && table->service->name == service) TRY(tables_->clear(*table));
    return tables_->set_projected(service, {});
  });
}

// The events of the ticks that were not gathered yet, in calls that are neither too small nor too large.
Result<void> Applier::gather(const std::string& only_service) {
  const ProjectionReader reader(*this);
  std::vector<std::shared_ptr<const EventRecord>> events;
  while (gathered_ < ticks_.size()) {
    size_t end = gathered_;
    events.clear();
    do {
      const auto& more = ticks_[end++]->events;
      events.insert(events.end(), more.begin(), more.end());
    } while (end < ticks_.size() && events.size() + ticks_[end]->events.size() <= kEventsPerCall);
    if (projector_ != nullptr && !events.empty()) {
      try {
        for (RowChange& change : projector_->project(events, reader, only_service)) {
          CHECK(change.table->projection);
          projected_.put(std::move(change));
        }
      } catch (const Error& error) {  // the reader met it
        return std::unexpected(error);
      } catch (const StoreUnavailable& away) {
        return std::unexpected(away.error);
      }
      std::lock_guard lock(mutex_);
      stats_.projected_events += events.size();
    }
    for (; gathered_ < end; ++gathered_) ticks_[gathered_]->events = {};
    step_aside();
  }
  return {};
}

Result<void> Applier::write() {
  const uint64_t last = ticks_.back()->number;
  TRY(in_transaction([&]() -> Result<void> {
    TRY(write_changes());
    TRY(write_projected());
    for (const std::string& service : services_)
      TRY(tables_->set_projected(service, {last, projector_->version(service)}));
    return tables_->set_applied_tick(last);
  }));
  for (const NumberedChange& each : changes_) cache_.applied(*each.change->table, each.change->key, last);
  const size_t rows = changes_.size();
  forget_batch();
  std::lock_guard lock(mutex_);  // so that nobody who waits misses it
  ++stats_.batches;
  stats_.rows += rows;
  applied_.store(last, std::memory_order_release);
  return {};
}

Result<void> Applier::in_transaction(const std::function<Result<void>()>& work) {
  TRY(tables_->begin());
  Result<void> done = work();
  if (done) done = tables_->commit();
  if (!done) tables_->roll_back();
  return done;
}

Result<void> Applier::write_changes() {
  changes_.clear();
  for (const PackedTickPtr& tick : ticks_)
    for (const PackedTick::Change& change : tick->changes)
      changes_.push_back({place_of(*change.table, change.key), &change, uint32_t(changes_.size())});
  // Of equal rows the last comes first and is the one that stays. Sorted, because neighbours share pages.
  std::ranges::sort(changes_, [](const NumberedChange& a, const NumberedChange& b) {
    if (a.place != b.place) return a.place < b.place;
    const int keys = a.change->key.compare(b.change->key);
    return keys != 0 ? keys < 0 : a.number > b.number;
  });
  auto rest = std::ranges::unique(changes_, [](const NumberedChange& a, const NumberedChange& b) {
    return a.place == b.place && a.change->key == b.change->key;
  });
  changes_.erase(rest.begin(), rest.end());
  for (const NumberedChange& each : changes_) {
    TRY(write(*each.change));
    step_aside();
  }
  return {};
}

Result<void> Applier::write_projected() {
  std::vector<std::pair<uint64_t, const RowChange*>> rows;
  rows.reserve(projected_.all().size());
  for (const auto& made : projected_.all()) rows.emplace_back(place_of(*made->table, made->key), made.get());
  std::ranges::sort(rows, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second->key < b.second->key;
  });
  for (const auto& [place, made] : rows) {
    row_bytes_.clear();
    if (made->row) append_row(row_bytes_, *made->row);
    TRY(write({.table = made->table, .key = made->key, .row = row_bytes_, .erased = made->row == nullptr}));
    step_aside();
  }
  return {};
}

Result<void> Applier::write(const PackedTick::Change& change) {
  cache_.note_stored(*change.table, change.key);
  return change.erased ? tables_->erase(*change.table, change.key)
                       : tables_->put(*change.table, change.key, change.row);
}

// Everything that was taken is in the tables.
void Applier::forget_batch() {
  for (const auto& made : projected_.all()) cache_.refresh(*made->table, made->key, made->row);
  projected_.clear();
  changes_.clear();
  ticks_.clear();
  gathered_ = 0;
}

}  // namespace micropay
