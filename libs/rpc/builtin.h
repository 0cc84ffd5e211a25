// The services that every gRPC server has beside its own: health (grpc.health.v1) and reflection
// (grpc.reflection, v1 and v1alpha). A message comes, a message goes; anybody with a certificate may ask.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "libs/rpc/dispatch.h"

namespace micropay::rpc {

struct Builtin {
  std::function<Result<std::string>(std::string_view request)> answer;
  bool streams = false;  // any number of messages each way
  bool watches = false;  // the answer is sent again whenever it has changed
};

// By path: "/grpc.health.v1.Health/Check" …
std::map<std::string, Builtin, std::less<>> builtins(const Dispatch& dispatch);

// The requests of health, for clients; a service is SERVING when the answer says so.
constexpr std::string_view kHealthCheckPath = "/grpc.health.v1.Health/Check";
std::string health_request(std::string_view service);
bool says_serving(std::string_view answer);

}  // namespace micropay::rpc
