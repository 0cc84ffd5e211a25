// What can be set about calls between processes. Read once, at start, by the process that needs it.
#pragma once

#include <memory>
#include <string>

#include "libs/rpc/client.h"
#include "libs/rpc/server.h"

namespace micropay {
class Settings;
}

namespace micropay::rpc {

struct RpcSettings {
  TlsFiles files;
  bool plaintext = false;
  std::string targets;
  ServerOptions server;  // listen: empty, when the process chooses
  ClientOptions client;

  static RpcSettings read(Settings& settings);

  // Null in plain text. Errors as TlsKeys::open, and no_certificate when none is named.
  Result<std::shared_ptr<TlsKeys>> open_keys() const;
  // With the keys, for the service that this process is. Its own name counts in plain text only.
  ServerOptions server_options(std::shared_ptr<TlsKeys> keys) const;
  ClientOptions client_options(std::shared_ptr<TlsKeys> keys, std::string caller) const;
};

}  // namespace micropay::rpc
