// An HTTP/1.1 and WebSocket server: a few I/O threads, each with its own connections.
//
//   HttpServer server({.listen = "127.0.0.1:8080"}, [](HttpRequest&& request, Responder responder) {
//     responder.send({.status = 200, .body = "hello"});        // now, or later from any thread
//   });
//   TRY(server.start());
//
// The handler runs on the connection's I/O thread and must not block. Requests of a connection are handled
// one after another, so pipelined ones are answered in order. What is not clearly HTTP/1.1 (RFC 9112) is
// answered 4xx and the connection closed: both Content-Length and Transfer-Encoding, folded headers, bare
// line feeds, repeated Host.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/http/message.h"

namespace boost::asio {
class io_context;
}

namespace micropay {

class Loop;

// An open socket. Belongs to one I/O thread: all of it is called there, events come there.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  // Queued; a reader so slow that the queue passes its bounds is closed with 1013.
  virtual void send(std::shared_ptr<const std::string> text) = 0;
  virtual void close(uint16_t code, std::string_view reason) = 0;
  virtual size_t loop() const = 0;
};

struct WebSocketEvents {
  std::function<void(std::shared_ptr<WebSocket>)> on_open;
  std::function<void(std::string_view)> on_message;  // text, UTF-8
  std::function<void()> on_close;                    // once, whoever ended it; also when the handshake failed
};

// Answers one request. Copies share it: the first answer counts, later ones and those to a gone client are
// dropped.
class Responder {
 public:
  class Target {
   public:
    virtual ~Target() = default;
    virtual void finish(uint64_t sequence, HttpResponse&& response) = 0;
    virtual void upgrade(uint64_t sequence, WebSocketEvents&& events, std::string&& subprotocol) = 0;
    virtual Loop& loop() = 0;
  };
  Responder() = default;
  Responder(std::shared_ptr<Target> target, uint64_t sequence)
      : target_(std::move(target)), sequence_(sequence) {}

  void send(HttpResponse&& response) const;  // any thread
  // Any thread; the answer is made on the I/O thread, at once when this is it. Many of them given in a row
  // wake that thread once.
  void make(std::function<HttpResponse()> make) const;
  // Instead of an answer, when request.websocket. `subprotocol` is one of those offered, or empty.
  void accept(WebSocketEvents events, std::string subprotocol = {}) const;
  size_t loop() const;  // index of the I/O thread

 private:
  std::shared_ptr<Target> target_;
  uint64_t sequence_ = 0;
};

struct HttpOptions {
  std::string listen = "127.0.0.1:0";  // "host:port", "[::1]:8080"; port 0 takes a free one
  size_t threads = 1;
  // More are answered 503 and closed. Above seven eighths of it, who says nothing is let go after a second.
  size_t max_connections = 20'000;
  size_t max_header_bytes = 16 << 10;      // request line and headers; 431
  size_t max_headers = 100;                // 431
  size_t max_target_bytes = 8 << 10;       // 414
  size_t max_body_bytes = 1 << 20;         // 413
  size_t max_arriving_bytes = 256 << 20;   // of bodies that are not complete, all connections; beyond: 503
  Duration header_timeout = 10 * kSecond;  // from the first byte of a head to its end; 408
  Duration body_timeout = 30 * kSecond;    // for the whole body; 408
  Duration idle_timeout = 75 * kSecond;    // between requests
  Duration answer_timeout = 60 * kSecond;  // of the handler; 504
  Duration write_timeout = 30 * kSecond;   // of a client that does not read
  size_t max_message_bytes = 64 << 10;     // WebSocket; beyond: 1009
  size_t max_queued_bytes = 1 << 20;       // WebSocket, to a slow reader; beyond: 1013
  size_t max_queued_messages = 1'000;
  Duration websocket_idle = 60 * kSecond;  // pings at half of it; a peer that stays silent is closed
  // The answer to a request that never reaches the handler; empty: a plain text one.
  std::function<HttpResponse(uint32_t status, std::string_view reason, std::string_view detail)> problem = {};
  std::function<void(size_t loop)> on_second = {};  // about once a second on every I/O thread
};

using HttpHandler = std::function<void(HttpRequest&&, Responder)>;

class HttpServer {
 public:
  HttpServer(HttpOptions options, HttpHandler handler);
  ~HttpServer();  // stops at once; answers given later are dropped

  Result<void> start();  // kUnavailable address_in_use, invalid_address
  // No new connections; waits until running requests are answered, at most `grace`, then closes everything.
  void stop(Duration grace);
  std::string address() const;  // "127.0.0.1:43211"
  size_t connections() const;
  size_t loops() const;
  void post(size_t loop, std::function<void()> job);  // any thread; runs on that I/O thread, in order
  bool here(size_t loop) const;                       // whether this is that I/O thread
  // For sockets that shall live on an I/O thread, too. They end before the server is destroyed.
  boost::asio::io_context& context(size_t loop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
