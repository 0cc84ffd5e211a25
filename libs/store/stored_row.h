// The columns of a stored row as the protobuf bytes of its record, without making the record, and strictly: a
// value that no row writes (text where a number belongs, an unknown enum name, a UUID of other length) is
// refused and its column named. So equal bytes mean equal columns, and two stored rows that differ anywhere
// have different bytes. Fields stand in the order of their numbers, as protobuf writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/contract/columns.h"

namespace micropay {

class StoredRow {
 public:
  explicit StoredRow(const contract::Table& table);

  // Replaces `bytes`. False: this column holds what no row writes, and the bytes are not a record.
  bool encode(const std::vector<contract::Value>& values, std::string& bytes) const;
  // The column that encode() refuses, or null.
  const contract::Column* refused(const std::vector<contract::Value>& values) const;
  // Replaces `key` by the row's key (Table::key_of); never one that a row has when a column of it is refused.
  void key(const std::vector<contract::Value>& values, std::string& key) const;
  const contract::Table& table() const { return table_; }

 private:
  enum class Form : uint8_t {
    kVarint,
    kZigzag,
    kFixed32,
    kFixed64,
    kEnum,
    kReal,
    kText,
    kUuid,
    kBytes,
    kPart,
    kMoney
  };
  struct Field {
    size_t column;  // of money: of its currency; its minor units are the next
    Form form;
    bool presence;
    std::string tag;
    int64_t least, most;                              // of integers
    std::unordered_map<std::string_view, int> names;  // of enums
  };
  bool append(const Field& field, const std::vector<contract::Value>& values, std::string& bytes) const;
  bool append_integer(const Field& field, const contract::Value& value, std::string& bytes) const;
  bool append_text(const Field& field, const contract::Value& value, std::string& bytes) const;
  bool append_real(const Field& field, const contract::Value& value, std::string& bytes) const;
  Field field_of(size_t column) const;

  const contract::Table& table_;
  const contract::ColumnPlan& plan_;
  std::vector<Field> fields_;  // by number
  std::vector<size_t> key_;    // columns
};

}  // namespace micropay
