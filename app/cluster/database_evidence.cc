#include "app/cluster/database_evidence.h"

#include "libs/sqlserver/sql_text.h"

namespace micropay::app {
namespace {

constexpr std::string_view kRuntime = "runtime";  // whose tables every database has

}  // namespace

Result<std::unique_ptr<DatabaseEvidence>> DatabaseEvidence::open(const std::string& service,
                                                                 const SqlAddress& address) {
  SchemaTables tables;
  for (const contract::Table* table : contract::model().tables())
    if (table->service->name == service || table->service->name == kRuntime) tables.push_back(table);
  auto snapshot = TRY(DatabaseSnapshot::open(address, std::move(tables)));
  return std::unique_ptr<DatabaseEvidence>(new DatabaseEvidence(service, std::move(snapshot)));
}

Result<void> DatabaseEvidence::read_log(uint64_t from_tick, const TickLog::EachPlace& each) const {
  return snapshot_->read_log(from_tick, [&](const RecordHeader& header, std::string_view stored) {
    return each(header, stored, {});
  });
}

std::string_view DatabaseEvidence::as_kept(std::string_view text, std::string& scratch) const {
  return is_storable_text(text, scratch) ? text : std::string_view(scratch);
}

}  // namespace micropay::app
