#include "libs/runtime/service.h"

namespace micropay {

Service::Service(std::string service_name) : name(std::move(service_name)) {
  contract = micropay::contract::model().service(name);
  CHECK(contract != nullptr && "a service needs a contract with option (service)");
}

const contract::Method* Service::method_of(const google::protobuf::Descriptor* request) const {
  const contract::Method* method = micropay::contract::model().method(request);
  CHECK(method != nullptr && "the request belongs to no method");
  CHECK(method->service == contract && "a handler is for its own service's methods");
  return method;
}

Service::CommandHandler& Service::command_of(const google::protobuf::Descriptor* request) {
  const micropay::contract::Method* method = method_of(request);
  CHECK(!method->query && "a query is registered with query()");
  for (CommandHandler& command : commands)
    if (command.method == method) return command;
  commands.push_back({.method = method, .handle = {}, .prepare = {}});
  return commands.back();
}

}  // namespace micropay
