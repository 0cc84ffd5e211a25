// Serves the methods of an engine's services to other processes: gRPC over mutual TLS, generic over the
// contracts. Health and reflection are there, too.
//
//   Server server({.listen = "0.0.0.0:18083", .keys = keys}, engine, system_clock());
//   TRY(server.start());          // serves when it returns; NOT_SERVING until the engine runs
//   server.stop(grace);           // no new calls; what runs is answered. Before the engine is gone
//
// Plain text needs `plaintext` and an address of this machine; it is for tests.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/rpc/tls.h"

namespace micropay {
class Engine;
}

namespace micropay::rpc {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";
  std::shared_ptr<TlsKeys> keys = nullptr;
  bool plaintext = false;
  size_t threads = 1;
  size_t query_threads = 2;  // for lists and exports
  size_t max_message_bytes = 8 << 20;
  size_t max_calls = 10'000;     // running; beyond: unavailable, at once
  uint32_t max_streams = 5'000;  // calls of one connection that run at once; the caller holds back more
  size_t max_connections = 1'000;
  // Whether commands do better at other instances of the service, because the events that they wait for come
  // there: callers are told, and prefer those (decisions/0011). Any thread.
  std::function<bool()> away = {};
};

class Server {
 public:
  Server(const ServerOptions& options, Engine& engine, const Clock& clock);
  ~Server();

  Result<void> start();  // address_in_use, invalid_address, plaintext_refused
  void stop(Duration grace);
  std::string address() const;  // "127.0.0.1:18083"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::rpc
