// Revocations and facts of API keys over the real Redis: told at once, kept, told again after Redis forgot.
#include "libs/redis/shared_revocations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/redis/redis_subscriber.h"
#include "libs/redis/redis_twin.h"

namespace micropay {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;

constexpr Duration kLong = 10 * kSecond;

template <typename Condition>
bool soon(Condition holds) {
  const Clock& clock = system_clock();
  for (const Time until = clock.monotonic() + kLong; clock.monotonic() < until;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

// Keeps what it is told, as a set.
class Told final : public RevocationSink {
 public:
  void revoke_session(const std::string& id) override { keep("session " + id); }
  void revoke_user_before(const std::string& id, Time until) override {
    keep(fmt::format("user {} {}", id, until));
  }
  void revoke_api_key(const std::string& id) override { keep("key " + id); }
  std::set<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  bool has(const std::string& what) const { return all().contains(what); }
  void tell(RevocationSink& to) const {
    for (const std::string& what : all())
      if (what.starts_with("session ")) to.revoke_session(what.substr(8));
  }

 private:
  void keep(std::string what) {
    const std::lock_guard lock(mutex_);
    all_.insert(std::move(what));
  }
  mutable std::mutex mutex_;
  std::set<std::string> all_;
};

// The user service's side: what it has revoked, and how it tells it.
struct Publishing {
  explicit Publishing(const RedisOptions& options)
      : client(options), publisher(client, [this](RevocationSink& to) { revoked.tell(to); }) {}
  Told revoked;
  RedisClient client;
  RevocationPublisher publisher;
};

TEST(Revocations, ReachWhoFollowsAndWhoComesLater) {
  SKIP_WITHOUT_REDIS();
  const RedisOptions options = shared_redis(4);
  Publishing user(options);
  user.revoked.revoke_session("old");
  Told early, late;
  RevocationFollower first(options, early);
  first.start();
  user.client.start();
  EXPECT_TRUE(first.wait_complete(kLong));
  EXPECT_TRUE(soon([&] { return early.has("session old"); }));
  user.publisher.revoke_session("s1");
  user.publisher.revoke_user_before("anna", 1'700'000'000'000'001);
  user.publisher.revoke_api_key("k1");
  user.publisher.revoke_session("s1");
  EXPECT_TRUE(soon([&] { return early.all().size() == 4; }));
  RevocationFollower second(options, late);
  second.start();
  EXPECT_TRUE(second.wait_complete(kLong));
  EXPECT_THAT(late.all(),
              UnorderedElementsAre("session old", "session s1", "user anna 1700000000000001", "key k1"));
  EXPECT_EQ(late.all(), early.all());
}

TEST(Revocations, SurviveARedisThatForgets) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  Publishing user(server.options());
  user.revoked.revoke_session("before");
  Told told;
  RevocationFollower follower(server.options(), told);
  follower.start();
  user.client.start();
  EXPECT_TRUE(follower.wait_complete(kLong));
  server.kill();
  EXPECT_TRUE(soon([&] { return !user.client.available() && !follower.complete(); }));
  user.revoked.revoke_session("while-away");
  user.publisher.revoke_session("while-away");  // Redis does not hear it
  EXPECT_TRUE(told.has("session before"));
  EXPECT_FALSE(told.has("session while-away"));
  server.start();
  EXPECT_TRUE(soon([&] { return told.has("session while-away"); }));
  EXPECT_TRUE(follower.wait_complete(kLong));
  Told late;
  RevocationFollower second(server.options(), late);
  second.start();
  EXPECT_TRUE(second.wait_complete(kLong));
  EXPECT_THAT(late.all(), UnorderedElementsAre("session before", "session while-away"));
}

TEST(Revocations, AreNotCompleteBeforeAllOfThemWereTold) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  Told told;
  RevocationFollower follower(server.options(), told);
  follower.start();
  RedisClient client(server.options());
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  const auto publish = [&](std::string text) {
    return client.call({"PUBLISH", "micropay:revocations", std::move(text)}, kLong)->integer;
  };
  EXPECT_TRUE(soon([&] { return publish("session x") == 1; }));
  for (const char* strange : {"", " ", "word", "session", "user anna", "user anna soon", "planet earth 7"})
    publish(strange);
  publish("key k");
  EXPECT_TRUE(soon([&] { return told.has("key k"); }));
  EXPECT_THAT(told.all(), UnorderedElementsAre("session x", "key k"));
  EXPECT_FALSE(follower.complete());
}

TEST(Revocations, APausedRedisHoldsUpNobody) {
  SKIP_WITHOUT_REDIS();
  RedisProcess server;
  Publishing user(server.options());
  user.client.start();
  ASSERT_TRUE(user.client.wait_available(kLong));
  server.pause();
  const Time began = system_clock().monotonic();
  for (int i = 0; i < 1'000; ++i) user.publisher.revoke_session(fmt::format("s{}", i));
  EXPECT_LT(system_clock().monotonic() - began, kSecond);
  server.resume();
}

class ApiKeys : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_REDIS();
    options_ = shared_redis(5);
    client_ = std::make_unique<RedisClient>(options_);
    user_ = std::make_unique<Publishing>(options_);
    user_->client.start(), client_->start();
    ASSERT_TRUE(client_->wait_available(kLong) && user_->client.wait_available(kLong));
    lookup_ = cached_api_keys(*client_, [this](const std::string&) {
      ++asked_;
      auto now = facts_;
      if (meanwhile_) std::exchange(meanwhile_, nullptr)();
      return now;
    });
  }
  std::string scopes() {
    const auto facts = lookup_("k1").value();
    return facts ? fmt::format("{} {} {}", facts->user_id, facts->secret_hash, fmt::join(facts->scopes, ","))
                 : "none";
  }
  // Until what was sent before has been done.
  void settle() { ASSERT_TRUE(client_->call({"PING"}, kLong) && user_->client.call({"PING"}, kLong)); }

  RedisOptions options_;
  std::unique_ptr<RedisClient> client_;
  std::unique_ptr<Publishing> user_;
  std::optional<ApiKeyFacts> facts_ = ApiKeyFacts{"anna", {"payments", "reports"}, "di\n\xff "};
  std::function<void()> meanwhile_;
  int asked_ = 0;
  ApiKeyLookup lookup_;
};

TEST_F(ApiKeys, AreAskedForOnceAndDroppedByEvents) {
  EXPECT_EQ(scopes(), "anna di\n\xff  payments,reports");
  settle();
  EXPECT_EQ(scopes(), "anna di\n\xff  payments,reports");
  EXPECT_EQ(asked_, 1);
  facts_->scopes = {};
  user_->publisher.revoke_user_before("bert", 1);
  settle();
  EXPECT_EQ(scopes(), "anna di\n\xff  payments,reports");  // another user's
  user_->publisher.revoke_user_before("anna", 1);
  settle();
  EXPECT_EQ(scopes(), "anna di\n\xff  ");
  EXPECT_EQ(asked_, 2);
  settle();
  EXPECT_EQ(scopes(), "anna di\n\xff  ");
  EXPECT_EQ(asked_, 2);
  facts_.reset();
  user_->publisher.revoke_api_key("k1");
  settle();
  EXPECT_EQ(scopes(), "none");
  EXPECT_EQ(scopes(), "none");  // which is not kept
  EXPECT_EQ(asked_, 4);
}

// The answer was read before the revocation and is filled in after it.
TEST_F(ApiKeys, AnAnswerFromBeforeARevocationIsNotShownAfterIt) {
  for (const bool by_user : {false, true}) {
    meanwhile_ = [&] {
      facts_->scopes = {by_user ? "narrow" : "none"};
      if (by_user) user_->publisher.revoke_user_before("anna", 1);
      else user_->publisher.revoke_api_key("k1");
      settle();
    };
    user_->publisher.revoke_api_key("k1"), settle();
    scopes();  // reads, then the revocation comes, then it is filled in
    settle();
    EXPECT_EQ(scopes(), by_user ? "anna di\n\xff  narrow" : "anna di\n\xff  none");
    settle();
  }
}

TEST_F(ApiKeys, AreAskedForWhenRedisForgotOrIsAway) {
  meanwhile_ = [&] {
    facts_->scopes = {"narrow"};
    EXPECT_TRUE(client_->call({"FLUSHDB"}, kLong).has_value());
    user_->publisher.revoke_api_key("k1");
    settle();
  };
  scopes();
  settle();
  EXPECT_EQ(scopes(), "anna di\n\xff  narrow");
  client_->stop();
  const int before = asked_;
  EXPECT_EQ(scopes(), "anna di\n\xff  narrow");
  EXPECT_EQ(asked_, before + 1);
}

}  // namespace
}  // namespace micropay
