// Hears what is published on a channel, on a connection and a thread of its own. Redis does not repeat what
// was published while the connection was away, so after every (re)connection the listener is asked to read
// what it missed; what is published meanwhile comes afterwards.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/redis/redis_client.h"

namespace micropay {

class RedisSubscriber {
 public:
  struct Listener {
    // Subscribed: `reader` is another connection, to ask with by read_all(). An error, and it begins anew.
    std::function<Result<void>(RedisConnection& reader)> on_subscribed;
    std::function<void(std::string_view message)> on_message;
    std::function<void()> on_lost = {};
  };
  RedisSubscriber(RedisOptions options, std::string channel, Listener listener);
  ~RedisSubscriber();  // stops
  void start();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One command, waiting for its reply.
Result<RedisReply> ask(RedisConnection& connection, const RedisCommand& command, Duration timeout);

}  // namespace micropay
