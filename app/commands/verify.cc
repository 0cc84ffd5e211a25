// verify and replay: proofs about a data folder. On a running platform both work on a backup that they take.
#include "app/verify.h"

#include "app/call.h"
#include "app/cluster/verify_cluster.h"
#include "app/commands/commands.h"
#include "app/data_folder.h"
#include "app/instance.h"
#include "app/modules.h"
#include "app/table_pass.h"
#include "libs/remote/remote_settings.h"

namespace micropay::app {
namespace {

constexpr int kNotAtRest = 3;

// The folder itself, or a copy in `scratch` when a platform runs on it.
Result<std::string> folder_at_rest(const std::string& data, std::optional<ScratchFolder>& scratch,
                                   Progress& progress) {
  TRY(require_data_folder(data));
  if (!ControlClient::connect(data)) return data;
  progress.line("A platform runs on this folder: working on a backup of this moment.");
  scratch.emplace(TRY(ScratchFolder::make()));
  Settings settings;
  const std::string copy = scratch->path() + "/data";
  TRY(run_backup(data, settings, copy, [&](double done) { progress.part(done); }));
  return copy;
}

Result<std::optional<AuditHead>> given_head(const Arguments& arguments) {
  if (!arguments.has("--audit-head")) return std::nullopt;
  auto head = parse_audit_head(arguments.text("--audit-head"));
  if (!head)
    return fail(Code::kInvalidArgument, "invalid_audit_head",
                "give ENTRY:HASH as an earlier verify printed it", "--audit-head");
  return head;
}

Result<VerifyReport> of_cluster(const Arguments& arguments, Progress& progress) {
  const ClusterVerifyOptions options{.known_head = TRY(given_head(arguments)),
                                     .topics = arguments.text("--kafka") != "off"};
  Settings settings;
  TRY(load_settings(settings, arguments.text("--config"), arguments.all("--set")));
  const auto remote = TRY(RemoteSettings::load(settings, "micropay"));
  const ClusterSettings cluster(settings);
  if (!cluster.on)
    return fail(Code::kInvalidArgument, "no_cluster",
                "the settings are not those of a cluster: --config with profile: cluster", "--cluster");
  const auto services = TRY(make_services({settings, arguments.text("--data")}, {}));
  return verify_cluster(cluster, services, options, progress);
}

int verify(const Arguments& arguments) {
  Progress progress("Verifying",
                    arguments.has("--cluster") ? Progress::Lines::kOften : Progress::Lines::kNever);
  std::optional<ScratchFolder> scratch;
  const auto report = [&]() -> Result<VerifyReport> {
    if (arguments.has("--cluster")) return of_cluster(arguments, progress);
    VerifyOptions options{.known_head = TRY(given_head(arguments))};
    options.data = TRY(folder_at_rest(arguments.text("--data"), scratch, progress));
    return verify_folder(options, progress);
  }();
  if (!report) {
    print_error("verify", report.error());
    return kUsage;
  }
  fmt::print("{}", arguments.has("--json") ? report->json() : report->text());
  return !report->ok() ? kFailed : report->at_rest ? kOk : kNotAtRest;
}

Result<int> compare_with_log(const std::string& data, Progress& progress) {
  std::optional<ScratchFolder> copy;
  const std::string folder = TRY(folder_at_rest(data, copy, progress));
  const auto projector = all_projections();
  const auto store =
      TRY(EmbeddedStore::open({.folder = folder, .read_only = true}, contract::model(), projector.get()));
  LogPass log;
  const auto evidence = evidence_of(*store);
  TRY(log.run(*evidence, {.tell = [&](uint64_t events) { progress.count(events, "events"); }}));
  std::vector<std::vector<std::string>> rows{{"", "table", "rows", "from the log"}};
  std::string differences;
  for (const TableComparison& table :
       compare_tables(*evidence, log, {.tell = [&](uint64_t count) { progress.count(count, "rows"); }})) {
    rows.push_back({table.equal() ? "equal" : "DIFFERS",
                    table.table->sql_name + (table.table->projection ? " (projection)" : ""),
                    grouped(table.rows), grouped(table.rows_in_log)});
    if (!table.equal()) differences += table.text() + "\n";
  }
  fmt::print("{}\n{}", text_table(rows),
             differences.empty() ? "Every table is byte for byte what the log says.\n" : differences);
  return differences.empty() ? kOk : kFailed;
}

Result<int> rebuild(const std::string& data, Progress& progress) {
  TRY(require_data_folder(data));
  if (ControlClient::connect(data))
    return fail(Code::kFailedPrecondition, "data_in_use",
                "a platform runs on this folder; stop it first, its tables cannot be replaced under it");
  const auto projector = all_projections();
  for (const char* file : {"/state.db", "/state.db-wal", "/state.db-shm"}) std::remove((data + file).c_str());
  const auto store = TRY(
      EmbeddedStore::open({.folder = data, .progress = [&](const std::string& line) { progress.step(line); }},
                          contract::model(), projector.get()));
  TRY(store->catch_up());
  fmt::print("The tables of {} were made anew from {} ticks of the log.\n", data, grouped(store->end().tick));
  return kOk;
}

int replay(const Arguments& arguments) {
  Progress progress("Replaying");
  const std::string data = arguments.text("--data");
  const Result<int> code =
      arguments.has("--rebuild") ? rebuild(data, progress) : compare_with_log(data, progress);
  if (code) return *code;
  print_error("replay", code.error());
  return kUsage;
}

}  // namespace

const CommandInfo kVerifyCommand{
    .path = "verify",
    .summary = "Checks that every invariant of a data folder holds",
    .description =
        "Reads the whole log once and every table once: each row is what the log says, byte for byte, "
        "projections and audit trail included; the ledger sums to zero, every balance is the fold of its "
        "entries, nothing final holds money. What fails is named with table, key, field, tick and place in "
        "the log, and with what to do next. Changes nothing. On a running platform it takes a backup first "
        "and checks that. A scratch file of about the projections' size is made below TMPDIR; a folder that "
        "a process left in the middle of work is copied there and brought up to date first.\n\n"
        "--json prints one object: ok, seconds, memoryBytes, auditHead (ENTRY:HASH), notes (texts) and "
        "checks, "
        "each with name, ok, count, unit, seconds (absent: part of an earlier one) and, when it failed, "
        "problem "
        "and next (what to do). The check of the tables has tables: those that differ, each with table, "
        "rows, "
        "rowsInLog, differences and first: the first few rows, each with kind (changed, missing, extra), "
        "key, "
        "fields and, for rows that a tick wrote, tick, segment, byte and event.\n\n"
        "--cluster takes the settings of a cluster's processes (--config, config server, --set) and reads "
        "the "
        "database of every service as it is at one moment, whoever writes meanwhile: every log is whole, "
        "every "
        "table is what its log says, every service has taken in each event of the others that it has "
        "handlers "
        "for, once and in order, as far as its watermarks say; the invariants of the money over all services "
        "together; the audit chain; and the topics have what the logs published, as far as retention kept "
        "it. "
        "It reads to where logs and topics end when it begins, so it ends under any traffic, and says how "
        "far "
        "it is "
        "every two seconds (stderr). What is under way between services is told in notes, and is no fault: "
        "atRest of the "
        "JSON is false then, a check that fails only because of it has underWay (in the table: open), and "
        "the "
        "exit code is "
        "3 instead of 0. To prove those as well, verify at rest: gateway stopped, nothing waiting. "
        "--kafka=off leaves the topics out, which topicsRead of the JSON and a note say.",
    .options = {kDataOption,
                {.name = "--json", .help = "One JSON object instead of a table"},
                {.name = "--audit-head",
                 .value = "ENTRY:HASH",
                 .help = "The audit head that an earlier verify printed must be part of the chain"},
                {.name = "--cluster", .help = "Not a folder, but the databases and topics of all services"},
                {.name = "--kafka",
                 .value = "ON|OFF",
                 .help = "Of a cluster: whether topics are read",
                 .standard = "on",
                 .choices = "on off"},
                kConfigOption,
                kSetOption},
    .examples =
        "micropay verify --data data\nmicropay verify --data data --json | jq .ok\n"
        "micropay verify --cluster --config bootstrap.yaml",
    .exit_codes =
        "0 every check holds, 3 (of a cluster) no fault was found, but it is not at rest, so that not all "
        "could "
        "be judged, 1 one fails or the folder is damaged (its first problem is printed), 2 it "
        "could "
        "not be checked: no data folder, a newer format, no scratch space, wrong arguments",
    .run = verify};

const CommandInfo kReplayCommand{
    .path = "replay",
    .summary = "Makes all tables from the log and compares, or replaces them",
    .description =
        "Without --rebuild: works out from the log what every row must be and compares every table; nothing "
        "is changed. With --rebuild: removes the tables (state.db) of a stopped platform and makes them "
        "anew; the log "
        "is the truth and stays as it is.",
    .options = {kDataOption, {.name = "--rebuild", .help = "Replace the tables by what the log says"}},
    .examples = "micropay replay --data data\nmicropay replay --data data --rebuild",
    .exit_codes = "0 equal or rebuilt, 1 a table differs, 2 the folder cannot be opened or is in use",
    .run = replay};

}  // namespace micropay::app
