// The control socket DATA/control.sock: how the command line reaches a platform that runs. Only the folder's
// owner may connect (mode 0600), so a caller acts as the system itself.
//
//   ControlServer server(data, [&](const ControlRequest& request, const Reply& reply) { … reply(answer); });
//   TRY(server.start());
//
//   std::optional<ControlClient> platform = ControlClient::connect(data);   // none: nobody runs there
//   ControlReply answer = TRY(platform->ask(request, [](const ControlReply& progress) {…}));
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "contracts/control.pb.h"
#include "libs/base/error.h"

namespace micropay::app {

// Commands besides "call", "backup" and "stats", which have more to them.
constexpr std::string_view kRotateKeys = "rotate_keys";  // answer: the new key's id

using Reply = std::function<void(const ControlReply&)>;
// Runs on a thread of the connection; ends with a reply that is done.
using ControlHandler = std::function<void(const ControlRequest&, const Reply&)>;

class ControlServer {
 public:
  ControlServer(std::string data, ControlHandler handler);
  ~ControlServer();      // waits for requests that run
  Result<void> start();  // kUnavailable control_unavailable

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ControlClient {
 public:
  static std::optional<ControlClient> connect(const std::string& data);
  ControlClient(ControlClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  ControlClient& operator=(ControlClient&&) = delete;
  ~ControlClient();
  // The last reply, or the error it carries; control_lost when the platform goes away meanwhile.
  Result<ControlReply> ask(const ControlRequest& request, const Reply& progress = {});

 private:
  explicit ControlClient(int socket) : socket_(socket) {}
  int socket_;
};

ControlReply failed_reply(const Error& error);

}  // namespace micropay::app
