// One batch of the applier: what is written in one transaction.
#include "libs/base/check.h"
#include "libs/store/applier.h"
#include "libs/store/tick_packing.h"

namespace micropay {
namespace {
constexpr size_t kEventsPerCall = 2'000;  // to the projector

// Table, then six bytes of the key: of ids, their millisecond.
uint64_t place_of(const PackedTick::Change& change) {
  uint64_t place = change.table->id;
  for (size_t i = 0; i < 6; ++i) place = place << 8 | (i < change.key.size() ? uint8_t(change.key[i]) : 0);
  return place;
}

}  // namespace

// What a projection may read: projection tables, with the rows made earlier in the batch.
class Applier::ProjectionReader final : public RowReader {
 public:
  explicit ProjectionReader(Applier& applier) : applier_(applier) {}

  Row get(const contract::Table& table, const std::string& key) const override {
    CHECK(table.projection);
    auto made = applier_.projected_.find({&table, key});
    if (made != applier_.projected_.end()) return made->second->change.row;
    RowCache::Lookup cached = applier_.cache_.find(table, key);
    if (cached.known) return cached.row;
    // Not made in this transaction, so what the tables hold is committed and may go into the cache.
    auto row = applier_.tables_->get(table, key);
    if (!row) throw row.error();
    if (*row) applier_.cache_.fill(table, key, *row, cached);
    return *row;
  }

  Result<Page> list(const ListQuery& query) const override {
    CHECK(query.table->projection);
    TRY(applier_.write_projected());  // the transaction sees its own rows
    return applier_.tables_->list(query);
  }

 private:
  Applier& applier_;
};

Result<void> Applier::apply(std::span<const PackedTickPtr> ticks) {
  uint64_t last = ticks.back()->number;
  CHECK(ticks.front()->number == applied_tick() + 1);
  TRY(in_transaction([&]() -> Result<void> {
    TRY(write_changes(ticks));
    TRY(project(ticks, {}));
    for (const std::string& service : services_)
      TRY(tables_->set_projected(service, {last, projector_->version(service)}));
    return tables_->set_applied_tick(last);
  }));
  for (const NumberedChange& each : changes_) cache_.applied(*each.change->table, each.change->key, last);
  forget_projected(true);
  std::lock_guard lock(mutex_);  // so that nobody who waits misses it
  ++stats_.batches;
  stats_.rows += changes_.size();
  applied_.store(last, std::memory_order_release);
  return {};
}

Result<void> Applier::project_only(const std::string& service, std::span<const PackedTickPtr> ticks) {
  TRY(in_transaction([&]() -> Result<void> {
    TRY(project(ticks, service));
    return tables_->set_projected(service, {ticks.back()->number, projector_->version(service)});
  }));
  forget_projected(true);
  return {};
}

Result<void> Applier::clear_projections(const contract::Model& model, const std::string& service) {
  return in_transaction([&]() -> Result<void> {
    for (const contract::Table* table : model.tables())
      if (table->projection && table->service->name == service) TRY(tables_->clear(*table));
    return tables_->set_projected(service, {});
  });
}

Result<void> Applier::in_transaction(const std::function<Result<void>()>& work) {
  TRY(tables_->begin());
  Result<void> done;
  try {
    done = work();
    if (done) done = tables_->commit();
  } catch (const Error& error) {  // a projection's reader met it
    done = std::unexpected(error);
  }
  if (!done) {
    tables_->roll_back();
    forget_projected(false);
  }
  return done;
}

Result<void> Applier::write_changes(std::span<const PackedTickPtr> ticks) {
  changes_.clear();
  for (const PackedTickPtr& tick : ticks)
    for (const PackedTick::Change& change : tick->changes)
      changes_.push_back({place_of(change), &change, uint32_t(changes_.size())});
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
  for (const NumberedChange& each : changes_) TRY(write(*each.change));
  return {};
}

Result<void> Applier::write(const PackedTick::Change& change) {
  cache_.note_stored(*change.table, change.key);
  return change.erased ? tables_->erase(*change.table, change.key) : tables_->put(*change.table, change.row);
}

Result<void> Applier::project(std::span<const PackedTickPtr> ticks, const std::string& only_service) {
  if (projector_ == nullptr) return {};
  ProjectionReader reader(*this);
  std::vector<std::shared_ptr<const EventRecord>> events;
  auto call = [&] {
    if (events.empty()) return;
    for (RowChange& change : projector_->project(events, reader, only_service)) {
      CHECK(change.table->projection);
      auto made = std::make_unique<Projected>(Projected{std::move(change), false});
      Address address{made->change.table, made->change.key};
      // The address looks into the change it belongs to, so the old pair goes before the new one comes.
      projected_.erase(address);
      projected_.emplace(address, std::move(made));
    }
    std::lock_guard lock(mutex_);
    stats_.projected_events += events.size();
    events.clear();
  };
  for (const PackedTickPtr& tick : ticks) {
    if (events.size() + tick->events.size() > kEventsPerCall) call();
    events.insert(events.end(), tick->events.begin(), tick->events.end());
  }
  call();
  return write_projected();
}

Result<void> Applier::write_projected() {
  for (auto& [address, made] : projected_) {
    if (made->written) continue;
    const RowChange& change = made->change;
    row_bytes_.clear();
    if (change.row) append_row(row_bytes_, *change.row);
    TRY(write(
        {.table = change.table, .key = change.key, .row = row_bytes_, .erased = change.row == nullptr}));
    made->written = true;
  }
  return {};
}

void Applier::forget_projected(bool committed) {
  if (committed)
    for (const auto& [address, made] : projected_)
      cache_.refresh(*address.table, made->change.key, made->change.row);
  projected_.clear();
}

}  // namespace micropay
