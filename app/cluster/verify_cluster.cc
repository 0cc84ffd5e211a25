// The checks of a cluster, database after database, then what they say of each other: a failure is the cause
// of those behind it.
#include "app/cluster/verify_cluster.h"

#include "app/cluster/database_evidence.h"
#include "app/cluster/heard_check.h"
#include "app/cluster/service_node.h"
#include "app/cluster/topic_check.h"
#include "app/invariants.h"
#include "app/log_pass.h"
#include "app/trail_check.h"
#include "contracts/audit.pb.h"
#include "contracts/runtime.pb.h"

namespace micropay::app {
namespace {

constexpr char kRestore[] = "keep a dump of this database; restore it to a moment before the damage";
constexpr char kTables[] =
    "the log is whole and is the truth: stop the service's instances, keep a dump, and see who else writes "
    "this "
    "database";
constexpr char kInvestigate[] =
    "tables and logs agree, so a service did this: stop payments, keep dumps, see the events of the account "
    "or "
    "payment";
constexpr char kLater[] = "the cluster was not at rest (see the notes): verify again when it is";
constexpr char kEvents[] = "keep dumps; compare the log of the service that is named with that of its source";
constexpr char kTrailService[] = "audit";

std::string words(const Error& error) { return error.detail.empty() ? error.reason : error.detail; }

class ClusterVerification {
 public:
  ClusterVerification(const ClusterSettings& settings, const std::vector<Service>& services,
                      const ClusterVerifyOptions& options, Progress& progress)
      : settings_(settings),
        options_(options),
        progress_(progress),
        heard_(services, settings.kafka.partitions) {
    for (const Service& service : services) names_.push_back(service.name);
  }

  Result<VerifyReport> run() {
    Stopwatch watch;
    TRY(open());
    for (const auto& database : databases_) judge(*database);
    logs_.unit = fmt::format("events in {} ticks of {} services", grouped(ticks_), names_.size());
    tables_.unit = fmt::format("rows in {} tables", table_count_);
    const bool whole = logs_.problem.empty(), equal = tables_.problem.empty();
    add(std::move(logs_), kRestore);
    add(std::move(tables_), kTables);
    if (whole) judge_events();
    note_what_waits();
    if (whole) {
      for (InvariantResult& invariant : money_.finish())
        add({.name = std::move(invariant.name),
             .count = invariant.checked,
             .unit = "rows",
             .problem = std::move(invariant.problem),
             .under_way = !report_.at_rest},
            !report_.at_rest ? kLater
            : equal          ? kInvestigate
                             : kTables);
      add(std::move(chain_), kTables);
      judge_known_head();
      if (options_.topics) judge_topics();
    }
    report_.topics_read = options_.topics && whole;
    if (!options_.topics) report_.notes.push_back("the topics were not read (--kafka=off)");
    report_.took = watch.lap();
    report_.memory_bytes = most_memory();
    return std::move(report_);
  }

 private:
  // One moment for each database, as close to each other as can be.
  Result<void> open() {
    progress_.step("Opening the databases");
    for (const std::string& name : names_) {
      progress_.step(fmt::format("Opening the database of {}", name));
      auto opened = DatabaseEvidence::open(name, TRY(settings_.store_of(name)).address);
      if (!opened) {
        Error error = std::move(opened).error();
        error.detail = fmt::format("the database of {}: {}", name, words(error));
        return std::unexpected(std::move(error));
      }
      databases_.push_back(std::move(*opened));
    }
    for (const auto& database : databases_) {
      const auto now = TRY(open_again(*database));
      if (now->end().tick == database->end().tick) continue;
      heard_.went_on(database->service());
      wait(fmt::format("{} went on while it was looked at", database->service()));
    }
    return {};
  }

  Result<std::unique_ptr<DatabaseEvidence>> open_again(const DatabaseEvidence& database) const {
    return DatabaseEvidence::open(database.service(), TRY(settings_.store_of(database.service())).address);
  }

  void judge(const DatabaseEvidence& database) {
    const std::string& service = database.service();
    Stopwatch watch;
    LogPass log;
    const auto read = log.run(
        database,
        {.known = options_.known_head,
         .service = service,
         .projected_to = database.position(service).value_or(0),
         .look_at_record = [&](const TickRecord& record) { heard_.record(service, record); },
         .look = [&](const Envelope& event) { heard_.event(service, event); },
         .tell =
             [&](uint64_t events) {
               progress_.step(fmt::format("Reading the log of {}: {} of {} events", service, grouped(events),
                                          grouped(database.end().next_position - 1)));
             }});
    ticks_ += log.ticks();
    logs_.count += log.events();
    logs_.took = *logs_.took + watch.lap();
    if (!read) {
      if (logs_.problem.empty()) logs_.problem = fmt::format("{}: {}", service, words(read.error()));
      return;  // what its tables should be is unknown
    }
    compare(database, log);
    tables_.took = *tables_.took + watch.lap();
    if (service == kTrailService) judge_trail(database, log);
  }

