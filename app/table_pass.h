// One scan of every table, on several threads: each row, as the bytes of its record, against what the log
// says it must be. What differs is named: table, key, columns, the tick that wrote the row and where that
// lies in the log. The rows go to a visitor on the way, so that invariants need no scan of their own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/log_pass.h"
#include "libs/store/stored_row.h"

namespace micropay::app {

struct RowDifference {
  enum class Kind : uint8_t { kChanged, kMissing, kExtra } kind = Kind::kChanged;
  std::string key;      // as text, its fields separated by ", "
  std::string fields;   // columns that differ, separated by ", "; of a changed row
  uint64_t tick = 0;    // that wrote it last, by the log; 0: a projection's row, or none did
  std::string segment;  // where that tick lies: "00000003.log"; empty in a database
  uint64_t byte = 0;
  uint64_t first_event = 0;  // of that tick
};

struct TableComparison {
  const contract::Table* table = nullptr;
  uint64_t rows = 0;         // that are kept
  uint64_t rows_in_log = 0;  // that should be
  uint64_t differences = 0;
  std::vector<RowDifference> first;  // a few of them
  std::string problem;               // it cannot be read
  std::string service;               // whose database it is in, of a cluster
  bool equal() const { return differences == 0 && problem.empty(); }
  std::string text() const;  // of the first difference; empty when equal
};

struct TablePassOptions {
  size_t threads = 2;
  // Rows that are whole, in key order within a table; tables run beside each other. May be empty.
  std::function<void(const contract::Table&, std::string_view bytes)> visit = {};
  std::function<void(uint64_t rows)> tell = {};  // on the caller's thread
};

// Every table of the evidence, in its order. `log` has run over its log.
std::vector<TableComparison> compare_tables(const Evidence& evidence, LogPass& log,
                                            const TablePassOptions& options);

}  // namespace micropay::app
