#include "app/simulator/known.h"

#include "libs/contract/json.h"

namespace micropay::app {

void Known::take(const Tick& tick) {
  for (const RowChange& change : tick.changes) {
    if (change.row == nullptr) continue;  // ids of erased ones stay known
    Pool& pool = pools_[change.table->descriptor];
    std::string id = contract::field_text(*change.row, *change.table->key.back());
    const auto [at, fresh] = pool.places.try_emplace(id, pool.records.size());
    if (fresh) pool.records.push_back({std::move(id), change.row});
    else pool.records[at->second].row = change.row;
  }
}

const Known::Record* Known::any(const google::protobuf::Descriptor* type, Random& random) const {
  const auto& records = all(type);
  if (records.empty()) return nullptr;
  if (few > 0 && random.chance(85)) return &records[random.below(std::min(records.size(), few))];
  const size_t newest = std::min<size_t>(records.size(), random.chance(70) ? 12 : records.size());
  return &records[records.size() - 1 - random.below(newest)];
}

const Known::Record* Known::find(const google::protobuf::Descriptor* type, const std::string& id) const {
  const auto pool = pools_.find(type);
  if (pool == pools_.end()) return nullptr;
  const auto at = pool->second.places.find(id);
  return at == pool->second.places.end() ? nullptr : &pool->second.records[at->second];
}

const std::vector<Known::Record>& Known::all(const google::protobuf::Descriptor* type) const {
  static const std::vector<Record> kNone;
  const auto pool = pools_.find(type);
  return pool == pools_.end() ? kNone : pool->second.records;
}

}  // namespace micropay::app
