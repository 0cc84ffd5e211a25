// backup and restore. A backup is a data folder: it opens, verifies and serves like any other.
#include <sys/stat.h>

#include "app/call.h"
#include "app/commands/commands.h"
#include "app/console.h"
#include "app/data_folder.h"
#include "libs/store/embedded.h"

namespace micropay::app {
namespace {

int backup(const Arguments& arguments) {
  const std::string data = arguments.text("--data"), to = arguments.text("--to");
  Progress progress("Backing up");
  Settings settings;
  const Time started = system_clock().monotonic();
  const auto done = run_backup(data, settings, to, [&](double part) { progress.part(part); });
  if (!done) {
    const bool other_folder =
        done.error().reason == "target_not_empty" || done.error().reason == "target_in_source";
    print_error("backup", done.error(),
                other_folder ? "Give a folder that does not exist yet, outside the data folder." : "");
    return other_folder ? kUsage : kFailed;
  }
  fmt::print("Backed up {} to {} in {}.\nCheck it: micropay verify --data {}\n", data, to,
             seconds_text(system_clock().monotonic() - started), to);
  return kOk;
}

// The copy takes its name when it is whole and readable.
Result<uint64_t> restore_folder(const std::string& from, const std::string& to) {
  TRY(require_data_folder(from));
  TRY(check_apart(from, to));
  if (ControlClient::connect(from))
    return fail(Code::kFailedPrecondition, "data_in_use",
                fmt::format("a platform runs on {}; restore from a backup of it", from));
  umask(077);  // a backup may come from a medium where everybody may read
  uint64_t events = 0;
  TRY(make_folder(to, [&](const std::string& partial) -> Result<void> {
    TRY(copy_data_folder(from, partial));
    return read_log(partial, 0, [&](const TickRecord& tick) { return events += tick.events.size(), true; });
  }));
  return events;
}

int restore(const Arguments& arguments) {
  const std::string from = arguments.text("--from"), data = arguments.text("--data");
  const auto events = restore_folder(from, data);
  if (!events) {
    print_error("restore", events.error(),
                events.error().reason == "target_not_empty" ? "Move it away, or give another --data." : "");
    return events.error().reason == "copy_failed" ? kFailed : kUsage;
  }
  fmt::print(
      "Restored {} with {} events from {}.\nCheck it: micropay verify --data {}\nStart it: micropay serve "
      "--data {}\n",
      data, grouped(*events), from, data, data);
  return kOk;
}

}  // namespace

const CommandInfo kBackupCommand{
    .path = "backup",
    .summary = "Copies a data folder, also of a running platform",
    .description =
        "Writes a whole, consistent copy: log, tables and signing keys. A platform that runs goes on "
        "meanwhile; the copy is of one moment. The copy is a data folder itself, and it gets its name when "
        "it "
        "is whole: an interrupted backup leaves DIR.partial behind, which the next one replaces. It holds "
        "secrets: keep it as safely as the original.",
    .options = {kDataOption,
                {.name = "--to",
                 .value = "DIR",
                 .help = "A folder that is empty or does not exist",
                 .required = true}},
    .examples = "micropay backup --data data --to backups/monday",
    .exit_codes =
        "0 copied, 1 copying failed, 2 the target is not empty or in the data folder, or the arguments "
        "are wrong",
    .run = backup};

const CommandInfo kRestoreCommand{
    .path = "restore",
    .summary = "Makes a data folder from a backup; never overwrites",
    .description =
        "Copies a backup to a folder that is empty or does not exist, and reads its log to the end before "
        "the folder "
        "gets its name. An interrupted restore leaves DIR.partial behind, which the next one replaces.",
    .options = {{.name = "--from", .value = "DIR", .help = "The backup", .required = true},
                {.name = "--data", .value = "DIR", .help = "The data folder to make", .required = true}},
    .examples = "micropay restore --from backups/monday --data data\nmicropay verify --data data",
    .exit_codes =
        "0 restored, 1 copying failed, 2 the target is not empty or in the backup, the backup is damaged or "
        "none",
    .run = restore};

}  // namespace micropay::app
