// WebSockets as bytes on the wire (RFC 6455): handshake, echo, fragments, control frames, refusals, slow
// readers.
#include <gtest/gtest.h>

#include "libs/http/server.h"
#include "libs/http/websocket_twin.h"

namespace micropay {
namespace {

// Echoes messages; remembers the socket.
struct EchoServer {
  explicit EchoServer(HttpOptions options = {})
      : server(std::move(options), [this](HttpRequest&& request, const Responder& responder) {
          if (!request.websocket) return responder.send({.status = 426});
          auto events = WebSocketEvents{
              .on_open = [this](std::shared_ptr<WebSocket> opened) { socket = std::move(opened); },
              .on_message =
                  [this](std::string_view text) { socket->send(std::make_shared<const std::string>(text)); },
              .on_close = [this] { ++closed; }};
          responder.accept(std::move(events),
                           request.has_header("sec-websocket-protocol") ? "micropay.json" : "");
        }) {
    EXPECT_TRUE(server.start());
  }
  ~EchoServer() {
    server.stop(0);
    socket.reset();
  }
  std::shared_ptr<WebSocket> socket;
  std::atomic<int> closed = 0;
  HttpServer server;
};

struct Client : TestClient {
  explicit Client(EchoServer& echo, std::string_view more = "") : TestClient(echo.server.address()) {
    send(websocket_handshake("/ws", more));
    answer = read(true);
    EXPECT_EQ(answer.status, 101);
  }
  TestAnswer answer;
};

TEST(WebSocket, ShakesHands) {
  EchoServer echo;
  Client client(echo, "Sec-WebSocket-Protocol: x, micropay.json\r\n");
  EXPECT_EQ(client.answer.header("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(client.answer.header("Sec-WebSocket-Protocol"), "micropay.json");
  TestClient plain(echo.server.address());
  EXPECT_EQ(plain.send("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").read().status, 426);
}

TEST(WebSocket, EchoesWholeAndFragmentedMessages) {
  EchoServer echo;
  Client client(echo);
  EXPECT_EQ((client.send(masked_frame(kText, "hello")), read_frame(client).payload), "hello");
  client.send(masked_frame(kText, "one ", false) + masked_frame(kPing, "p") + masked_frame(0, "two"));
  Frame pong = read_frame(client);
  EXPECT_EQ(pong.opcode, kPong);
  EXPECT_EQ(pong.payload, "p");
  EXPECT_EQ(read_frame(client).payload, "one two");
  std::string large(60'000, 'x');
  EXPECT_TRUE((client.send(masked_frame(kText, large)), read_frame(client).payload) == large);
}

TEST(WebSocket, RefusesWhatBreaksTheProtocol) {
  EchoServer echo;
  auto close_code = [&](const std::string& bytes) {
    Client client(echo);
    client.send(bytes);
    Frame frame = read_frame(client);
    EXPECT_EQ(frame.opcode, kClose);
    return frame.close_code();
  };
  EXPECT_EQ(close_code(masked_frame(kText, std::string(70'000, 'x'))), 1009);
  EXPECT_EQ(close_code(masked_frame(kBinary, "x")), 1003);
  EXPECT_EQ(close_code(masked_frame(kText, "\xff\xfe")), 1007);
  EXPECT_EQ(close_code(std::string("\x81\x01x", 3)), 1002);      // not masked
  EXPECT_EQ(close_code(masked_frame(kText | 0x40, "x")), 1002);  // reserved bit
}

TEST(WebSocket, EndsByEitherSide) {
  EchoServer echo;
  {
    Client client(echo);
    client.send(masked_frame(kClose, std::string("\x03\xe8", 2)));
    EXPECT_EQ(read_frame(client).close_code(), 1000);
    EXPECT_TRUE(client.ended());
  }
  {
    Client client(echo);
    client.send(masked_frame(kText, "x"));
    read_frame(client);
    echo.server.post(0, [&] { echo.socket->close(4401, "The token has expired."); });
    Frame frame = read_frame(client);
    EXPECT_EQ(frame.close_code(), 4401);
    EXPECT_EQ(frame.payload.substr(2), "The token has expired.");
    client.send(masked_frame(kClose, frame.payload));
    EXPECT_TRUE(client.ended());
  }
  while (echo.closed < 2) std::this_thread::yield();
  while (echo.server.connections() > 0) std::this_thread::yield();
}

TEST(WebSocket, BoundsTheMessagesThatWait) {
  EchoServer echo({.max_queued_messages = 50});
  Client client(echo);
  client.send(masked_frame(kText, "x"));
  read_frame(client);
  echo.server.post(0, [&] {
    for (int i = 0; i < 100; ++i) echo.socket->send(std::make_shared<const std::string>("small"));
  });
  Frame frame;
  for (int i = 0; i < 100 && frame.opcode != kClose; ++i) frame = read_frame(client);
  EXPECT_EQ(frame.close_code(), 1013);
}

TEST(WebSocket, ClosesSlowReadersAndKeepsTheBound) {
  EchoServer echo;
  Client client(echo);
  client.send(masked_frame(kText, "x"));
  read_frame(client);
  auto large = std::make_shared<const std::string>(std::string(200'000, 'x'));
  echo.server.post(0, [&] {
    for (int i = 0; i < 100; ++i) echo.socket->send(large);
  });
  Frame frame;
  for (int i = 0; i < 100 && frame.opcode != kClose; ++i) frame = read_frame(client);
  EXPECT_EQ(frame.close_code(), 1013);
}

TEST(WebSocket, PingsAnIdlePeerAndCutsASilentOne) {
  EchoServer echo({.websocket_idle = 400 * kMillisecond});
  Client client(echo);
  EXPECT_EQ(read_frame(client).opcode, kPing);
  while (echo.closed == 0) std::this_thread::yield();  // no pong came
}

TEST(WebSocket, SaysGoodbyeWhenTheServerStops) {
  EchoServer echo;
  std::thread stopping;
  {
    Client client(echo);
    client.send(masked_frame(kText, "x"));
    read_frame(client);
    stopping = std::thread([&] { echo.server.stop(10 * kSecond); });
    EXPECT_EQ(read_frame(client).close_code(), 1001);
    client.send(masked_frame(kClose, std::string("\x03\xe9", 2)));
    EXPECT_TRUE(client.ended());
  }
  stopping.join();
}

}  // namespace
}  // namespace micropay
