// The commands, one constant each; command.cc lists them.
#pragma once

#include "app/command.h"

namespace micropay::app {

extern const CommandInfo kServeCommand, kVerifyCommand, kReplayCommand, kBackupCommand, kRestoreCommand,
    kSchemaCommand, kEventsTailCommand, kEventsShowCommand, kTopicsAlignCommand, kUserAdminCommand,
    kOutboxCommand, kKeysRotateCommand, kCertsCommand, kServicesCommand, kSimulateCommand, kTopCommand,
    kOpenapiCommand, kDocsCommand, kCompletionCommand, kVersionCommand;

// Options that several commands take.
constexpr Option kDataOption{.name = "--data", .value = "DIR", .help = "The data folder", .standard = "data"};
constexpr Option kConfigOption{.name = "--config", .value = "FILE", .help = "Settings in YAML"};
constexpr Option kSetOption{.name = "--set", .value = "KEY=VALUE", .help = "One setting", .repeatable = true};

}  // namespace micropay::app
