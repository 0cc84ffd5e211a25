// Commands to a data folder whether or not a platform runs on it: over its control socket when one does, else
// in an engine of this process that is opened, runs until it is quiet, and is closed again.
#pragma once

#include "app/control.h"
#include "libs/base/settings.h"
#include "libs/runtime/engine.h"
#include "libs/store/embedded.h"

namespace micropay::app {

// Calls a method of the contracts as the system and answers with its JSON. `settings` are those of the
// services when they are opened here; unknown_method, errors of validation, and those of the method itself.
Result<std::string> run_call(const std::string& data, Settings& settings,
                             const google::protobuf::Message& request);

// The same from inside: what the control socket does with `call`. Not on the engine thread.
Result<std::string> call_engine(Engine& engine, std::string_view method, std::string_view request_json);

// A copy of the folder to `to`, taken while it is in use or not; `progress` from 0 to 1.
Result<void> run_backup(const std::string& data, Settings& settings, const std::string& to,
                        const std::function<void(double)>& progress);

// The same from inside: what the control socket does with `backup`.
Result<void> backup_folder(EmbeddedStore& store, const std::string& data, const std::string& to,
                           const std::function<void(double)>& progress);

}  // namespace micropay::app
