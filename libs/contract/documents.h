// What people and tools read of the contracts: OpenAPI, SQL schema, the event catalogue. All derived.
#pragma once

#include <string>

#include "libs/contract/model.h"

namespace micropay::contract {

// OpenAPI 3.1 as JSON: every route with parameters, bodies, bounds, answers and problem documents, security
// schemes, Idempotency-Key, Prefer, If-Match, If-None-Match, fields, rate-limit headers.
std::string openapi(const Model& model, std::string_view version);

enum class Dialect { kSqlite, kPostgres, kMariadb };  // kMariadb: MySQL, too, but for its collations
// CREATE TABLE and CREATE INDEX statements of one table, scalar fields as columns; each ends with a semicolon
// and does nothing when it was done. A table that lacks columns needs additive_sql first: the indexes may be
// over new columns.
std::string create_table_sql(const Table& table, Dialect dialect);
// Of the rows that stand in an index with `except`, as its condition in SQLite; a list says it, too, so that
// SQLite sees that the index has every row it wants.
std::string unless_sql(const Index& index);
// What a scattered table has in SQLite beside the columns of its fields: where a row lies, its primary key.
constexpr char kPlaceColumn[] = "store_place";
// What a table with `arrival` has there behind them: the number of the row's stretch.
constexpr char kStretchColumn[] = "store_stretch";
// ADD COLUMN statements that bring a table with these columns to the contract; empty when it is there.
std::vector<std::string> additive_sql(const Table& table, const std::vector<std::string>& present_columns,
                                      Dialect dialect);

// Markdown: every event with type, topic, key, emitter, fields. docs/events.md is this, and a test compares.
std::string event_catalogue(const Model& model);
// Markdown: every route with access, rate class, summary. docs/api.md is this.
std::string route_catalogue(const Model& model);

}  // namespace micropay::contract
