// user create-admin and keys rotate: what an operator does to a platform, running or not.
#include <unistd.h>

#include <iostream>

#include "app/call.h"
#include "app/cluster/settings.h"
#include "app/commands/commands.h"
#include "app/console.h"
#include "app/data_folder.h"
#include "app/event_text.h"
#include "app/instance.h"
#include "contracts/user.pb.h"
#include "libs/remote/remote_settings.h"
#include "libs/security/key_file.h"
#include "libs/security/keys.h"

namespace micropay::app {
namespace {

Result<std::string> create_admin(const Arguments& arguments) {
  if (!arguments.has("--password-stdin"))
    return fail(Code::kInvalidArgument, "",
                "give the password on standard input with --password-stdin: arguments can be seen by others");
  CreateAdminRequest request;
  request.set_email(arguments.text("--email"));
  request.set_display_name(arguments.text("--display-name"));
  if (isatty(STDIN_FILENO) == 1) fmt::print(stderr, "Password: ");
  std::getline(std::cin, *request.mutable_password());
  if (request.password().ends_with('\r')) request.mutable_password()->pop_back();
  Settings settings;
  TRY(load_settings(settings, arguments.text("--config"), {}));
  return run_call(arguments.text("--data"), settings, request);
}

int user_admin(const Arguments& arguments) {
  const auto user = create_admin(arguments);
  if (user) {
    fmt::print("{}", pretty_json(*user));
    return kOk;
  }
  const Error& error = user.error();
  const bool wrong = error.code == Code::kInvalidArgument && error.reason.empty();
  std::string hint = wrong ? "See: micropay user create-admin --help" : "";
  if (error.reason == "email_taken")
    hint = "Give the user the role instead: PUT /api/v1/users/{id}/roles as an administrator.";
  Error shown = error;
  if (!error.field.empty()) shown.detail = fmt::format("{}: {}", error.field, error.detail);
  print_error("user create-admin", shown, hint);
  const bool refused = error.code == Code::kInvalidArgument || error.code == Code::kAlreadyExists;
  return refused && !wrong ? kFailed : kUsage;
}

// The folder of the keys: of the settings' user.keys in a cluster, else the data folder.
Result<std::string> keys_folder(const Arguments& arguments) {
  const std::string data = arguments.text("--data");
  if (arguments.has("--config") || arguments.has("--set")) {
    Settings settings;
    TRY(load_settings(settings, arguments.text("--config"), arguments.all("--set")));
    const auto remote = TRY(RemoteSettings::load(settings, "user"));
    if (const ClusterSettings cluster(settings); cluster.on && !cluster.keys_folder.empty())
      return cluster.keys_folder;
  }
  if (!key_file::exists(data)) TRY(require_data_folder(data));
  return data;
}

// Whoever runs there does it; without one, the file is changed, which every process that has it looks at once
// a second.
Result<std::string> rotate_keys(const Arguments& arguments) {
  if (auto process = ControlClient::connect(arguments.text("--data"))) {
    ControlRequest ask;
    ask.set_command(std::string(kRotateKeys));
    const auto answer = process->ask(ask);
    if (answer) return answer->answer();
    // A process of another service, or of an older version.
    const bool knows_nothing =
        answer.error().reason == "no_signing_keys" || answer.error().reason == "unknown_command";
    if (!knows_nothing || (answer.error().reason == "no_signing_keys" && !arguments.has("--config")))
      return std::unexpected(answer.error());
  }
  return key_ring(TRY(keys_folder(arguments)))->rotate();
}

int keys_rotate(const Arguments& arguments) {
  const auto rotated = rotate_keys(arguments);
  if (!rotated) {
    print_error("keys rotate", rotated.error());
    return kUsage;
  }
  fmt::print(
      "Key {} is published from now on, and signs in six minutes, when nobody keeps a key set without it.\n"
      "Tokens of the previous key stay valid until they expire.\n",
      *rotated);
  return kOk;
}

}  // namespace

const CommandInfo kUserAdminCommand{
    .path = "user create-admin",
    .summary = "Makes a user with the role ADMIN, also on a running platform",
    .description =
        "The way to the first administrator. The password is read from standard input, one line of 10 to 128 "
        "characters. When a platform runs on the folder it is asked over its control socket; else the folder "
        "is opened, "
        "changed and closed.",
    .options = {kDataOption,
                {.name = "--email", .value = "EMAIL", .help = "Address to sign in with", .required = true},
                {.name = "--password-stdin", .help = "Read the password from standard input (required)"},
                {.name = "--display-name", .value = "NAME", .help = "Shown to others"},
                kConfigOption},
    .examples =
        "printf '%s\\n' \"$PASSWORD\" | micropay user create-admin --email root@example.org --password-stdin",
    .exit_codes =
        "0 made, 1 refused (address taken, password too short), 2 wrong arguments or the folder cannot be "
        "opened",
    .run = user_admin};

const CommandInfo kKeysRotateCommand{
    .path = "keys rotate",
    .summary = "Makes a new key for signing access tokens",
    .description =
        "Without a restart: the new key is at /.well-known/jwks.json within a second and signs six minutes "
        "later, when no copy of the key set lives that it is not in. The previous one goes on verifying for "
        "a "
        "day after that, longer than any token lives, so nobody is signed out.\n"
        "The process that runs on the folder does it, when there is one. Of a cluster: --data is the folder "
        "of "
        "a process of user; or --config and --set say where user.keys is, which every instance of user looks "
        "at once a second. Gateways have the new key within two seconds more.",
    .options = {kDataOption, kConfigOption, kSetOption},
    .examples =
        "micropay keys rotate --data data\n"
        "micropay keys rotate --data /var/lib/micropay/user\n"
        "micropay keys rotate --config bootstrap.yaml",
    .exit_codes = "0 rotated, 2 the folder cannot be opened or written",
    .run = keys_rotate};

}  // namespace micropay::app
