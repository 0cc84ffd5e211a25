// How a record lies in SQL columns: the one place that decides. A plan per table, built once.
//   string -> TEXT, UUID string -> BLOB(16) / uuid, int and TIME -> INTEGER / bigint, bool -> INTEGER, enum
//   and double -> TEXT, Money amount -> amount_currency TEXT, amount_minor INTEGER; bytes -> BLOB; Metadata,
//   repeated and message fields -> BLOB of the field's protobuf encoding; uint64 as its bit pattern. Unset
//   strings are '', unset UUIDs, bytes, messages and lists NULL. Column names may be words of SQL ("key",
//   "from"): always quote them.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "libs/contract/model.h"

namespace micropay::contract {

enum class ColumnType : uint8_t { kText, kUuid, kInteger, kBlob };

struct Column {
  std::string name;
  ColumnType type;
  const FieldDescriptor* field;
  enum class Part : uint8_t { kWhole, kCurrency, kMinor } part = Part::kWhole;
};

// null, integer, text or blob; views are valid as long as the message (or the scratch) is.
struct Value {
  enum class Kind : uint8_t { kNull, kInteger, kText, kBlob } kind = Kind::kNull;
  int64_t integer = 0;
  std::string_view bytes;
};

class ColumnPlan {
 public:
  explicit ColumnPlan(const Table& table);
  const std::vector<Column>& columns() const { return columns_; }
  // One value per column; `scratch` keeps encoded blobs alive and is cleared first. Throws
  // std::invalid_argument when a UUID field holds something else.
  void write(const Message& row, std::vector<Value>& values, std::vector<std::string>& scratch) const;
  void read(const std::vector<Value>& values, Message& row) const;
  // A single field as the value a WHERE clause compares with; text in API form ("COMPLETED", RFC 3339 time,
  // UUID).
  Result<Value> parse(const Column& column, std::string_view text, std::string& scratch) const;
  const Column* column(std::string_view name) const;  // by column name

 private:
  std::vector<Column> columns_;
};

const ColumnPlan& column_plan(const Table& table);

}  // namespace micropay::contract
