// Making and checking the tables.
#include "libs/sqlserver/server_schema.h"

#include <algorithm>
#include <map>
#include <set>

#include "libs/base/log.h"
#include "libs/sqlserver/migrations.h"

namespace micropay {
namespace {

using contract::Dialect;
using contract::Table;

constexpr char kLockName[] = "micropay_schema";
constexpr int kLockSeconds = 60;
constexpr char kChangesOnPostgres[] =
    R"(CREATE TABLE IF NOT EXISTS "schema_change" ("number" bigint PRIMARY KEY, "name" text NOT NULL,
  "needed" bigint NOT NULL, "applied_at" timestamptz NOT NULL DEFAULT now());)";
constexpr char kChangesOnMariadb[] =
    R"(CREATE TABLE IF NOT EXISTS `schema_change` (`number` bigint PRIMARY KEY, `name` varchar(200) NOT NULL,
  `needed` bigint NOT NULL, `applied_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;)";

bool is_postgres(const SqlSession& session) { return session.server() == SqlServer::kPostgres; }
Dialect dialect_of(const SqlSession& session) {
  return is_postgres(session) ? Dialect::kPostgres : Dialect::kMariadb;
}

// Of the database that the session is connected to.
struct Present {
  std::map<std::string, std::vector<std::string>> columns;  // by table
  std::set<int64_t> migrations;
  int64_t needed = 0;
};

Result<Present> read_present(SqlSession& session) {
  const char* here = is_postgres(session) ? "current_schema()" : "DATABASE()";
  session.add(
      fmt::format("SELECT CAST(table_name AS CHAR(100)),CAST(column_name AS CHAR(100)) FROM "
                  "information_schema.columns WHERE table_schema={} ORDER BY 1,ordinal_position",
                  here));
  auto answers = TRY(session.run());
  Present present;
  const auto trimmed = [](std::string_view text) {  // CHAR is padded
    return std::string(text.substr(0, text.find_last_not_of(' ') + 1));
  };
  for (size_t i = 0; i < answers[0]->rows(); ++i)
    present.columns[trimmed(answers[0]->value(i, 0).bytes)].push_back(trimmed(answers[0]->value(i, 1).bytes));
  if (!present.columns.contains("schema_change")) return present;
  session.add("SELECT number,needed FROM schema_change");
  answers = TRY(session.run());
  for (size_t i = 0; i < answers[0]->rows(); ++i) {
    present.migrations.insert(answers[0]->integer(i, 0));
    present.needed = std::max(present.needed, answers[0]->integer(i, 1));
  }
  return present;
}

Result<void> check_version(const Present& present) {
  const int64_t known = migrations().back().number;
  if (present.needed <= known) return {};
  return fail(
      Code::kFailedPrecondition, "newer_format",
      fmt::format("the database needs a version that knows migration {}, this one knows up to {}; use "
                  "the newer version",
                  present.needed, known));
}

Result<void> lock(SqlSession& session) {
  // Two instances that start together: the second waits, and finds everything done.
  if (is_postgres(session))
    return session.execute(
        fmt::format("SET lock_timeout='{}s'; SET statement_timeout=0;"
                    "SELECT pg_advisory_lock(hashtext('{}'))",
                    kLockSeconds, kLockName));
  session.add(fmt::format("SELECT GET_LOCK(CONCAT('{}.',DATABASE()),{})", kLockName, kLockSeconds));
  const auto answers = TRY(session.run());
  if (answers[0]->integer(0, 0) == 1) return {};
  return fail(Code::kUnavailable, "storage_failed",
              "another instance has been changing the schema for a minute");
}

Result<void> apply_migration(SqlSession& session, const Migration& migration) {
  const std::string record = fmt::format("INSERT INTO schema_change(number,name,needed) VALUES({},'{}',{});",
                                         migration.number, migration.name, migration.needed);
  if (is_postgres(session))
    return session.execute(fmt::format("BEGIN;{}{}COMMIT;", migration.postgres, record));
  return session.execute(fmt::format("{}{}", migration.mariadb, record));
}

// One after another: MySQL has no IF NOT EXISTS for an index and says that it is there instead, which is as
// good.
Result<void> execute_each(SqlSession& session, std::string_view statements) {
  while (!statements.empty()) {
    const size_t end = std::min(statements.find(";\n"), statements.size());
    TRY(session.execute(std::string(statements.substr(0, end))));
    statements.remove_prefix(std::min(end + 2, statements.size()));
  }
  return {};
}

Result<void> apply_table(SqlSession& session, const Table& table, const Present& present,
                         std::vector<std::string>& done) {
  const auto found = present.columns.find(table.sql_name);
  if (found == present.columns.end()) {
    done.push_back("table " + table.sql_name);
  } else {
    for (const std::string& sql : contract::additive_sql(table, found->second, dialect_of(session))) {
      TRY(session.execute(sql));
      done.push_back(sql);
    }
  }
  return execute_each(session, contract::create_table_sql(table, dialect_of(session)));
}

Result<void> grant(SqlSession& session, const std::string& role) {
  if (!is_postgres(session)) return {};  // rights there are of a database, and given with the account
  std::string name;
  for (char c : role) name += c == '"' ? "\"\"" : std::string(1, c);
  return session.execute(
      fmt::format("GRANT USAGE ON SCHEMA public TO \"{0}\";"
                  "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"{0}\"",
                  name));
}

}  // namespace

Result<std::vector<std::string>> apply_schema(SqlSession& owner, const SchemaTables& tables,
                                              const std::string& application) {
  TRY(lock(owner));  // given back when the session ends
  TRY(owner.execute(is_postgres(owner) ? kChangesOnPostgres : kChangesOnMariadb));
  Present present = TRY(read_present(owner));
  TRY(check_version(present));
  std::vector<std::string> done;
  for (const Migration& migration : migrations()) {
    if (present.migrations.contains(migration.number)) continue;
    TRY(apply_migration(owner, migration));
    done.push_back(fmt::format("migration {} ({})", migration.number, migration.name));
  }
  if (is_postgres(owner)) TRY(owner.execute("BEGIN"));  // MariaDB commits each of them by itself
  for (const Table* table : tables) TRY(apply_table(owner, *table, present, done));
  if (is_postgres(owner)) TRY(owner.execute("COMMIT"));
  if (!application.empty()) TRY(grant(owner, application));
  return done;
}

Result<void> check_schema(SqlSession& session, const SchemaTables& tables) {
  const Present present = TRY(read_present(session));
  TRY(check_version(present));
  const auto outdated = [](const std::string& what) {
    return fail(Code::kFailedPrecondition, "schema_outdated",
                what + " is missing in the database; start once with the owner's role to have it made");
  };
  for (const Migration& migration : migrations())
    if (!present.migrations.contains(migration.number))
      return outdated(fmt::format("migration {} ({})", migration.number, migration.name));
  for (const Table* table : tables) {
    const auto found = present.columns.find(table->sql_name);
    if (found == present.columns.end()) return outdated("table " + table->sql_name);
    for (const contract::Column& column : contract::column_plan(*table).columns())
      if (std::ranges::find(found->second, column.name) == found->second.end())
        return outdated(fmt::format("column {}.{}", table->sql_name, column.name));
  }
  return {};
}

std::string store_schema_sql(Dialect dialect) {
  const bool postgres = dialect == Dialect::kPostgres;
  std::string sql = fmt::format("{}\n", postgres ? kChangesOnPostgres : kChangesOnMariadb);
  for (const Migration& migration : migrations())
    sql += fmt::format("-- {}: {}{}", migration.number, migration.name,
                       postgres ? migration.postgres : migration.mariadb);
  return sql;
}

}  // namespace micropay
