// Two generations: what is found in the old one moves to the young one; when that is full, it becomes the old
// one and the old one is dropped.
#include "libs/sqlserver/known_rows.h"

#include <absl/container/flat_hash_map.h>

namespace micropay {

struct KnownRows::Generations {
  explicit Generations(size_t most) : most_young(std::max<size_t>(most / 2, 1)) {}

  absl::flat_hash_map<std::string, Row> young, old;  // by table id, then key
  const size_t most_young;
  std::string scratch;

  const std::string& place(const contract::Table& table, std::string_view key) {
    scratch.assign(reinterpret_cast<const char*>(&table.id), sizeof table.id);
    return scratch.append(key);
  }
  void add(const std::string& place, Row row) {
    if (young.size() >= most_young && !young.contains(place)) {
      old = std::move(young);
      young.clear();
    }
    young.insert_or_assign(place, std::move(row));
  }
};

KnownRows::KnownRows(size_t most_rows) : generations_(std::make_unique<Generations>(most_rows)) {}
KnownRows::~KnownRows() = default;

std::optional<Row> KnownRows::find(const contract::Table& table, std::string_view key) {
  Generations& all = *generations_;
  const std::string& place = all.place(table, key);
  if (const auto at = all.young.find(place); at != all.young.end()) return at->second;
  const auto at = all.old.find(place);
  if (at == all.old.end()) return {};
  Row row = std::move(at->second);
  all.old.erase(at);
  all.add(place, row);
  return row;
}

void KnownRows::put(const contract::Table& table, std::string_view key, Row row) {
  Generations& all = *generations_;
  const std::string& place = all.place(table, key);
  all.old.erase(place);
  all.add(place, std::move(row));
}

void KnownRows::renew(const contract::Table& table, std::string_view key, const Row& row) {
  Generations& all = *generations_;
  const std::string& place = all.place(table, key);
  if (const auto at = all.young.find(place); at != all.young.end()) at->second = row;
  else if (const auto old = all.old.find(place); old != all.old.end()) old->second = row;
}

size_t KnownRows::size() const { return generations_->young.size() + generations_->old.size(); }

void KnownRows::clear() {
  generations_->young.clear();
  generations_->old.clear();
}

}  // namespace micropay
