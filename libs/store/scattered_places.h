// The places of all scattered tables of a store, shared by its connections. What is not yet in the tables'
// own notes of it (micropay_place: the hashes of the keys of so many places in a row) is kept here until a
// transaction has taken it there.
#pragma once

#include <map>

#include "libs/contract/model.h"
#include "libs/store/key_places.h"

namespace micropay {

class ScatteredPlaces {
 public:
  static constexpr KeyPlaces::Place kNoted = 4'096;  // places a note

  struct Table {
    const contract::Table* table = nullptr;
    KeyPlaces keys;
    // The writer's alone:
    KeyPlaces::Place noted = 0;    // places up to here are in notes
    std::vector<uint64_t> hashes;  // of those behind, by place; 0: none
    KeyPlaces::Place next() const { return noted + KeyPlaces::Place(hashes.size()) + 1; }
  };

  explicit ScatteredPlaces(const contract::Model& model) {
    for (const contract::Table* table : model.tables())
      if (table->scattered) tables_[table->id].table = table;
  }
  Table& of(const contract::Table& table) { return tables_.at(table.id); }
  std::map<uint32_t, Table>& tables() { return tables_; }

 private:
  std::map<uint32_t, Table> tables_;
};

}  // namespace micropay
