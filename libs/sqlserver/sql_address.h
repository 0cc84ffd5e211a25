// Where a database server is and who we are there: postgres://user@host:port/database?sslmode=verify-full,
// mysql://… for MariaDB and MySQL. The password is never part of it: it comes from a file or the environment
// and is only handed to the server.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/error.h"

namespace micropay {

enum class SqlServer : uint8_t { kPostgres, kMariadb };  // kMariadb is MySQL, too

struct SqlAddress {
  SqlServer server = SqlServer::kPostgres;
  std::string host;
  uint16_t port = 0;
  std::string database, user, password;
  std::string tls = "prefer";  // disable, prefer, require, verify-ca, verify-full: words of PostgreSQL
  std::string tls_root;        // file with the authorities that are trusted
};

// Refuses (kInvalidArgument, invalid_address) what it does not know: a misspelt option is never ignored.
Result<SqlAddress> parse_sql_address(std::string_view url, std::string password = {});
std::string sql_address_text(const SqlAddress& address);  // without the password, for logs

}  // namespace micropay
