// The SQL that only PostgreSQL gets: rows as arrays of columns, parameters by number.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/contract/columns.h"

namespace micropay {

// "?" becomes "$1", "$2" …; our statements have no ? but as parameters.
std::string numbered(std::string_view sql);

// The statements of a table's rows.
struct TableSql {
  explicit TableSql(const contract::Table& table);
  std::vector<const contract::Column*> columns, keys;
  std::string put, erase, get_one, get_many;
};

// Made once in each thread; of the tables of one model.
const TableSql& sql_of(const contract::Table& table);

}  // namespace micropay
