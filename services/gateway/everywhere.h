// The methods that every service has (contracts/runtime.proto: dead letters) where services run apart: asked
// of all of them at once, and answered as one. A list is merged, newest first, and its page token says how
// much of each service was shown; one record comes from whoever has it. A service that cannot be reached
// fails the call (503) when what was asked for might be there. Any thread.
#pragma once

#include "libs/rpc/client.h"

namespace micropay::gateway {

class Everywhere {
 public:
  explicit Everywhere(rpc::Client& client);

  // Whether the method is one of those.
  bool has(const contract::Method& method) const { return method.service == runtime_; }
  // Whether nobody could answer.
  std::optional<Error> refusal() const;
  void call(Command command) const;

 private:
  struct Listing;
  void find(Command command) const;
  void list(Command command) const;

  rpc::Client& client_;
  const contract::Service* const runtime_;
  std::vector<const contract::Service*> services_;
};

}  // namespace micropay::gateway