  void compare(const DatabaseEvidence& database, LogPass& log) {
    const std::string& service = database.service();
    TablePassOptions options{.threads = 1};
    options.visit = [&](const contract::Table& table, std::string_view bytes) {
      count(service, table, bytes);
      money_.add_bytes(table, bytes);
    };
    options.tell = [&](uint64_t rows) {
      progress_.step(fmt::format("Comparing the tables of {}: {} rows", service, grouped(rows)));
    };
    for (TableComparison& table : compare_tables(database, log, options)) {
      ++table_count_;
      tables_.count += table.rows;
      if (table.equal()) continue;
      table.service = service;
      if (tables_.problem.empty()) tables_.problem = table.text();
      tables_.tables.push_back(std::move(table));
    }
    if (const auto projected = database.position(service); projected && *projected < database.end().tick)
      wait(fmt::format("projections of {} are at tick {} of {}", service, *projected, database.end().tick));
    const uint64_t published = database.position(kShippingDuty).value_or(0);
    if (const uint64_t last = database.end().next_position - 1; published < last)
      wait(fmt::format("{} has published its log up to {}, not up to {}", service, published, last));
  }

  // Rows of the runtime that say what waits.
  void count(const std::string& service, const contract::Table& table, std::string_view bytes) {
    if (table.descriptor == DeliveryRecord::descriptor()) ++deliveries_;
    else if (table.descriptor == EffectRecord::descriptor()) ++effects_;
    else if (ConsumerRecord mark; table.descriptor == ConsumerRecord::descriptor()) {
      if (mark.ParseFromArray(bytes.data(), int(bytes.size()))) heard_.watermark(service, mark);
    } else if (DeadLetter letter; table.descriptor == DeadLetter::descriptor()) {
      letters_ +=
          letter.ParseFromArray(bytes.data(), int(bytes.size())) && letter.status() == DeadLetter::OPEN;
    }
  }

  // The blocks that the log makes were compared with the rest of the tables: see Verification::check_trail.
  void judge_trail(const DatabaseEvidence& database, const LogPass& log) {
    chain_.count = log.events();
    const contract::Table* blocks = contract::model().table_of<AuditBlock>();
    if (std::ranges::find(tables_.tables, blocks, &TableComparison::table) != tables_.tables.end()) {
      progress_.step("Walking the audit chain");
      chain_.problem = broken_chain(database, chain_.count);
      if (chain_.problem.empty()) chain_.problem = "its blocks are not those that the log makes";
    }
    report_.head = log.head();
    known_met_ = log.known_head_met();
  }

  void judge_known_head() {
    if (!options_.known_head) return;
    const uint64_t sequence = options_.known_head->sequence;
    add({.name = "the noted audit head is part of the chain",
         .count = sequence,
         .unit = "entries",
         .problem = known_met_
                        ? ""
                        : fmt::format("entry {} has another hash, or is not there: what lies before it "
                                      "was rewritten",
                                      sequence)},
        kRestore);
  }

  void judge_events() {
    Stopwatch watch;
    const HeardCheck::Outcome outcome = heard_.compare();
    if (outcome.waiting > 0)
      wait(fmt::format("{} events are not taken in yet: first, {}", grouped(outcome.waiting),
                       outcome.first_waiting));
    add({.name = "every event is heard once, in order",
         .count = outcome.heard,
         .unit = "times that one was heard",
         .problem = outcome.problem,
         .took = watch.lap()},
        kEvents);
  }

  void judge_topics() {
    Stopwatch watch;
    progress_.step("Reading the topics");
    TopicCheck topics(settings_.kafka, heard_);
    Check check{.name = "topics carry the logs", .unit = "events that they keep"};
    for (const auto& database : databases_)
      topics.add({.service = database->service(),
                  .published = database->position(kShippingDuty).value_or(0),
                  .next = database->end().next_position,
                  .next_now = [this, &database]() -> Result<uint64_t> {
                    return TRY(open_again(*database))->end().next_position;
                  }});
    const auto read = topics.run([this](uint64_t done, uint64_t all) {
      progress_.step(fmt::format("Reading the topics: {} of {} records", grouped(done), grouped(all)));
    });
    if (!read) check.problem = words(read.error());
    check.count = topics.events();
    check.took = watch.lap();
    add(std::move(check), "the logs are whole and can be published again; --kafka=off leaves the topics out");
  }

  void note_what_waits() {
    if (effects_ > 0) wait(fmt::format("{} calls to the outside are waiting to be made", grouped(effects_)));
    if (deliveries_ > 0) wait(fmt::format("{} events wait to be handled again", grouped(deliveries_)));
    if (letters_ > 0)
      report_.notes.push_back(
          fmt::format("{} dead letters are open: GET /api/v1/dead-letters", grouped(letters_)));
  }

  void wait(const std::string& what) {
    report_.at_rest = false;
    report_.notes.push_back("not at rest: " + what);
  }

  void add(Check check, const char* next) {
    check.ok = check.problem.empty();
    check.under_way &= !check.ok;
    if (!check.ok) check.next = next;
    report_.checks.push_back(std::move(check));
  }

  const ClusterSettings& settings_;
  const ClusterVerifyOptions& options_;
  Progress& progress_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<DatabaseEvidence>> databases_;
  HeardCheck heard_;
  InvariantFold money_;
  Check logs_{.name = "logs are whole", .took = Duration(0)};
  Check tables_{.name = "tables equal the logs", .took = Duration(0)};
  Check chain_{.name = "the audit chain is unbroken", .unit = "entries"};
  uint64_t ticks_ = 0, table_count_ = 0, deliveries_ = 0, effects_ = 0, letters_ = 0;
  bool known_met_ = false;
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify_cluster(const ClusterSettings& settings, const std::vector<Service>& services,
                                    const ClusterVerifyOptions& options, Progress& progress) {
  return ClusterVerification(settings, services, options, progress).run();
}

}  // namespace micropay::app
