// What the tests of the store on a server share: databases of their own on the servers that
// MICROPAY_TEST_POSTGRES and MICROPAY_TEST_MARIADB name (tests/servers/with.py starts them).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libs/sqlserver/server_store.h"
#include "libs/sqlserver/sql_session.h"

namespace micropay::test {

// Of the server's administrator; none when the server is not there.
std::optional<SqlAddress> test_server(SqlServer server);

// A database that is dropped at the end.
class ScratchDatabase {
 public:
  explicit ScratchDatabase(const SqlAddress& server);
  ~ScratchDatabase();
  const SqlAddress& address() const { return address_; }
  // A store over it; every call is another instance.
  Result<std::unique_ptr<ServerStore>> open(Projector* projector = nullptr,
                                            ServerStoreOptions options = {}) const;
  // Of the administrator, for looking and for disturbing.
  std::unique_ptr<SqlSession> session() const;
  int64_t number(const std::string& sql) const;  // of the only row's first column

 private:
  SqlAddress server_, address_;
};

}  // namespace micropay::test
