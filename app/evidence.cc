#include "app/evidence.h"

namespace micropay::app {
namespace {

class FolderEvidence final : public Evidence {
 public:
  explicit FolderEvidence(const EmbeddedStore& store) : store_(store) {}
  std::span<const contract::Table* const> tables() const override { return contract::model().tables(); }
  Result<void> read_log(uint64_t from_tick, const TickLog::EachPlace& each) const override {
    return store_.log().read_places(from_tick, each);
  }
  Result<void> scan_values(const contract::Table& table, const EachValues& each) const override {
    return store_.scan_values(table, each);
  }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    return store_.read_events(position, limit);
  }
  LogEnd end() const override { return store_.end(); }

 private:
  const EmbeddedStore& store_;
};

}  // namespace

std::unique_ptr<Evidence> evidence_of(const EmbeddedStore& store) {
  return std::make_unique<FolderEvidence>(store);
}

}  // namespace micropay::app
