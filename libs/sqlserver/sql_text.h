// The SQL of the rows of a table: what both servers share, and pieces for what they do not. With ? for
// parameters and "quoted" names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/sqlserver/sql_address.h"
#include "libs/store/list_query.h"

namespace micropay {

std::string quoted(std::string_view name);
std::string columns_sql(const contract::Table& table);                             // "a","b","c"
std::string keys_sql(const contract::Table& table, std::string_view behind = {});  // "a" DESC,"b" DESC
std::string select_sql(const contract::Table& table);                              // SELECT … FROM …
// WHERE of one row, a parameter for each key column.
std::string by_key_sql(const contract::Table& table);
// Rows whose key is greater, a parameter for each key column (twice on MariaDB but for the last one).
struct ListSelect {
  std::string sql;
  std::vector<OwnedValue> parameters;
};
// The SELECT of a planned list, one row more than the page has.
ListSelect list_select(const ListPlan& plan, SqlServer server);
// A chunk of a table in the order of its keys, behind `after` when it is given.
ListSelect chunk_select(const contract::Table& table, const std::vector<OwnedValue>& after, size_t rows,
                        SqlServer server);

// Text as the servers take it: UTF-8 without zero bytes. Nothing else should be in a row; what is there
// anyway becomes U+FFFD, because a row that is in the log cannot be refused. False: it was changed into
// `repaired`.
bool is_storable_text(std::string_view text, std::string& repaired);

}  // namespace micropay
