// Proof that the tables follow from the log: makes all of them anew in a scratch folder and compares row for
// row, byte for byte, projections included. Nothing in the data folder is changed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/store/embedded.h"

namespace micropay::app {

// A store for reading whose tables are made from DATA/log alone, in a folder below TMPDIR that goes with it.
// `projector` must outlive it.
Result<std::unique_ptr<EmbeddedStore>> rebuild_tables(const std::string& data, Projector& projector,
                                                      std::function<void(const std::string& line)> progress);

struct TableComparison {
  const contract::Table* table = nullptr;
  uint64_t rows = 0;  // in the data folder
  uint64_t rebuilt_rows = 0;
  std::string difference;  // the first one; empty when the tables are equal
};

// Every table of the model. `each` is called after every table.
Result<std::vector<TableComparison>> compare_tables(const Store& data, const Store& rebuilt,
                                                    const contract::Model& model,
                                                    const std::function<void(const TableComparison&)>& each);

}  // namespace micropay::app
