// The two kinds of sessions, for SqlSession::open() alone.
#pragma once

#include "libs/sqlserver/sql_session.h"

namespace micropay {

Result<std::unique_ptr<SqlSession>> open_postgres(const SqlAddress& address, const SqlOptions& options);
Result<std::unique_ptr<SqlSession>> open_mariadb(const SqlAddress& address, const SqlOptions& options);

}  // namespace micropay
