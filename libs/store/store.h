// Where rows and the log are kept. The engine is the only one that commits; anyone may read.
//
//   store.begin_tick();
//   Tick tick{...};             // everything one tick did: its events and the rows as they are now
//   TRY(store.commit(tick));    // durable when it returns; visible to get() from then on
//
// EmbeddedStore (a log of packed ticks that is the truth, and SQLite tables made from it behind the hot path)
// and MemoryStore (tests, simulator) have one writer; decisions/0001 says why the log is not a table. Of a
// store in a database server (libs/sqlserver) there are several at a time: decisions/0008.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/contract/model.h"
#include "libs/store/envelope.h"

namespace micropay {

using Row = std::shared_ptr<const google::protobuf::Message>;  // null: no such row

struct RowChange {
  const contract::Table* table = nullptr;
  std::string key;  // Table::key_of
  Row row;          // null: erased
};

// An event with its envelope (its position set) and its message, parsed.
struct EventRecord {
  Envelope envelope;  // envelope.data may be empty until the event is stored
  const contract::Event* type = nullptr;
  std::shared_ptr<const google::protobuf::Message> message;
};

struct Tick {
  uint64_t number = 0;          // from 1, without gaps
  uint64_t first_position = 0;  // of events[0]; positions are from 1, without gaps
  Time time = 0;
  std::vector<std::shared_ptr<const EventRecord>> events;
  std::vector<RowChange> changes;
};

// One condition of a list: column (JSON or column name of a scalar field), comparison, value in API text
// form.
struct Filter {
  std::string field;
  enum class Op : uint8_t { kEqual, kGreaterEqual, kLess, kIn } op = Op::kEqual;
  std::string value;
  std::vector<std::string> any_of;  // of kIn, at most 100
};

struct ListQuery {
  const contract::Table* table = nullptr;
  std::vector<Filter> filters;
  std::string order_by;  // "createdAt desc"; a column of an index or of the primary key; empty: primary key,
                         // newest first when the first key field is a UUID
  uint32_t page_size = 0;   // 0: 50; at most 500
  std::string page_token;   // opaque, from an earlier page of the same query; or "offset:N"
  bool of_applied = false;  // while the tables cannot be written (a full disk): what they have, not an error
};

struct Page {
  std::vector<Row> rows;
  std::string next_page_token;  // empty on the last page
};

// What the log says of itself.
struct LogEnd {
  uint64_t tick = 0;           // last
  uint64_t next_position = 1;  // of the next event
  Time time = 0;               // of the last tick; no later one is before it
};

class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual Row get(const contract::Table& table, const std::string& key) const = 0;
  // Errors: unknown field or order (invalid_filter, invalid_order), a token of another query
  // (invalid_page_token).
  virtual Result<Page> list(const ListQuery& query) const = 0;
};

// What the handlers of a tick are about: a row they will look for, or, without a table, the key of whatever
// it is.
struct ExpectedRow {
  const contract::Table* table = nullptr;
  std::string key;  // Table::key_of; without a table the text of an id
};

// Thrown by a tick's reader when a row is newer than the state that the tick began with: what it has read so
// far and this row never stood beside each other, and no handler may see them together.
struct StoreConflict {};

// Thrown by get(), which has no other way to say it, when a store on a server cannot be reached for longer
// than a reader should wait: what was asked for is unknown, and nothing may be decided without it.
struct StoreUnavailable {
  Error error;
};

class Store : public RowReader {
 public:
  // What a tick reads through: every row as of end(). A store that others write, too, throws StoreConflict
  // instead of a newer row.
  virtual const RowReader& tick_reader() const { return *this; }
  // On the engine's thread, before each tick: from now on it is noted what the tick reads, and what others
  // are known to have committed is taken in.
  virtual void begin_tick() {}
  // After begin_tick(), before the first read: a store far away may read these in one request. A hint.
  virtual void expect(std::span<const ExpectedRow> /*rows*/) {}
  // Durable when it returns; an error leaves nothing behind (kUnavailable, storage_full or storage_failed)
  // and the same tick number may be tried again. Takes the tick's changes; its events stay. Of a store that
  // several processes write: kAborted (conflict) when another has changed what the tick read or writes;
  // otherwise it may have been moved behind what others have committed: number, first position, time and the
  // positions of its events then say where it is.
  virtual Result<void> commit(Tick& tick) = 0;
  Result<void> commit(Tick&& tick) { return commit(tick); }
  virtual LogEnd end() const = 0;
  // Whether nobody else has changed what was read since begin_tick(). Asked before answers of a tick that
  // changes nothing: a refusal over an old state would be a wrong one.
  virtual bool current() const { return true; }
  // After a conflict: reads and end() show what is there now.
  virtual void refresh() {}
  // Ticks of others that were taken in since the last call, in order.
  virtual std::vector<std::shared_ptr<const Tick>> news() { return {}; }
  // `wake` is called, on any thread, when others have committed something that begin_tick() would take in.
  virtual void on_foreign_commit(std::function<void()> /*wake*/) {}
  // Events from `position` on, at most `limit`, in order. Any thread.
  virtual Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                              size_t limit) const = 0;
  // Rows of a table in key order, for verify and replay: calls until `each` returns false.
  virtual Result<void> scan(const contract::Table& table,
                            const std::function<bool(const Row&)>& each) const = 0;
  // Waits until everything committed before the call is in the tables and in the projections. Fails when the
  // tables cannot be written at present (storage_full); get() stays right all the same.
  virtual Result<void> catch_up() const = 0;
};

// Makes the rows of projection tables from events; they are written together with the rows of the same ticks.
// Rebuilding from the log gives the same bytes only when the answer depends on nothing but the events in
// order and the service's own projection rows. So: `reader` shows projection tables alone (CHECK), as they
// are after all earlier events; how events are cut into calls must not matter; and it must not throw.
class Projector {
 public:
  virtual ~Projector() = default;
  // The services that have projections. One that is new to a data folder gets the whole log before open
  // returns.
  virtual std::vector<std::string> services() const = 0;
  // Of the code that makes a service's projections: tables of another version are made anew at open.
  virtual uint64_t version(std::string_view /*service*/) const { return 0; }
  // `only_service`: of this service alone (it catches up); empty: of all.
  virtual std::vector<RowChange> project(const std::vector<std::shared_ptr<const EventRecord>>& events,
                                         const RowReader& reader, std::string_view only_service) = 0;
};

std::unique_ptr<Store> make_memory_store(const contract::Model& model, Projector* projector = nullptr);

}  // namespace micropay
