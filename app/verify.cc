// The checks of `micropay verify`, in an order in which the first failure is the cause of the later ones: the
// log, the tables that follow from it, the invariants of the money, the audit chain.
#include "app/verify.h"

#include "app/data_folder.h"
#include "app/instance.h"
#include "app/invariants.h"
#include "app/replay.h"
#include "contracts/audit.pb.h"
#include "contracts/runtime.pb.h"
#include "libs/contract/json.h"
#include "libs/store/embedded.h"
#include "services/audit/rules.h"

namespace micropay::app {
namespace {

class Stopwatch {
 public:
  Duration lap() {
    const Time now = system_clock().monotonic();
    return now - std::exchange(started_, now);
  }

 private:
  Time started_ = system_clock().monotonic();
};

// Readable to its end, without damage or gaps.
Check check_log(const std::string& data, Progress& progress) {
  Stopwatch watch;
  Check check{.name = "log is whole", .unit = "events"};
  uint64_t tick = 0, position = 0, ticks = 0;
  const auto read = read_log(data, 0, [&](const TickRecord& record) {
    if (tick != 0 && record.tick() != tick + 1)
      check.problem = fmt::format("tick {} follows tick {}", record.tick(), tick);
    for (const Envelope& event : record.events()) {
      if (position != 0 && event.position() != position + 1)
        check.problem = fmt::format("event {} follows event {}", event.position(), position);
      position = event.position();
    }
    tick = record.tick(), ++ticks, check.count += uint64_t(record.events_size());
    progress.count(check.count, "events");
    return check.problem.empty();
  });
  if (!read) check.problem = read.error().detail.empty() ? read.error().reason : read.error().detail;
  check.ok = check.problem.empty();
  check.unit = fmt::format("events in {} ticks", grouped(ticks));
  check.took = watch.lap();
  return check;
}

Result<void> check_tables(const std::string& data, const Store& store, Progress& progress,
                          VerifyReport& report) {
  Stopwatch watch;
  const auto projector = all_projections();
  auto rebuilt = TRY(rebuild_tables(data, *projector, [&](const std::string& line) { progress.step(line); }));
  Check check{.name = "tables equal the log", .unit = "rows"};
  const auto each = [&](const TableComparison& table) {
    check.count += table.rows, progress.count(check.count, "rows");
  };
  for (const TableComparison& table : TRY(compare_tables(store, *rebuilt, contract::model(), each)))
    if (!table.difference.empty() && check.problem.empty()) check.problem = table.difference;
  check.unit = fmt::format("rows in {} tables", contract::model().tables().size());
  check.ok = check.problem.empty();
  check.took = watch.lap();
  report.checks.push_back(std::move(check));
  return {};
}

// Every event of the log has its entry, with the digest of its bytes; the chain itself is among the
// invariants.
Result<void> check_trail(const std::string& data, const Store& store, Progress& progress,
                         VerifyReport& report) {
  Stopwatch watch;
  Check check{.name = "audit trail matches the log", .unit = "entries"};
  const contract::Table& blocks = *contract::model().table_of<AuditBlock>();
  AuditEntries entries;
  uint64_t loaded = UINT64_MAX;
  TRY(read_log(data, 0, [&](const TickRecord& tick) {
    for (const Envelope& event : tick.events()) {
      const uint64_t number = audit::block_of(event.position());
      const int place = int(audit::place_in_block(event.position()));
      if (number != std::exchange(loaded, number)) {
        const Row row = store.get(blocks, *blocks.encode_key({fmt::format("{}", number)}));
        entries = row ? audit::entries_of(static_cast<const AuditBlock&>(*row)).value_or(AuditEntries())
                      : AuditEntries();
      }
      if (place >= entries.entries_size())
        check.problem = fmt::format("entry {} is missing", event.position());
      else if (const auto problem = audit::verify_entry(entries.entries(place), event))
        check.problem = fmt::format("entry {}: {}", problem->sequence, problem->text);
      if (!check.problem.empty()) return false;
      progress.count(++check.count, "entries");
    }
    return true;
  }));
  check.ok = check.problem.empty();
  check.took = watch.lap();
  report.checks.push_back(std::move(check));
  return {};
}

Result<uint64_t> count_rows(const Store& store, const google::protobuf::Descriptor* descriptor) {
  uint64_t count = 0;
  TRY(store.scan(*contract::model().table(descriptor), [&](const Row&) { return ++count > 0; }));
  return count;
}

Result<void> add_notes(const Store& store, VerifyReport& report) {
  const uint64_t effects = TRY(count_rows(store, EffectRecord::descriptor()));
  const uint64_t deliveries = TRY(count_rows(store, DeliveryRecord::descriptor()));
  uint64_t letters = 0;
  TRY(store.scan(*contract::model().table_of<DeadLetter>(), [&](const Row& row) {
    letters += static_cast<const DeadLetter&>(*row).status() == DeadLetter::OPEN;
    return true;
  }));
  if (effects > 0)
    report.notes.push_back(fmt::format("{} calls to the outside are waiting to be made", grouped(effects)));
  if (deliveries > 0)
    report.notes.push_back(fmt::format("{} events wait to be handled again", grouped(deliveries)));
  if (letters > 0)
    report.notes.push_back(
        fmt::format("{} dead letters are open: GET /api/v1/dead-letters", grouped(letters)));
  return {};
}

}  // namespace

Result<VerifyReport> verify_folder(const std::string& data, Progress& progress) {
  TRY(require_data_folder(data));
  Stopwatch watch;
  VerifyReport report;
  report.checks.push_back(check_log(data, progress));
  if (!report.ok()) {  // everything else rests on it
    report.took = watch.lap();
    return report;
  }
  const auto projector = all_projections();
  const auto store =
      TRY(EmbeddedStore::open({.folder = data, .read_only = true}, contract::model(), projector.get()));
  TRY(check_tables(data, *store, progress, report));
  for (InvariantResult& invariant : check_invariants(*store, contract::model()))
    report.checks.push_back({.name = std::move(invariant.name),
                             .count = invariant.checked,
                             .unit = "",
                             .ok = invariant.ok,
                             .problem = std::move(invariant.problem)});
  TRY(check_trail(data, *store, progress, report));
  TRY(add_notes(*store, report));
  report.took = watch.lap();
  return report;
}

bool VerifyReport::ok() const {
  return std::ranges::all_of(checks, [](const Check& check) { return check.ok; });
}

std::string VerifyReport::text() const {
  std::vector<std::vector<std::string>> rows{{"", "check", "count", "time"}};
  for (const Check& check : checks) {
    rows.push_back({check.ok ? "ok" : "FAILED", check.name,
                    check.unit.empty() ? grouped(check.count) : grouped(check.count) + " " + check.unit,
                    check.took ? seconds_text(*check.took) : ""});
  }
  std::string out = text_table(rows) + "\n";
  for (const Check& check : checks)
    if (!check.ok) out += fmt::format("{}: {}\n", check.name, check.problem);
  for (const std::string& note : notes) out += fmt::format("note: {}\n", note);
  const auto failed = std::ranges::count_if(checks, [](const Check& check) { return !check.ok; });
  out += failed == 0
             ? fmt::format("All {} checks hold ({}).\n", checks.size(), seconds_text(took))
             : fmt::format("{} of {} checks failed ({}).\n", failed, checks.size(), seconds_text(took));
  return out;
}

std::string VerifyReport::json() const {
  std::string out = fmt::format("{{\"ok\":{},\"seconds\":{:.3f},\"checks\":[", ok(), double(took) / kSecond);
  for (size_t i = 0; i < checks.size(); ++i) {
    out += i == 0 ? "{\"name\":" : ",{\"name\":";
    contract::append_json_string(out, checks[i].name);
    out += fmt::format(",\"ok\":{},\"count\":{},\"problem\":", checks[i].ok, checks[i].count);
    contract::append_json_string(out, checks[i].problem);
    out += "}";
  }
  out += "],\"notes\":[";
  for (size_t i = 0; i < notes.size(); ++i) {
    if (i > 0) out += ",";
    contract::append_json_string(out, notes[i]);
  }
  return out + "]}\n";
}

}  // namespace micropay::app
