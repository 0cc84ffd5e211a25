// Values and columns of values in PostgreSQL's binary formats, laid into one piece of memory that libpq's
// pointers then look into.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libs/contract/columns.h"

namespace micropay {

class PostgresParameters {
 public:
  void clear();
  void add(const contract::Value& value);
  // A column: an array of the type's elements. add_element() for each row, then end_array().
  void begin_array(contract::ColumnType type);
  void add_element(const contract::Value& value);
  void end_array();
  void append(const PostgresParameters& others);

  int count() const { return static_cast<int>(places_.size()); }
  // Valid until the next change.
  const char* const* pointers();
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }
  size_t bytes() const { return bytes_.size(); }

 private:
  void append_value(const contract::Value& value);
  void append_32(uint32_t value);
  void save_32(size_t at, uint32_t value);

  std::string bytes_;
  std::vector<int64_t> places_;  // in bytes_; -1: NULL
  std::vector<int> lengths_, formats_;
  std::vector<const char*> pointers_;
  size_t array_at_ = 0;
  uint32_t elements_ = 0;
  bool has_null_ = false;
};

std::string_view postgres_type(contract::ColumnType type);  // "uuid"

}  // namespace micropay
