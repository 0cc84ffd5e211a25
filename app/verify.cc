// The checks of `micropay verify`, in an order in which the first failure is the cause of the later ones: the
// log, the tables that follow from it, the invariants of the money, the audit chain.
#include "app/verify.h"

#include <thread>

#include "app/data_folder.h"
#include "app/follow_check.h"
#include "app/instance.h"
#include "app/invariants.h"
#include "app/trail_check.h"
#include "contracts/audit.pb.h"
#include "contracts/runtime.pb.h"
#include "libs/store/embedded.h"

namespace micropay::app {
namespace {

constexpr char kRestore[] =
    "keep a copy of this folder; restore the last backup that verifies (micropay restore)";
constexpr char kRebuild[] =
    "the log is whole and is the truth: stop the platform and make the tables anew with micropay replay "
    "--rebuild";
constexpr char kInvestigate[] =
    "tables and log agree, so a service did this: stop payments, keep a copy of this folder, see the events "
    "of the "
    "account or payment (micropay events show)";

constexpr char kMissed[] =
    "a service was not given an event: keep a copy of this folder and report it; micropay events show tells "
    "what "
    "the event was";

class Verification {
 public:
  Verification(const VerifyOptions& options, Progress& progress)
      : options_(options), progress_(progress), projector_(all_projections()), follows_(services_at_rest()) {}

  Result<VerifyReport> run() {
    Stopwatch watch;
    TRY(require_data_folder(options_.data));
    const bool opened = TRY(open());
    if (opened && check_log()) {
      check_tables();
      check_trail();
      TRY(add_notes());
    }
    report_.took = watch.lap();
    report_.memory_bytes = most_memory();
    return std::move(report_);
  }

 private:
  // False: it is so damaged that it cannot be opened, which the report says.
  Result<bool> open() {
    Stopwatch watch;
    auto store = EmbeddedStore::open({.folder = options_.data,
                                      .read_only = true,
                                      .progress = [this](const std::string& line) { progress_.step(line); }},
                                     contract::model(), projector_.get());
    if (store) return store_ = std::move(*store), true;
    const Error& error = store.error();
    const bool log = error.reason == "log_damaged";
    if (!log && error.reason != "tables_damaged") return std::unexpected(error);
    report_.checks.push_back({.name = log ? "log is whole" : "tables equal the log",
                              .unit = log ? "events" : "rows",
                              .ok = false,
                              .problem = error.detail,
                              .took = watch.lap(),
                              .next = log ? kRestore : kRebuild});
    return false;
  }

  bool check_log() {
    Stopwatch watch;
    const uint64_t end = store_->end().next_position;
    const auto read = log_.run(*evidence_of(*store_),
                               {.known = options_.known_head,
                                .look_at_record = [this](const TickRecord& record) { follows_.take(record); },
                                .tell =
                                    [&](uint64_t events) {
                                      progress_.step(fmt::format("Reading the log: {} of {} events",
                                                                 grouped(events), grouped(end - 1)));
                                    }});
    Check check{.name = "log is whole",
                .count = log_.events(),
                .unit = fmt::format("events in {} ticks", grouped(log_.ticks())),
                .took = watch.lap()};
    if (!read) check.problem = read.error().detail.empty() ? read.error().reason : read.error().detail;
    else if (log_.ticks() != store_->end().tick || log_.events() + 1 != end)
      check.problem = fmt::format("it ends at tick {}, and {} were read", store_->end().tick, log_.ticks());
    add(std::move(check), kRestore);
    if (!report_.ok()) return false;
    add({.name = "every follower was given each of its events",
         .count = follows_.followed(),
         .unit = "events",
         .problem = follows_.problem()},
        kMissed);
    return true;
  }

