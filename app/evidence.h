// What `micropay verify` judges: a log, and the tables that should follow from it. A data folder is one, the
// database of a service in a cluster another.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "libs/store/embedded.h"
#include "libs/store/log_segment.h"

namespace micropay::app {

class Evidence {
 public:
  using EachValues = EmbeddedStore::EachValues;
  virtual ~Evidence() = default;
  virtual std::span<const contract::Table* const> tables() const = 0;
  // Whole records from a tick on; a damaged log is the error. A place without a segment: the tick is the
  // place.
  virtual Result<void> read_log(uint64_t from_tick, const TickLog::EachPlace& each) const = 0;
  virtual Result<void> scan_values(const contract::Table& table, const EachValues& each) const = 0;
  virtual Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                              size_t limit) const = 0;
  virtual LogEnd end() const = 0;
  // Text as it stands in a table, when what the log has could not be kept there; into `scratch`.
  virtual std::string_view as_kept(std::string_view text, std::string& /*scratch*/) const { return text; }
};

// The store outlives it.
std::unique_ptr<Evidence> evidence_of(const EmbeddedStore& store);

}  // namespace micropay::app
