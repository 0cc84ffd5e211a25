// Rows of scattered tables in SQLite: in the order in which they came, found by their places in memory. The
// notes of the places (micropay_place) are written with the rows, so a start reads eight bytes a row and not
// the rows themselves.
#include <cstring>

#include "libs/base/check.h"
#include "libs/contract/documents.h"
#include "libs/store/sql_tables.h"

namespace micropay {
namespace {

using contract::kPlaceColumn;
using contract::Table;
using contract::Value;
using Place = KeyPlaces::Place;

constexpr char kNote[] = "INSERT OR REPLACE INTO micropay_place(name, first, hashes) VALUES(?,?,?)";
constexpr char kNotes[] = "SELECT first, hashes FROM micropay_place WHERE name=? ORDER BY first";

// Empty of a row that somebody has given a key that is none.
std::string key_of(const Table& table, const google::protobuf::Message& row) {
  try {
    return table.key_of(row);
  } catch (const std::invalid_argument&) {
    return {};
  }
}

}  // namespace

Result<void> SqlTables::load_places(const contract::Model& model) {
  places_ = std::make_shared<ScatteredPlaces>(model);
  for (auto& [id, places] : places_->tables()) {
    TRY(read_place_notes(places));
    TRY(read_places_behind(places));
  }
  return {};
}

Result<void> SqlTables::read_place_notes(ScatteredPlaces::Table& places) {
  SqlStatement* notes = TRY(own_statement(kNotes));
  notes->bind(1, std::string_view(places.table->sql_name));
  while (TRY(notes->step())) {
    const std::string_view hashes = notes->value(1).bytes;
    if (notes->value(0).integer != int64_t(places.noted) + 1 ||
        hashes.size() != ScatteredPlaces::kNoted * sizeof(uint64_t))
      return damaged("a note of places is none");
    for (Place i = 1; i <= ScatteredPlaces::kNoted; ++i) {
      uint64_t hash = 0;
      std::memcpy(&hash, hashes.data() + (i - 1) * sizeof hash, sizeof hash);
      if (hash != 0) places.keys.add(hash, places.noted + i);
    }
    places.noted += ScatteredPlaces::kNoted;
  }
  notes->reset();
  return {};
}

Result<void> SqlTables::read_places_behind(ScatteredPlaces::Table& places) {
  const Table& table = *places.table;
  const std::string place = fmt::format("\"{}\"", kPlaceColumn);
  auto rows = TRY(connection_->prepare(fmt::format("SELECT {0},{1} FROM \"{2}\" WHERE {1}>? ORDER BY {1}",
                                                   all_columns(table), place, table.sql_name),
                                       table.service->name));
  rows->bind(1, int64_t(places.noted));
  while (TRY(rows->step())) {
    const int64_t at = rows->value(int(contract::column_plan(table).columns().size())).integer;
    if (at < places.next() || at > UINT32_MAX) return damaged("a row lies nowhere");
    places.hashes.resize(size_t(at) - places.noted);
    places.hashes.back() = KeyPlaces::hash_of(key_of(table, *read_row(table, *rows)));
    places.keys.add(places.hashes.back(), Place(at));
  }
  return {};
}

Result<Row> SqlTables::row_at(const Table& table, Place place) {
  TableStatements& statements = of(table);
  if (!statements.get)
    statements.get = TRY(connection_->prepare(
        fmt::format("SELECT {} FROM \"{}\" WHERE \"{}\"=?", all_columns(table), table.sql_name, kPlaceColumn),
        table.service->name));
  statements.get->bind(1, int64_t(place));
  Row row;
  if (TRY(statements.get->step())) row = read_row(table, *statements.get);
  statements.get->reset();
  return row;
}

Result<SqlTables::Scattered> SqlTables::find_scattered(const Table& table, std::string_view key) {
  CHECK(places_ != nullptr);
  Scattered found;
  places_->of(table).keys.find(KeyPlaces::hash_of(key), found_places_);
  for (const Place place : found_places_) {
    Row row = TRY(row_at(table, place));
    if (row == nullptr) found.free = place;
    else if (key_of(table, *row) == key) return Scattered{.place = place, .row = std::move(row)};
  }
  return found;
}

// Keys are new but for a few; a place without a row was meant for this key by a transaction that failed.
Result<Place> SqlTables::place_for(const Table& table, std::string_view key) {
  const Scattered found = TRY(find_scattered(table, key));
  if (found.place != 0) return found.place;
  if (found.free != 0) return found.free;
  ScatteredPlaces::Table& places = places_->of(table);
  const Place place = places.next();
  CHECK(place < UINT32_MAX);
  places.hashes.push_back(KeyPlaces::hash_of(key));
  places.keys.add(places.hashes.back(), place);
  return place;
}

Result<void> SqlTables::erase_scattered(const Table& table, std::string_view key) {
  const Scattered found = TRY(find_scattered(table, key));
  if (found.place == 0) return {};
  TableStatements& statements = of(table);
  if (!statements.erase)
    statements.erase = TRY(connection_->prepare(
        fmt::format("DELETE FROM \"{}\" WHERE \"{}\"=?", table.sql_name, kPlaceColumn), table.service->name));
  statements.erase->bind(1, int64_t(found.place));
  return statements.erase->run();
}

// Notes of places that are full; they count as noted when the transaction did.
Result<void> SqlTables::note_places() {
  if (places_ == nullptr) return {};
  SqlStatement* note = TRY(own_statement(kNote));
  for (auto& [id, places] : places_->tables())
    for (size_t done = 0; places.hashes.size() - done >= ScatteredPlaces::kNoted;
         done += ScatteredPlaces::kNoted) {
      note->bind(1, std::string_view(places.table->sql_name));
      note->bind(2, int64_t(places.noted + done) + 1);
      note->bind(3, Value{.kind = Value::Kind::kBlob,
                          .integer = 0,
                          .bytes = {reinterpret_cast<const char*>(places.hashes.data() + done),
                                    ScatteredPlaces::kNoted * sizeof(uint64_t)}});
      TRY(note->run());
    }
  return {};
}

void SqlTables::places_are_noted() {
  if (places_ == nullptr) return;
  for (auto& [id, places] : places_->tables()) {
    const size_t full = places.hashes.size() / ScatteredPlaces::kNoted * ScatteredPlaces::kNoted;
    places.hashes.erase(places.hashes.begin(), places.hashes.begin() + ptrdiff_t(full));
    places.noted += Place(full);
  }
}

Result<void> SqlTables::scan_scattered(const Table& table, const EachValues& each) {
  auto statement = TRY(connection_->prepare(fmt::format("SELECT {0},\"{1}\" FROM \"{2}\" ORDER BY \"{1}\"",
                                                        all_columns(table), kPlaceColumn, table.sql_name),
                                            table.service->name));
  while (TRY(statement->step())) {
    read_values(table, *statement);
    const std::shared_ptr<google::protobuf::Message> row = table.make();
    contract::column_plan(table).read(values_, *row);
    if (!each(values_)) break;
    TRY(check_place(table, *row, statement->value(int(values_.size())).integer));
  }
  return {};
}

// That a row is found by its key, and no other row is.
Result<void> SqlTables::check_place(const Table& table, const google::protobuf::Message& row, int64_t place) {
  const std::string key = key_of(table, row);
  places_->of(table).keys.find(KeyPlaces::hash_of(key), found_places_);
  bool found = false, twice = false;
  for (const Place each : found_places_) {
    found |= int64_t(each) == place;
    if (int64_t(each) == place) continue;
    const Row other = TRY(row_at(table, each));
    twice |= other != nullptr && key_of(table, *other) == key;
  }
  if (!found || twice) return damaged(fmt::format("a row of {} is not found by its key", table.sql_name));
  return {};
}

}  // namespace micropay