  void check_tables() {
    Stopwatch watch;
    InvariantFold fold;
    TablePassOptions options;
    options.threads = std::clamp(std::thread::hardware_concurrency(), 2u, 4u);
    options.visit = [&fold](const contract::Table& table, std::string_view bytes) {
      return fold.add_bytes(table, bytes);
    };
    options.tell = [this](uint64_t rows) {
      progress_.step(fmt::format("Comparing the tables: {} rows", grouped(rows)));
    };
    Check check{.name = "tables equal the log"};
    for (TableComparison& table : compare_tables(*evidence_of(*store_), log_, options)) {
      check.count += table.rows;
      if (table.equal()) continue;
      if (check.problem.empty()) check.problem = table.text();
      check.tables.push_back(std::move(table));
    }
    check.unit = fmt::format("rows in {} tables", contract::model().tables().size());
    check.took = watch.lap();
    const bool equal = check.problem.empty();
    add(std::move(check), kRebuild);
    for (InvariantResult& invariant : fold.finish())
      add({.name = std::move(invariant.name),
           .count = invariant.checked,
           .unit = "rows",
           .problem = std::move(invariant.problem)},
          equal ? kInvestigate : kRebuild);
  }

  // The blocks that the log makes were compared with the rest of the tables: the chain follows from that.
  // When they differ, the chain is walked to name the entry.
  void check_trail() {
    Stopwatch watch;
    const Check& tables = *std::ranges::find(report_.checks, "tables equal the log", &Check::name);
    const contract::Table& blocks = *contract::model().table_of<AuditBlock>();
    const auto differs = std::ranges::find(tables.tables, &blocks, &TableComparison::table);
    Check chain{.name = "the audit chain is unbroken", .count = log_.events(), .unit = "entries"};
    if (differs != tables.tables.end()) {
      chain.problem = broken_chain(*evidence_of(*store_), chain.count);
      if (chain.problem.empty()) chain.problem = differs->text();
    }
    chain.took = watch.lap();
    add(std::move(chain), kRebuild);
    report_.head = log_.head();
    if (!options_.known_head) return;
    add({.name = "the noted audit head is part of the chain",
         .count = options_.known_head->sequence,
         .unit = "entries",
         .problem = log_.known_head_met()
                        ? ""
                        : fmt::format(
                              "entry {} has another hash, or is not there: what lies before it was rewritten",
                              options_.known_head->sequence)},
        "keep a copy of this folder; compare it with a backup of that time");
  }

  Result<uint64_t> count_rows(const google::protobuf::Descriptor* descriptor) {
    uint64_t count = 0;
    TRY(store_->scan(*contract::model().table(descriptor), [&](const Row&) { return ++count > 0; }));
    return count;
  }

  Result<void> add_notes() {
    const uint64_t effects = TRY(count_rows(EffectRecord::descriptor()));
    const uint64_t deliveries = TRY(count_rows(DeliveryRecord::descriptor()));
    uint64_t letters = 0;
    TRY(store_->scan(*contract::model().table_of<DeadLetter>(), [&](const Row& row) {
      letters += static_cast<const DeadLetter&>(*row).status() == DeadLetter::OPEN;
      return true;
    }));
    const auto note = [&](uint64_t count, std::string_view text) {
      if (count > 0) report_.notes.push_back(fmt::format("{} {}", grouped(count), text));
    };
    for (const std::string& line : store_->open_notes()) report_.notes.push_back(line);
    note(store_->log().unfinished_bytes(),
         "bytes of an unfinished write lie behind the log; the next start clears them");
    note(effects, "calls to the outside are waiting to be made");
    note(deliveries, "events wait to be handled again");
    note(follows_.waiting(), "events wait to be followed");
    note(letters, "dead letters are open: GET /api/v1/dead-letters");
    return {};
  }

  void add(Check check, const char* next) {
    check.ok = check.problem.empty();
    if (!check.ok) check.next = next;
    report_.checks.push_back(std::move(check));
  }

  const VerifyOptions& options_;
  Progress& progress_;
  const std::unique_ptr<Projector> projector_;
  LogPass log_;
  FollowCheck follows_;
  std::unique_ptr<EmbeddedStore> store_;
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify_folder(const VerifyOptions& options, Progress& progress) {
  return Verification(options, progress).run();
}

}  // namespace micropay::app
