// The database of a service, as evidence: one state of it, read by one thread at a time.
#pragma once

#include "app/evidence.h"
#include "libs/sqlserver/database_snapshot.h"

namespace micropay::app {

class DatabaseEvidence final : public Evidence {
 public:
  // Takes its snapshot now.
  static Result<std::unique_ptr<DatabaseEvidence>> open(const std::string& service,
                                                        const SqlAddress& address);

  const std::string& service() const { return service_; }
  std::optional<uint64_t> position(std::string_view name) const { return snapshot_->position(name); }

  std::span<const contract::Table* const> tables() const override { return snapshot_->tables(); }
  Result<void> read_log(uint64_t from_tick, const TickLog::EachPlace& each) const override;
  Result<void> scan_values(const contract::Table& table, const EachValues& each) const override {
    return snapshot_->scan_values(table, each);
  }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    return snapshot_->read_events(position, limit, contract::model());
  }
  LogEnd end() const override { return snapshot_->end(); }
  std::string_view as_kept(std::string_view text, std::string& scratch) const override;

 private:
  DatabaseEvidence(std::string service, std::unique_ptr<DatabaseSnapshot> snapshot)
      : service_(std::move(service)), snapshot_(std::move(snapshot)) {}

  const std::string service_;
  const std::unique_ptr<DatabaseSnapshot> snapshot_;
};

}  // namespace micropay::app
