// Typed tables over rows: thin shims, so that a handler writes ctx.table<Payment>().edit(id). What is behind
// them is the unit of work of a tick, a snapshot, or a projection's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/contract/model.h"
#include "libs/store/store.h"

namespace micropay {

using MutableRow = std::shared_ptr<google::protobuf::Message>;

// One row found by a typed table; refers to a version that lives until the end of the input.
template <typename T>
using Ref = std::reference_wrapper<const T>;

// Reading of one record type. `key` is the text of the key fields in order.
class TableReader {
 public:
  virtual ~TableReader() = default;
  virtual const google::protobuf::Message* find_row(const contract::Table& table, const std::string& key) = 0;
  virtual Result<std::vector<Row>> list_rows(const ListQuery& query, std::string* next_page_token) = 0;
};

class TableWriter : public TableReader {
 public:
  virtual google::protobuf::Message& edit_row(const contract::Table& table, const std::string& key) = 0;
  virtual google::protobuf::Message& insert_row(const contract::Table& table, MutableRow row) = 0;
  virtual google::protobuf::Message& put_row(const contract::Table& table, MutableRow row) = 0;
  virtual bool erase_row(const contract::Table& table, const std::string& key) = 0;
  // As edit_row; null when there is no such row.
  virtual google::protobuf::Message* edit_present_row(const contract::Table& table, const std::string& key) {
    return find_row(table, key) == nullptr ? nullptr : &edit_row(table, key);
  }
};

namespace detail {
std::string encode_key(const contract::Table& table, std::initializer_list<std::string_view> parts);
// The same in memory of the thread, until the next call: a key is looked for thirty times a payment.
const std::string& scratch_key(const contract::Table& table, std::initializer_list<std::string_view> parts);
std::unexpected<Error> not_found(const contract::Table& table, std::initializer_list<std::string_view> parts);
const contract::Table& table_or_die(const google::protobuf::Descriptor* descriptor);
template <typename T>
const contract::Table& table_of() {
  static const contract::Table& table = table_or_die(T::descriptor());
  return table;
}
}  // namespace detail

template <typename T>
struct List {
  std::vector<Row> rows;
  std::string next_page_token;
  const T& operator[](size_t i) const { return static_cast<const T&>(*rows[i]); }
  size_t size() const { return rows.size(); }
  bool empty() const { return rows.empty(); }
};

// ctx.table<Payment>() of a query: read only.
template <typename T>
class ReadTable {
 public:
  ReadTable(TableReader& rows, const contract::Table& table) : reader_(rows), info_(table) {}
  // Null when there is none. `key`: the text of each key field in order.
  template <typename... Key>
  const T* find(const Key&... key) const {
    return static_cast<const T*>(
        reader_.find_row(info_, detail::scratch_key(info_, {std::string_view(key)...})));
  }
  // not_found when there is none.
  template <typename... Key>
  Result<Ref<T>> get(const Key&... key) const {
    if (const T* row = find(key...)) return std::cref(*row);
    return detail::not_found(info_, {std::string_view(key)...});
  }
  // A page of rows; ListQuery.table is filled in.
  Result<List<T>> list(ListQuery query) const {
    query.table = &info_;
    List<T> list;
    list.rows = TRY(reader_.list_rows(query, &list.next_page_token));
    return list;
  }

 protected:
  TableReader& reader_;
  const contract::Table& info_;
};

template <typename T>
class Table : public ReadTable<T> {
 public:
  Table(TableWriter& rows, const contract::Table& table) : ReadTable<T>(rows, table), writer_(rows) {}
  // The row to be changed in place; it must exist (find it first). What edit returned before stays valid and
  // is the same object for the whole input; a const Ref taken before the first edit keeps showing the old
  // version.
  template <typename... Key>
  T& edit(const Key&... key) {
    return static_cast<T&>(
        writer_.edit_row(this->info_, detail::scratch_key(this->info_, {std::string_view(key)...})));
  }
  // The same, or null when it does not exist.
  template <typename... Key>
  T* edit_present(const Key&... key) {
    return static_cast<T*>(
        writer_.edit_present_row(this->info_, detail::scratch_key(this->info_, {std::string_view(key)...})));
  }
  // A new row; a CHECK fails when the key exists.
  T& insert(T row) {
    return static_cast<T&>(writer_.insert_row(this->info_, std::make_shared<T>(std::move(row))));
  }
  // The row, inserted as `initial` when it is not there.
  template <typename... Key>
  T& edit_or_insert(const T& initial, const Key&... key) {
    T* present = edit_present(key...);
    return present != nullptr ? *present : insert(initial);
  }
  // Insert or replace, without reading what was there: for rows that follow from their event alone.
  T& put(T row) { return static_cast<T&>(writer_.put_row(this->info_, std::make_shared<T>(std::move(row)))); }
  template <typename... Key>
  bool erase(const Key&... key) {
    return writer_.erase_row(this->info_, detail::scratch_key(this->info_, {std::string_view(key)...}));
  }

 private:
  TableWriter& writer_;
};

}  // namespace micropay
