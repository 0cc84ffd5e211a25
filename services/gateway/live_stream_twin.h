// A client of the live stream for tests, over real sockets.
#pragma once

#include "libs/http/websocket_twin.h"
#include "services/gateway/gateway_twin.h"

namespace micropay::gateway {

struct Stream : TestClient {
  Stream(const TestGateway& gateway, std::string_view target, std::string_view headers = "")
      : TestClient(gateway.address()) {
    send(websocket_handshake(target, headers));
    status = read(true).status;
  }
  std::string next() { return read_frame(*this).payload; }
  int close_code() { return read_frame(*this).close_code(); }
  void say(std::string_view text) { send(masked_frame(kText, text)); }
  // Everything up to the answer of a ping, which is left out: what was heard until now.
  std::vector<std::string> heard() {
    say(R"({"type":"ping"})");
    std::vector<std::string> texts;
    for (std::string text = next(); !text.empty() && text != R"({"type":"pong"})"; text = next())
      texts.push_back(text);
    return texts;
  }
  int status;
};

// Opens a wallet, so account.created happens; its id.
inline std::string make_account(TestGateway& gateway, std::string_view token) {
  TestClient client(gateway.address());
  std::string body =
      client
          .send(http_request("POST /api/v1/accounts", fmt::format("Authorization: Bearer {}\r\n", token),
                             R"({"currency":"EUR"})"))
          .read()
          .body;
  return body.substr(body.find("\"id\":\"") + 6, 36);
}

}  // namespace micropay::gateway
