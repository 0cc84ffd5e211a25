// What a ListQuery means, worked out once for both stores: columns, comparisons, order and place to go on
// from. Values order as SQLite orders them: NULL, integers, text and blobs by their bytes. Rows of one order
// value are told apart by the primary key, in the same direction, so pages never overlap or skip. A token is
// base64url of a digest of the query's shape, the last order value, and the last key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libs/contract/columns.h"
#include "libs/store/store.h"

namespace micropay {

// A contract::Value with its own bytes.
struct OwnedValue {
  contract::Value::Kind kind = contract::Value::Kind::kNull;
  int64_t integer = 0;
  std::string bytes;

  static OwnedValue of(const contract::Value& value) {
    return {value.kind, value.integer, std::string(value.bytes)};
  }
  contract::Value view() const { return {.kind = kind, .integer = integer, .bytes = bytes}; }
};

struct ListCondition {
  size_t column = 0;
  Filter::Op op = Filter::Op::kEqual;
  std::vector<OwnedValue> values;  // one, or those of kIn
};

struct ListPlan {
  struct Place {
    OwnedValue order;
    std::string key;
  };
  const contract::Table* table = nullptr;
  const contract::ColumnPlan* columns = nullptr;
  std::vector<ListCondition> conditions;
  size_t order_column = 0;
  bool order_nullable = false;  // the column may be NULL, which no comparison is true for
  bool by_key = false;          // the order column is the first of the key
  bool descending = false;
  uint32_t page_size = 0;
  uint32_t offset = 0;
  std::optional<Place> after;
  uint64_t shape = 0;
};

// Errors as RowReader::list says.
Result<ListPlan> plan_list(const ListQuery& query);
bool matches(const ListPlan& plan, const std::vector<contract::Value>& values);
int compare_values(const contract::Value& a, const contract::Value& b);
// The token to go on behind this row.
std::string page_token(const ListPlan& plan, const contract::Value& order, std::string_view key);

// Columns of the table's key, in the key's order.
std::vector<size_t> key_columns(const contract::Table& table);
// The key's bytes as values of these columns; none when they are no key of the table.
std::optional<std::vector<OwnedValue>> key_values(const contract::Table& table, std::string_view key);
// ColumnPlan::write, but a UUID field with other text becomes NULL: a row that is in the log cannot be
// refused.
void column_values(const contract::ColumnPlan& plan, const google::protobuf::Message& row,
                   std::vector<contract::Value>& values, std::vector<std::string>& scratch);

}  // namespace micropay
