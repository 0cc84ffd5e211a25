// One connection to a Redis server: opening it with a name and a password, bytes out, replies in. Used by one
// thread. hiredis parses the replies; the socket is ours, so that every wait has an end.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/time.h"
#include "libs/redis/redis_reply.h"

namespace micropay {

struct RedisTarget {
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  uint32_t database = 0;
  std::string user;  // ACL user; empty: the default user
  std::string password;

  // "redis://host:port/database" (port and database may be left out), "redis://[::1]:6379". A name or a
  // password inside is refused: a url is printed.
  static Result<RedisTarget> parse(std::string_view url);
  std::string address() const;  // "127.0.0.1:6379"
};

class RedisConnection {
 public:
  RedisConnection();
  ~RedisConnection();
  RedisConnection(RedisConnection&&) noexcept;
  RedisConnection& operator=(RedisConnection&&) noexcept;

  // Connects, signs in and waits for the server's first answer, all within the timeout. A readable
  // `cancel_fd` ends it early.
  static Result<RedisConnection> open(const RedisTarget& target, std::string_view client_name,
                                      Duration timeout, int cancel_fd);

  void append(const RedisCommand& command);
  size_t unsent_bytes() const;
  Result<void> write_some();  // what the socket takes now
  Result<void> read_some();   // what is there now; replies come out of next()
  // kInternal redis_refused: an error reply, and the connection goes on; kUnavailable: it is over.
  Result<std::optional<RedisReply>> next();
  // Until there is something to read (or room to write, when there is something unsent), `cancel_fd` is
  // readable, or the time is up.
  void wait(Duration timeout, int cancel_fd) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
