// Makes the rows of some services' projections from the events alone, for comparison: each row's hash goes to
// a RowMap, its bytes to a scratch file (of TMPDIR, gone with this object), and the rows touched last stay in
// memory. One thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/row_map.h"
#include "libs/base/keyed_hash.h"
#include "libs/store/store.h"

namespace micropay::app {

class ProjectionPass final : public RowReader {
 public:
  ProjectionPass(std::unique_ptr<Projector> projector, const KeyedHash& hash, std::vector<RowMap>& rows);
  ~ProjectionPass() override;

  void take(const std::vector<std::shared_ptr<const EventRecord>>& events);
  bool makes(const contract::Table& table) const;
  // Key and bytes of the row that lies there.
  std::pair<std::string, std::string> row_at(uint64_t where) const;

  Row get(const contract::Table& table, const std::string& key) const override;
  Result<Page> list(const ListQuery& query) const override;

 private:
  void put(const RowChange& change);
  uint64_t append(std::string_view key, std::string_view row);
  void read_scratch(uint64_t offset, char* to, size_t bytes) const;

  const std::unique_ptr<Projector> projector_;
  const std::vector<std::string> services_;
  const KeyedHash& hash_;
  std::vector<RowMap>& rows_;
  int scratch_ = -1;
  std::string unwritten_;  // end of the scratch file
  uint64_t written_ = 0;
  std::unordered_map<uint64_t, Row> recent_;  // by the hash of table and key
  std::deque<uint64_t> order_;                // of recent_, oldest first
};

}  // namespace micropay::app
