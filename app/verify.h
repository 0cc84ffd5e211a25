// `micropay verify`: every invariant that can be checked of a data folder at rest, each as a line of a
// report.
//
// The log is read once and every table scanned once: see docs/decisions/0005. Nothing in the folder is
// changed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/console.h"
#include "app/table_pass.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::app {

struct Check {
  std::string name;  // "log is whole"
  uint64_t count = 0;
  std::string unit = {};  // what was counted: "events"
  bool ok = true;
  std::string problem = {};           // the first one, with its place
  std::optional<Duration> took = {};  // none: part of an earlier one
  std::string next = {};              // what to do about it
  // Of a cluster: what fails may be under way between services, and no fault; it holds at rest, or is one.
  bool under_way = false;
  std::vector<TableComparison> tables = {};  // that differ
};

struct VerifyReport {
  std::vector<Check> checks;
  Duration took = 0;
  uint64_t memory_bytes = 0;       // the most that was in use
  AuditHead head;                  // of the chain as the log makes it
  bool at_rest = true;             // of a cluster: nothing is under way between services
  bool topics_read = true;         // of a cluster
  std::vector<std::string> notes;  // worth knowing, and no fault: work that waits, dead letters
  bool ok() const;                 // no fault was found
  std::string text() const;        // a table
  std::string json() const;        // docs/cli.md has its shape
};

class Stopwatch {
 public:
  Duration lap() {
    const Time now = system_clock().monotonic();
    return now - std::exchange(started_, now);
  }

 private:
  Time started_ = system_clock().monotonic();
};
uint64_t most_memory();  // bytes that this process has used at most

struct VerifyOptions {
  std::string data;                          // a folder that no process holds
  std::optional<AuditHead> known_head = {};  // one that was noted earlier must be part of the chain
};

// A damaged log or damaged tables are failed checks; an error is what keeps it from looking at all (no data
// folder, no scratch space, a newer format).
Result<VerifyReport> verify_folder(const VerifyOptions& options, Progress& progress);

// "1234:89ab…" as the report prints it.
std::optional<AuditHead> parse_audit_head(std::string_view text);
std::string audit_head_text(const AuditHead& head);

}  // namespace micropay::app
