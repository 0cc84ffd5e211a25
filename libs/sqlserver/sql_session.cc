// What sessions of both servers have in common.
#include "libs/sqlserver/sql_session.h"

#include "libs/sqlserver/sessions.h"

namespace micropay {

using contract::Value;

Result<std::unique_ptr<SqlSession>> SqlSession::open(const SqlAddress& address, const SqlOptions& options) {
  return address.server == SqlServer::kPostgres ? open_postgres(address, options)
                                                : open_mariadb(address, options);
}

void SqlSession::roll_back() {
  if (broken() || !in_transaction()) return;
  (void)execute("ROLLBACK");
}

Value sql_value(int64_t integer) { return {.kind = Value::Kind::kInteger, .integer = integer, .bytes = {}}; }
Value sql_value(uint64_t integer) { return sql_value(static_cast<int64_t>(integer)); }
Value sql_text(std::string_view text) { return {.kind = Value::Kind::kText, .integer = 0, .bytes = text}; }
Value sql_blob(std::string_view bytes) { return {.kind = Value::Kind::kBlob, .integer = 0, .bytes = bytes}; }

}  // namespace micropay
