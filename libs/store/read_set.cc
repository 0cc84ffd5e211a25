#include "libs/store/read_set.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>

#include "contracts/runtime.pb.h"

namespace micropay {

struct ReadSet::Keys {
  absl::flat_hash_set<std::string> rows;  // table id, then key
  std::string scratch;
  const std::string& place(const contract::Table& table, std::string_view key) {
    scratch.assign(reinterpret_cast<const char*>(&table.id), sizeof table.id);
    return scratch.append(key);
  }
};

ReadSet::ReadSet() : keys_(std::make_unique<Keys>()) {}
ReadSet::~ReadSet() = default;

void ReadSet::row(const contract::Table& table, std::string_view key) {
  keys_->rows.insert(keys_->place(table, key));
}

void ReadSet::listed(const contract::Table& table) {
  if (listed_.size() <= table.id) listed_.resize(table.id + 1);
  listed_[table.id] = true;
}

void ReadSet::clear() {
  keys_->rows.clear();
  listed_.clear();
}

bool ReadSet::touched_by(const Tick& foreign) const {
  return std::ranges::any_of(foreign.changes, [this](const RowChange& change) {
    const contract::Table& table = *change.table;
    return (table.id < listed_.size() && listed_[table.id]) ||
           keys_->rows.contains(keys_->place(table, change.key));
  });
}

bool ReadSet::conflicts(const Tick& mine, const Tick& foreign) const {
  if (touched_by(foreign)) return true;
  const contract::Table* positioned = contract::model().table_of<DeliveryRecord>();
  absl::flat_hash_set<std::string> written;
  for (const RowChange& change : mine.changes) {
    if (change.table == positioned) return true;
    written.insert(keys_->place(*change.table, change.key));
  }
  return std::ranges::any_of(foreign.changes, [&](const RowChange& change) {
    return written.contains(keys_->place(*change.table, change.key));
  });
}

void move_tick(Tick& tick, const LogEnd& end) {
  tick.number = end.tick + 1;
  tick.first_position = end.next_position;
  tick.time = std::max(tick.time, end.time);
  uint64_t position = tick.first_position;
  // The engine made these events in this tick and shows them to nobody before they are durable.
  for (const auto& event : tick.events) const_cast<EventRecord&>(*event).envelope.set_position(position++);
}

}  // namespace micropay
