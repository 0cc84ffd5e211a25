#include "libs/store/projected_rows.h"

#include <absl/container/flat_hash_set.h>

namespace micropay {

struct ProjectedRows::Index {
  using Place = std::pair<uint32_t, std::string_view>;
  static Place place(const Place& place) { return place; }
  static Place place(const RowChange* change) { return {change->table->id, change->key}; }
  struct Hash {
    using is_transparent = void;
    size_t operator()(const auto& of) const {
      const auto [table, key] = place(of);
      return std::hash<std::string_view>()(key) + table * 0x9E3779B97F4A7C15ull;
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return place(a) == place(b); }
  };
  absl::flat_hash_set<RowChange*, Hash, Equal> rows;
};

ProjectedRows::ProjectedRows() : index_(std::make_unique<Index>()) {}
ProjectedRows::~ProjectedRows() = default;

const RowChange* ProjectedRows::find(const contract::Table& table, std::string_view key) const {
  const auto at = index_->rows.find(Index::Place(table.id, key));
  return at == index_->rows.end() ? nullptr : *at;
}

void ProjectedRows::put(RowChange change) {
  const auto at = index_->rows.find(Index::Place(change.table->id, change.key));
  if (at != index_->rows.end()) {
    (*at)->row = std::move(change.row);
    return;
  }
  rows_.push_back(std::make_unique<RowChange>(std::move(change)));
  index_->rows.insert(rows_.back().get());
}

void ProjectedRows::clear() {
  index_->rows.clear();
  rows_.clear();
}

}  // namespace micropay
