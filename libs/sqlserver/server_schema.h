// The tables of a service's database: those of the contracts, and the store's own (log, log_head, instance,
// projection). Made and extended under a lock, so that instances may start together: additive changes follow
// from the contracts, everything else is a numbered migration that is recorded in schema_change.
//
// Two roles: the owner of the tables calls apply_schema() and is gone; the application's role may only read
// and write rows, and calls check_schema().
#pragma once

#include <string>
#include <vector>

#include "libs/contract/documents.h"
#include "libs/sqlserver/sql_session.h"

namespace micropay {

using SchemaTables = std::vector<const contract::Table*>;

// Returns what was done, a line each. `application` is the role that gets rights to the rows; empty or the
// owner itself: nobody does. Errors: newer_format when the database needs a newer version than this one.
Result<std::vector<std::string>> apply_schema(SqlSession& owner, const SchemaTables& tables,
                                              const std::string& application);
// schema_outdated when a table, a column or a migration is missing, saying which.
Result<void> check_schema(SqlSession& session, const SchemaTables& tables);

// The store's own tables, as migrations make them, to be read.
std::string store_schema_sql(contract::Dialect dialect);

}  // namespace micropay
