#include "libs/sqlserver/sessions.h"
namespace micropay {
Result<std::unique_ptr<SqlSession>> open_mariadb(const SqlAddress&, const SqlOptions&) {
  return fail(Code::kUnimplemented, "not_served", "MariaDB is not there yet");
}
}  // namespace micropay
