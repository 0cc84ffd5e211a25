// Commands to a data folder, over its control socket or in an engine of this process.
#include "app/call.h"

#include "app/data_folder.h"
#include "app/instance.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay::app {
namespace {

// An instance with nothing in front of it: the engine's ticks run on this thread.
Result<std::unique_ptr<Instance>> open_here(const std::string& data, Settings& settings) {
  auto instance = TRY(Instance::make(settings, {.data = data}));
  TRY(instance->open());
  return instance;
}

Command system_command(const contract::Method& method, MessagePtr request) {
  return {.method = &method, .request = std::move(request), .principal = system_principal()};
}

Result<MessagePtr> read_request(std::string_view name, std::string_view json,
                                const contract::Method** method) {
  *method = contract::model().method(name);
  if (*method == nullptr)
    return fail(Code::kNotFound, "unknown_method", fmt::format("this platform has no method \"{}\"", name));
  MessagePtr request((*method)->make_request());
  TRY(contract::parse_json(json, *request));
  TRY(contract::validate(*request));
  return request;
}

}  // namespace

Result<std::string> call_engine(Engine& engine, std::string_view name, std::string_view request_json) {
  const contract::Method* method = nullptr;
  MessagePtr request = TRY(read_request(name, request_json, &method));
  const Result<Row> result = method->query ? engine.query(*method, system_principal(), *request)
                                           : engine.call(system_command(*method, std::move(request))).result;
  if (!result) return std::unexpected(result.error());
  return contract::to_json(**result);
}

Result<std::string> run_call(const std::string& data, Settings& settings,
                             const google::protobuf::Message& request) {
  const contract::Method* method = contract::model().method(request.GetDescriptor());
  if (method == nullptr)
    return fail(Code::kNotFound, "unknown_method", fmt::format("{} is no request", request.GetTypeName()));
  const std::string json = contract::to_json(request, {.hide_internal = false});
  TRY(read_request(method->name, json, &method));  // the same checks, before anything is opened
  if (auto platform = ControlClient::connect(data)) {
    ControlRequest ask;
    ask.set_command("call");
    ask.set_method(method->name);
    ask.set_request(json);
    return TRY(platform->ask(ask)).answer();
  }
  auto instance = TRY(open_here(data, settings));
  return call_engine(instance->engine(), method->name, json);
}

Result<void> run_backup(const std::string& data, Settings& settings, const std::string& to,
                        const std::function<void(double)>& progress) {
  TRY(require_data_folder(data));
  TRY(check_apart(data, to));
  if (auto platform = ControlClient::connect(data)) {
    ControlRequest ask;
    ask.set_command("backup");
    ask.set_to(absolute_path(to));
    TRY(platform->ask(ask, [&](const ControlReply& reply) { progress(double(reply.permille()) / 1000); }));
    return {};
  }
  auto instance = TRY(open_here(data, settings));
  return backup_folder(instance->store(), data, to, progress);
}

Result<void> backup_folder(EmbeddedStore& store, const std::string& data, const std::string& to,
                           const std::function<void(double)>& progress) {
  TRY(check_apart(data, to));
  return make_folder(to, [&](const std::string& partial) -> Result<void> {
    TRY(store.backup(partial, progress));
    return copy_side_files(data, partial);
  });
}

}  // namespace micropay::app
