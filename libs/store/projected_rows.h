// Rows that projections have made and that are not written yet, each in its last version. Inside the applier.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/store/store.h"

namespace micropay {

class ProjectedRows {
 public:
  ProjectedRows();
  ~ProjectedRows();
  // Null when there is none.
  const RowChange* find(const contract::Table& table, std::string_view key) const;
  void put(RowChange change);
  // In the order in which each was first put.
  const std::vector<std::unique_ptr<RowChange>>& all() const { return rows_; }
  void clear();

 private:
  struct Index;
  std::vector<std::unique_ptr<RowChange>> rows_;
  std::unique_ptr<Index> index_;
};

}  // namespace micropay
