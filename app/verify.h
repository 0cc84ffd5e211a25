// `micropay verify`: every invariant that can be checked of a data folder at rest, each as a line of a
// report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/console.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::app {

struct Check {
  std::string name;  // "log is whole"
  uint64_t count = 0;
  std::string unit;  // what was counted: "events"
  bool ok = true;
  std::string problem;                // the first one
  std::optional<Duration> took = {};  // none: part of the whole
};

struct VerifyReport {
  std::vector<Check> checks;
  Duration took = 0;
  std::vector<std::string> notes;  // worth knowing, and no fault: work that waits, dead letters
  bool ok() const;
  std::string text() const;  // a table
  std::string json() const;
};

// Of a folder that no process holds. An error: it could not be opened at all.
Result<VerifyReport> verify_folder(const std::string& data, Progress& progress);

}  // namespace micropay::app
