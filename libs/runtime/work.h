// The unit of work of a tick: rows read and changed, kept in memory with what is needed to undo one input.
// The engine's host and the projector use it; it is not thread safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/ids.h"
#include "libs/runtime/context.h"
#include "libs/store/store.h"

namespace micropay {

class UnitOfWork {
 public:
  // `ids`, when given, made the ids of this unit's new rows: those need not be looked for in the reader.
  explicit UnitOfWork(const RowReader& reader, const IdGenerator* ids = nullptr);
  ~UnitOfWork();

  const google::protobuf::Message* find(const contract::Table& table, const std::string& key);
  // Like find, as something that outlives the tick.
  Row share(const contract::Table& table, const std::string& key);
  google::protobuf::Message& edit(const contract::Table& table, const std::string& key);
  google::protobuf::Message* edit_present(const contract::Table& table, const std::string& key);
  google::protobuf::Message& insert(const contract::Table& table, MutableRow row);
  google::protobuf::Message& replace(const contract::Table& table, MutableRow row);  // or insert
  google::protobuf::Message& put(const contract::Table& table, MutableRow row);  // the reader is not asked
  bool erase(const contract::Table& table, const std::string& key);
  // Rows of the reader with this tick's changes laid over. Filters of a table with changes must be
  // equalities.
  Result<std::vector<Row>> list(const ListQuery& query, std::string* next_page_token);

  // One input: between begin and accept or undo.
  void begin_input() { undo_.clear(), ++input_; }
  void accept() { undo_.clear(); }
  void undo();

  // What is to be committed, one change a row, in the order of first touch; rows changed back and forth to
  // nothing are left out.
  std::vector<RowChange> changes() const;
  // The changed rows of one table: before (as it was stored) and after, either may be null.
  template <typename F>
  void each_changed(const contract::Table& table, F each) const {
    for (const Entry* entry : order_)
      if (entry->table == &table && entry->dirty) each(entry->stored, Row(entry->current));
  }
  bool unchanged() const;  // changes() would be empty
  void clear();

 private:
  struct Entry {
    const contract::Table* table = nullptr;
    std::string key;
    Row stored;          // as the reader has it
    Row current;         // as this tick has it; null: absent
    MutableRow owned;    // current, when this input may write to it
    uint64_t owner = 0;  // the input that owns it
    bool dirty = false;
    bool ordered = false;  // stands in order_
    bool unread = false;   // put: `stored` was never asked for
    bool changed() const;  // in a way that the store has to know
  };
  struct Undo {
    Entry* entry;
    Row current;
    bool dirty;
  };
  struct Index;  // of entries, by table and key
  Entry* known(const contract::Table& table, std::string_view key) const;
  Entry& entry(const contract::Table& table, const std::string& key);
  Entry& add(const contract::Table& table, const std::string& key);
  Row stored(const contract::Table& table, const std::string& key) const;
  void own(Entry& entry, MutableRow row);

  bool is_fresh(const contract::Table& table, std::string_view key) const;

  const RowReader& reader_;
  const IdGenerator* const ids_;
  std::unique_ptr<Index> index_;
  std::vector<std::unique_ptr<Entry>> pool_;  // entries with their memory, those in use first
  size_t used_ = 0;
  std::vector<const Entry*> order_;  // entries changed, in order
  std::vector<Undo> undo_;
  uint64_t input_ = 0;
};

}  // namespace micropay
