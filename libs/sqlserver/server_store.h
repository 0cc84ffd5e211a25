// The store of the cluster profile: the database of one service, written by several instances
// (decisions/0008).
//
//   ServerStoreOptions options{.address = TRY(parse_sql_address(url, password)), .services = {"payment"}};
//   auto store = TRY(ServerStore::open(options, contract::model(), projector.get()));
//
// The rows are as new as the log: a tick's rows, its record in `log`, and the log's end are one transaction,
// held together by the lock of the one row of log_head. A tick reads through a cache that is as of end();
// what others have committed since is taken in at begin_tick(), with each row that has to be read anyway, and
// at commit(). Everybody else reads the database itself.
//
// How it fails: while the server is away, commit() and lists are kUnavailable (storage_failed) and get()
// throws StoreUnavailable after `read_patience`; a full disk is storage_full. A commit whose answer was lost
// is looked for in the log before anything else is done. A database that was restored to an earlier state
// under a running store is log_went_back for good. An instance that was fenced (its lease ran out while it
// stood still) gets kAborted (fenced) for its tick, and goes on with a new epoch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/sqlserver/sql_address.h"
#include "libs/store/store.h"

namespace micropay {

struct ServerStoreOptions {
  SqlAddress address;  // as the application's role
  std::optional<SqlAddress>
      owner;  // the role that makes tables at open; none: the application's may, or all is there
  bool apply_schema = true;                // false: only looks whether all is there
  std::vector<std::string> services = {};  // whose tables the database has, besides the runtime's; empty: all
  std::string instance = {};               // its name in the database; empty: one that nobody else has
  Duration lease = 5 * kSecond;            // an instance that says nothing for so long may be fenced
  size_t cache_rows = 200'000;
  size_t readers = 8;                      // connections for readers
  Duration commit_patience = 3 * kSecond;  // how long a commit waits for a server that is away
  Duration read_patience = 5 * kSecond;
  Duration projection_patience = 10 * kSecond;  // of lists that wait for projections
};

struct ServerStoreStats {
  uint64_t commits, direct_commits, moved, conflicts, fenced, cached_rows, others;
};

class ServerStore : public Store {
 public:
  // Errors: as the server says (kUnavailable), schema_outdated, newer_format, instance_in_use.
  static Result<std::unique_ptr<ServerStore>> open(ServerStoreOptions options, const contract::Model& model,
                                                   Projector* projector);
  virtual const std::string& instance() const = 0;
  virtual ServerStoreStats stats() const = 0;
  // Why nothing can be committed at present; none: it can. Any thread.
  virtual std::optional<Error> problem() const = 0;
  // What open() changed in the database.
  virtual const std::vector<std::string>& open_notes() const = 0;

  // Duties that one instance of the service has at a time, such as publishing its events. Whether this one
  // has it: quick, the database is asked a few times a lease. A moment of two has to do no harm. An instance
  // that is not `suited` takes what nobody else wants, and lets go of what it has while it is not alone. Any
  // thread.
  virtual bool has_duty(std::string_view name, bool suited = true) = 0;
  // How far it is done, 0 at first; only who has the duty sets it.
  virtual Result<uint64_t> duty_position(std::string_view name) const = 0;
  virtual Result<void> set_duty_position(std::string_view name, uint64_t position) = 0;
  // A number that was settled when the database was first used, and holds as long as its log; `now` when it
  // has not been.
  virtual Result<uint64_t> settled_number(std::string_view name, uint64_t now) = 0;
};

}  // namespace micropay
