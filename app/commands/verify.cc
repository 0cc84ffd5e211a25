// verify and replay: proofs about a data folder. On a running platform both work on a backup that they take.
#include "app/verify.h"

#include "app/call.h"
#include "app/commands/commands.h"
#include "app/data_folder.h"
#include "app/instance.h"
#include "app/replay.h"

namespace micropay::app {
namespace {

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

int verify(const Arguments& arguments) {
  Progress progress("Verifying");
  std::optional<ScratchFolder> scratch;
  const auto report = [&]() -> Result<VerifyReport> {
    const std::string folder = TRY(folder_at_rest(arguments.text("--data"), scratch, progress));
    return verify_folder(folder, progress);
  }();
  if (!report) {
    print_error("verify", report.error());
    return kUsage;
  }
  fmt::print("{}", arguments.has("--json") ? report->json() : report->text());
  return report->ok() ? kOk : kFailed;
}

Result<int> compare_with_log(const std::string& data, Progress& progress) {
  std::optional<ScratchFolder> copy;
  const std::string folder = TRY(folder_at_rest(data, copy, progress));
  const auto projector = all_projections();
  const auto store =
      TRY(EmbeddedStore::open({.folder = folder, .read_only = true}, contract::model(), projector.get()));
  const auto rebuilt =
      TRY(rebuild_tables(folder, *projector, [&](const std::string& line) { progress.step(line); }));
  std::vector<std::vector<std::string>> rows{{"", "table", "rows", "from the log"}};
  std::string differences;
  for (const TableComparison& table : TRY(compare_tables(*store, *rebuilt, contract::model(), {}))) {
    rows.push_back({table.difference.empty() ? "equal" : "DIFFERS",
                    table.table->sql_name + (table.table->projection ? " (projection)" : ""),
                    grouped(table.rows), grouped(table.rebuilt_rows)});
    if (!table.difference.empty()) differences += table.difference + "\n";
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
        "Reads the whole log, makes every table and projection from it anew in a scratch folder and compares "
        "them "
        "with the ones kept, byte for byte; sums the ledger, folds every balance, looks for reservations "
        "without a "
        "payment, and recomputes the audit chain. Changes nothing. On a running platform it takes a backup "
        "first and "
        "checks that. The scratch folder is made below TMPDIR.",
    .options = {kDataOption, {.name = "--json", .help = "One JSON object instead of a table"}},
    .examples = "micropay verify --data data\nmicropay verify --data data --json | jq .ok",
    .exit_codes =
        "0 every check holds, 1 one fails (its first problem is printed), 2 the folder cannot be opened",
    .run = verify};

const CommandInfo kReplayCommand{
    .path = "replay",
    .summary = "Makes all tables from the log and compares, or replaces them",
    .description =
        "Without --rebuild: replays the log into a scratch folder and compares every table with the one "
        "kept; nothing "
        "is changed. With --rebuild: removes the tables (state.db) of a stopped platform and makes them "
        "anew; the log "
        "is the truth and stays as it is.",
    .options = {kDataOption, {.name = "--rebuild", .help = "Replace the tables by what the log says"}},
    .examples = "micropay replay --data data\nmicropay replay --data data --rebuild",
    .exit_codes = "0 equal or rebuilt, 1 a table differs, 2 the folder cannot be opened or is in use",
    .run = replay};

}  // namespace micropay::app
