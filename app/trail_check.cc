#include "app/trail_check.h"

#include "contracts/audit.pb.h"
#include "libs/store/event_window.h"
#include "services/audit/rules.h"

namespace micropay::app {

std::string broken_chain(const Evidence& evidence, uint64_t& entries) {
  const contract::Table& blocks = *contract::model().table_of<AuditBlock>();
  audit::ChainHead head;
  std::string problem;
  EventWindow log([&](uint64_t from, size_t limit) { return evidence.read_events(from, limit); }, 1024);
  AuditBlock block;
  const auto read = evidence.scan_values(blocks, [&](const std::vector<contract::Value>& values) {
    block.Clear();
    contract::column_plan(blocks).read(values, block);
    if (const auto found = audit::broken_entry(block, log, head))
      problem = fmt::format("entry {}: {}", found->sequence, found->text);
    return problem.empty();
  });
  if (!read) problem = read.error().detail;
  entries = head.next_sequence - 1;
  if (problem.empty() && head.next_sequence != evidence.end().next_position)
    problem = fmt::format("entry {} is missing", head.next_sequence);
  return problem;
}

}  // namespace micropay::app
