// The columns of a row read straight from its protobuf bytes, as they stand in the log: what
// ColumnPlan::write makes of the message, without making one. For the applier, which sees every row that was
// ever written. One thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/ids.h"
#include "libs/contract/columns.h"

namespace micropay {

struct ByteReader;

class RowColumns {
 public:
  explicit RowColumns(const contract::Table& table);
  // One value a column of a row that row_bytes() made. They look into `row` and into this object, until the
  // next call. A UUID field with other text becomes NULL, because a row of the log cannot be refused any
  // more. False: the bytes are no row.
  bool read(std::string_view row, std::vector<contract::Value>& values);

 private:
  enum class Form : uint8_t {
    kUnknown,
    kVarint,
    kZigzag,
    kFixed,
    kEnum,
    kReal,
    kText,
    kUuid,
    kBytes,
    kPart,
    kMoney
  };
  struct Field {
    Form form = Form::kUnknown;
    bool wide = false;    // of a real number or one of fixed size: eight bytes, not four
    uint32_t column = 0;  // of money: of its currency; its minor units are the next
    const contract::FieldDescriptor* descriptor = nullptr;
    std::vector<std::string_view> names;  // of an enum's first values, by number
  };
  static Field field_of(const contract::Column& column, size_t place);
  // False: the bytes are not of the field's form. `start` is where the field's tag begins.
  bool read_field(const Field& field, uint32_t wire, const char* start, ByteReader& in,
                  std::vector<contract::Value>& values);
  contract::Value enum_value(const Field& field, uint64_t number);
  contract::Value real_value(const Field& field, uint64_t bits);
  contract::Value uuid_value(const Field& field, std::string_view text);
  contract::Value longer_part(const Field& field, const contract::Value& before, std::string_view bytes);

  const contract::Table& table_;
  std::vector<Field> fields_;              // by number
  std::vector<contract::Value> defaults_;  // by column: of a field that is not set
  std::vector<Uuid> uuids_;                // by column, as are the texts: what values look at
  std::vector<std::string> texts_;
};

}  // namespace micropay
