// The client against the real server: alive, slow, paused, killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "libs/base/settings.h"
#include "libs/redis/redis_twin.h"

namespace micropay {
namespace {

constexpr Duration kLong = 10 * kSecond;

Time now() { return system_clock().monotonic(); }

// Waits for what another thread or process brings about.
template <typename Condition>
bool soon(Condition holds) {
  for (const Time until = now() + kLong; now() < until;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

std::string reason(const Result<RedisReply>& reply) { return reply ? "" : reply.error().reason; }

TEST(RedisTarget, IsReadFromAUrl) {
  const auto read = [](std::string_view url) {
    const auto target = RedisTarget::parse(url);
    return target ? fmt::format("{} {}", target->address(), target->database) : target.error().reason;
  };
  EXPECT_EQ(read("redis://cache:6380/3"), "cache:6380 3");
  EXPECT_EQ(read("redis://cache"), "cache:6379 0");
  EXPECT_EQ(read("redis://cache/"), "cache:6379 0");
  EXPECT_EQ(read("redis://[::1]:1/2"), "[::1]:1 2");
  EXPECT_EQ(read("redis://[::1]"), "[::1]:6379 0");
  for (const char* url : {"", "cache:6379", "http://cache", "redis://", "redis://me:secret@cache",
                          "redis://cache:port", "redis://cache:70000", "redis://cache/x", "redis://[::1"})
    EXPECT_EQ(read(url), "invalid_setting") << url;
}

TEST(RedisClient, AnswersInOrderWhateverTheReply) {
  SKIP_WITHOUT_REDIS();
  RedisClient client(shared_redis(1));
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  EXPECT_EQ(client.call({"SET", "a", std::string("b\0c\r\n", 5)}, kLong)->text, "OK");
  EXPECT_EQ(client.call({"GET", "a"}, kLong)->text, std::string("b\0c\r\n", 5));
  EXPECT_TRUE(client.call({"GET", "none"}, kLong)->nil());
  EXPECT_EQ(client.call({"INCR", "n"}, kLong)->integer, 1);
  EXPECT_EQ(client.call({"MGET", "a", "none"}, kLong)->list.size(), 2u);
  EXPECT_EQ(reason(client.call({"INCR", "a"}, kLong)), "redis_refused");
  EXPECT_EQ(client.call({"INCR", "n"}, kLong)->integer, 2);  // the connection went on
}

TEST(RedisClient, CarriesManyCommandsOfManyThreads) {
  SKIP_WITHOUT_REDIS();
  RedisClient client(shared_redis(1));
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  std::atomic<int> answered = 0, failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([&] {
        for (int i = 0; i < 1'000; ++i)
          client.send({"INCR", "n"}, kLong, [&](const Result<RedisReply>& reply) {
            if (!reply) ++failed;
            ++answered;
          });
      });
  }
  EXPECT_TRUE(soon([&] { return answered == 4'000; }));
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(client.call({"GET", "n"}, kLong)->text, "4000");
}

TEST(RedisClient, RefusesWhatIsTooMuch) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  RedisOptions options = server.options();
  options.max_pending = 10;
  RedisClient client(options);
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  server.pause();
  std::atomic<int> refused = 0;
  for (int i = 0; i < 15; ++i)
    client.send({"INCR", "n"}, kLong,
                [&](const Result<RedisReply>& reply) { refused += reason(reply) == "redis_overloaded"; });
  EXPECT_EQ(refused, 5);
  server.resume();
  EXPECT_TRUE(soon([&] { return client.call({"GET", "n"}, kLong)->text == "10"; }));
}

TEST(RedisClient, GivesAScriptToAServerThatDoesNotKnowIt) {
  SKIP_WITHOUT_REDIS();
  static const RedisScript script("return ARGV[1] .. KEYS[1]");
  RedisClient client(shared_redis(1));
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  const std::string keys[] = {"k"}, args[] = {"v"};
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(client.call(script, keys, args, kLong)->text, "vk");
    EXPECT_EQ(client.call({"SCRIPT", "EXISTS", script.sha1}, kLong)->list[0].integer, 1);
    EXPECT_EQ(client.call({"SCRIPT", "FLUSH"}, kLong)->text, "OK");
  }
}

TEST(RedisClient, SignsInAndIsAwayWithTheWrongPassword) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server({"--requirepass", "secret", "--user", "gate", "on", ">word", "~*", "&*", "+@all"});
  const auto reached = [&](std::string user, std::string password, Duration timeout) {
    RedisOptions options = server.options();
    options.target.user = std::move(user), options.target.password = std::move(password);
    RedisClient client(options);
    client.start();
    return client.wait_available(timeout) && client.call({"PING"}, kLong).has_value();
  };
  EXPECT_TRUE(reached("", "secret", kLong));
  EXPECT_TRUE(reached("gate", "word", kLong));
  EXPECT_FALSE(reached("gate", "secret", 300 * kMillisecond));
  EXPECT_FALSE(reached("", "", 300 * kMillisecond));
}

TEST(RedisClient, NobodyWaitsBeyondTheDeadlineForAPausedServer) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  RedisOptions options = server.options();
  options.give_up = kLong;
  RedisClient client(options);
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  server.pause();
  Time began = now();
  EXPECT_EQ(reason(client.call({"INCR", "n"}, 50 * kMillisecond)), "redis_late");
  EXPECT_GE(now() - began, 50 * kMillisecond);
  EXPECT_LT(now() - began, 500 * kMillisecond);
  EXPECT_FALSE(client.available());
  began = now();
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(reason(client.call({"INCR", "n"}, kLong)), "redis_away");
  EXPECT_LT(now() - began, kSecond);  // told at once
  server.resume();
  EXPECT_TRUE(client.wait_available(kLong));
  EXPECT_EQ(client.call({"GET", "n"}, kLong)->text, "1");  // what was late was done all the same
}

TEST(RedisClient, OpensAnotherConnectionWhenOneStaysSilent) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  RedisOptions options = server.options();
  options.give_up = 0;
  options.connect_timeout = 100 * kMillisecond;
  RedisClient client(options);
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  const int64_t first = client.call({"CLIENT", "ID"}, kLong)->integer;
  server.pause();
  EXPECT_EQ(reason(client.call({"PING"}, 20 * kMillisecond)), "redis_late");
  EXPECT_FALSE(client.available());
  server.resume();
  EXPECT_TRUE(client.wait_available(kLong));
  EXPECT_GT(client.call({"CLIENT", "ID"}, kLong)->integer, first);
}

TEST(RedisClient, ComesBackAfterTheServerWasKilled) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  RedisClient client(server.options());
  std::atomic<int> came = 0, went = 0;
  client.on_change([&](bool available) { ++(available ? came : went); });
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  EXPECT_TRUE(client.call({"SET", "a", "b"}, kLong).has_value());
  server.kill();
  EXPECT_TRUE(soon([&] { return !client.available(); }));
  EXPECT_EQ(reason(client.call({"GET", "a"}, kLong)), "redis_away");
  server.start();
  EXPECT_TRUE(client.wait_available(kLong));
  EXPECT_TRUE(client.call({"GET", "a"}, kLong)->nil());
  EXPECT_EQ(came, 2);
  EXPECT_EQ(went, 1);
}

TEST(RedisClient, AnswersWhatIsPendingWhenItStops) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  auto client = std::make_unique<RedisClient>(server.options());
  client->start();
  ASSERT_TRUE(client->wait_available(kLong));
  server.pause();
  std::string answered;
  client->send({"PING"}, kLong, [&](const Result<RedisReply>& reply) { answered = reason(reply); });
  client.reset();
  EXPECT_EQ(answered, "redis_away");
}

}  // namespace
}  // namespace micropay
