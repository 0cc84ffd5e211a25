// The made documents: routes and events from the contracts, settings from their readers, commands from their
// table.
#include "app/documents.h"

#include "app/command.h"
#include "app/platform.h"
#include "libs/contract/documents.h"

namespace micropay::app {
namespace {

std::string settings_document() {
  Settings settings;
  declare_all_settings(settings);
  std::vector<SettingInfo> declared = settings.declared();
  std::ranges::sort(declared, {}, &SettingInfo::key);
  std::string out =
      "# Settings\n\nMade by `micropay docs`; a test compares. Values come from, weakest first: the default, "
      "the "
      "config server\n(`config_client.uris`), a YAML file (`--config`), the environment "
      "(`MICROPAY_FRAUD_MODE=shadow` is `fraud.mode`), flags and `--set "
      "fraud.mode=shadow`.\n"
      "`micropay serve --print-config` shows what is in force and where it came from. A secret may be given "
      "as a file:\n"
      "`<key>_file`.\nA new value of the config server for a live setting is in force at once; for any other "
      "the "
      "process says in a log\nline and in `micropay_settings_restart_needed` that it needs a restart.\n\n"
      "| key | default | allowed | live | meaning |\n|---|---|---|---|---|\n";
  for (const SettingInfo& info : declared)
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", info.key,
                       info.standard.empty() ? std::string() : fmt::format("`{}`", info.standard),
                       info.allowed, info.live ? "yes" : "", info.help);
  return out;
}

}  // namespace

std::vector<Document> documents() {
  return {{"api.md", contract::route_catalogue(contract::model())},
          {"events.md", contract::event_catalogue(contract::model())},
          {"settings.md", settings_document()},
          {"cli.md", commands_document()}};
}

}  // namespace micropay::app
