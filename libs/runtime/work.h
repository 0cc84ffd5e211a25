// The unit of work of a tick: rows read and changed, kept in memory with what is needed to undo one input.
// The engine's host and the projector use it; it is not thread safe.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "libs/runtime/context.h"
#include "libs/store/store.h"

namespace micropay {

using MutableRow = std::shared_ptr<google::protobuf::Message>;

class UnitOfWork {
 public:
  explicit UnitOfWork(const RowReader& reader) : reader_(reader) {}

  const google::protobuf::Message* find(const contract::Table& table, const std::string& key);
  // Like find, as something that outlives the tick.
  Row share(const contract::Table& table, const std::string& key);
  google::protobuf::Message& edit(const contract::Table& table, const std::string& key);
  google::protobuf::Message& insert(const contract::Table& table, const google::protobuf::Message& row);
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
    if (table.id >= tables_.size()) return;
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
    bool changed() const;  // in a way that the store has to know
  };
  struct Undo {
    Entry* entry;
    Row current;
    bool dirty;
  };
  Entry& entry(const contract::Table& table, const std::string& key);
  void own(Entry& entry, MutableRow row);

  const RowReader& reader_;
  std::vector<std::unordered_map<std::string, Entry>> tables_;  // by table id
  std::vector<const Entry*> order_;                             // entries changed, in order
  std::vector<Undo> undo_;
  uint64_t input_ = 0;
};

}  // namespace micropay
