// Rows, and keys that have none, as they are at the end of the log that an instance has taken in. One thread,
// the engine's. What has not been looked for lately is forgotten.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/store/store.h"

namespace micropay {

class KnownRows {
 public:
  explicit KnownRows(size_t most_rows);
  ~KnownRows();

  std::optional<Row> find(const contract::Table& table, std::string_view key);  // null: there is none
  void put(const contract::Table& table, std::string_view key, Row row);
  // What another has written: replaces what is known, and is not kept when nothing was.
  void renew(const contract::Table& table, std::string_view key, const Row& row);
  size_t size() const;
  void clear();

 private:
  struct Generations;
  const std::unique_ptr<Generations> generations_;
};

}  // namespace micropay
