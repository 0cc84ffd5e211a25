// A Redis server of a test's own, to be killed, paused and started again; the others use the one of
// MICROPAY_TEST_REDIS.
#pragma once

#include <string>
#include <vector>

#include "libs/redis/redis_client.h"

namespace micropay {

// Skips a test where no Redis is given: TEST(...) { SKIP_WITHOUT_REDIS(); … }
#define SKIP_WITHOUT_REDIS() \
  if (std::getenv("MICROPAY_TEST_REDIS") == nullptr) GTEST_SKIP() << "MICROPAY_TEST_REDIS is not set"

// Of the shared server, in the given database, which is emptied.
RedisOptions shared_redis(uint32_t database);

class RedisProcess {
 public:
  explicit RedisProcess(std::vector<std::string> arguments = {});
  ~RedisProcess();
  void start();  // on the same port; it has forgotten everything
  void kill();
  void pause();
  void resume();
  RedisOptions options() const;

 private:
  std::vector<std::string> arguments_;
  std::string folder_;
  uint16_t port_ = 0;
  int pid_ = 0;
};

}  // namespace micropay
