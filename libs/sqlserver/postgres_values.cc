// PostgreSQL's binary formats. An array: dimensions, whether there are NULLs, type of the elements, their
// number, lower bound; then each with its size. All big-endian.
#include "libs/sqlserver/postgres_values.h"

#include <bit>
#include <cstring>

#include "libs/base/log.h"
#include "libs/sqlserver/sql_text.h"

namespace micropay {
namespace {

using contract::ColumnType;
using contract::Value;

constexpr size_t kArrayHeader = 20;
constexpr size_t kHasNullAt = 4, kElementsAt = 12;

// Numbers of the types in PostgreSQL's catalogue, the same in every version.
uint32_t type_number(ColumnType type) {
  switch (type) {
    case ColumnType::kText: return 25;
    case ColumnType::kUuid: return 2950;
    case ColumnType::kInteger: return 20;
    case ColumnType::kBlob: return 17;
  }
  return 0;
}

}  // namespace

std::string_view postgres_type(ColumnType type) {
  switch (type) {
    case ColumnType::kText: return "text";
    case ColumnType::kUuid: return "uuid";
    case ColumnType::kInteger: return "bigint";
    case ColumnType::kBlob: return "bytea";
  }
  return "";
}

void PostgresParameters::clear() {
  bytes_.clear();
  places_.clear();
  lengths_.clear();
  formats_.clear();
}

void PostgresParameters::append_32(uint32_t value) {
  value = std::byteswap(value);
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PostgresParameters::save_32(size_t at, uint32_t value) {
  value = std::byteswap(value);
  std::memcpy(bytes_.data() + at, &value, sizeof value);
}

void PostgresParameters::append_value(const Value& value) {
  if (value.kind == Value::Kind::kInteger) {
    const uint64_t bits = std::byteswap(static_cast<uint64_t>(value.integer));
    bytes_.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    return;
  }
  std::string repaired;
  if (value.kind == Value::Kind::kText && !is_storable_text(value.bytes, repaired)) {
    log_error("store.text_invalid", "a text that is no UTF-8 was repaired");
    bytes_ += repaired;
    return;
  }
  bytes_ += value.bytes;
}

void PostgresParameters::add(const Value& value) {
  const bool null = value.kind == Value::Kind::kNull;
  places_.push_back(null ? -1 : static_cast<int64_t>(bytes_.size()));
  if (!null) append_value(value);
  lengths_.push_back(null ? 0 : static_cast<int>(static_cast<int64_t>(bytes_.size()) - places_.back()));
  formats_.push_back(1);
}

void PostgresParameters::begin_array(ColumnType type) {
  array_at_ = bytes_.size();
  elements_ = 0;
  has_null_ = false;
  append_32(1);
  append_32(0);
  append_32(type_number(type));
  append_32(0);
  append_32(1);
  static_assert(kArrayHeader == 5 * sizeof(uint32_t));
}

void PostgresParameters::add_element(const Value& value) {
  ++elements_;
  if (value.kind == Value::Kind::kNull) {
    has_null_ = true;
    append_32(UINT32_MAX);
    return;
  }
  const size_t at = bytes_.size();
  append_32(0);
  append_value(value);
  save_32(at, static_cast<uint32_t>(bytes_.size() - at - sizeof(uint32_t)));
}

void PostgresParameters::end_array() {
  save_32(array_at_ + kHasNullAt, has_null_ ? 1 : 0);
  save_32(array_at_ + kElementsAt, elements_);
  places_.push_back(static_cast<int64_t>(array_at_));
  lengths_.push_back(static_cast<int>(bytes_.size() - array_at_));
  formats_.push_back(1);
}

void PostgresParameters::append(const PostgresParameters& others) {
  const auto at = static_cast<int64_t>(bytes_.size());
  for (int64_t place : others.places_) places_.push_back(place < 0 ? -1 : place + at);
  lengths_.insert(lengths_.end(), others.lengths_.begin(), others.lengths_.end());
  formats_.insert(formats_.end(), others.formats_.begin(), others.formats_.end());
  bytes_ += others.bytes_;
}

const char* const* PostgresParameters::pointers() {
  pointers_.clear();
  for (int64_t place : places_) pointers_.push_back(place < 0 ? nullptr : bytes_.data() + place);
  return pointers_.data();
}

}  // namespace micropay
