// Rows of the tables through a session. What is read is as of the statement, so as new as what was answered
// to anybody before.
#pragma once

#include <functional>
#include <span>

#include "libs/sqlserver/sql_session.h"
#include "libs/store/list_query.h"

namespace micropay {

// A row of an answer whose columns are those of the table.
Row row_of(const contract::Table& table, const SqlRows& answer, size_t row);

Result<Row> read_row(SqlSession& session, const contract::Table& table, const std::string& key);

// Adds the SELECT of a list; page_of() makes the page from its answer.
void add_list(SqlSession& session, const ListPlan& plan);
Page page_of(const ListPlan& plan, const SqlRows& answer);

// Adds the statements that write these rows: by table, in the order of the keys, each row once, so that
// whoever writes the same rows does it in the same order.
void add_changes(SqlSession& session, std::span<const RowChange> changes);

// Begins a transaction that only reads, and sees one state of the database.
Result<void> begin_reading(SqlSession& session);
// The columns of the table's rows, in the order of its keys, until `each` returns false.
Result<void> scan_values(SqlSession& session, const contract::Table& table,
                         const std::function<bool(const std::vector<contract::Value>&)>& each);
// One state of the table, in the order of its keys, until `each` returns false.
Result<void> scan_rows(SqlSession& session, const contract::Table& table,
                       const std::function<bool(const Row&)>& each);

}  // namespace micropay
