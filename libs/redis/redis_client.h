// Commands to Redis that never hold up who sends them: one connection and one thread, many commands under way
// on it, each with a deadline and a callback.
//
//   RedisClient client(RedisSettings::read(settings).options("limits"));
//   client.start();
//   client.send({"GET", "key"}, 50 * kMillisecond, [](Result<RedisReply> reply) {...});
//
// Every callback is called once: on the client's thread, or at once on the caller's when Redis is away or too
// much is queued. A server that stops answering is away as soon as one deadline has passed, and back when it
// has answered what it was asked; after a while the connection is given up and opened anew, with a growing
// pause between attempts. redis_reply.h names the errors.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "libs/redis/redis_connection.h"

namespace micropay {

class Settings;

struct RedisOptions {
  RedisTarget target;
  std::string name = "client";  // in metrics and in CLIENT LIST; of a small set
  Duration connect_timeout = kSecond;
  Duration give_up = 2 * kSecond;  // without an answer, before the connection is opened anew
  Duration first_pause = 50 * kMillisecond;
  Duration longest_pause = 2 * kSecond;
  size_t max_pending = 10'000;  // commands queued and under way
};

// redis.url, redis.user, redis.password.
struct RedisSettings {
  std::string url;  // empty: there is no Redis
  std::string user, password;
  static RedisSettings read(Settings& settings);
  Result<RedisOptions> options(std::string_view name) const;  // invalid_setting
};

class RedisClient {
 public:
  using Done = std::function<void(Result<RedisReply>)>;

  explicit RedisClient(RedisOptions options);
  ~RedisClient();  // stops

  // Called on the client's thread whenever Redis comes (true) and goes (false); before start().
  void on_change(std::function<void(bool available)> listener);
  void start();
  void stop();  // what is pending is answered redis_away

  bool available() const;
  void send(RedisCommand command, Duration deadline, Done done);
  // A script (which lives as long as the client) that the server does not know is given to it, and run; the
  // deadline is for both.
  void run(const RedisScript& script, std::span<const std::string> keys, std::span<const std::string> args,
           Duration deadline, Done done);
  // Waits for the answer, for the deadline at the longest. Not on the client's thread.
  Result<RedisReply> call(RedisCommand command, Duration deadline);
  Result<RedisReply> call(const RedisScript& script, std::span<const std::string> keys,
                          std::span<const std::string> args, Duration deadline);
  // Waits until Redis is there; false when it is not in time.
  bool wait_available(Duration timeout) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace micropay
