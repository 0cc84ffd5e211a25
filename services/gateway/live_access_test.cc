// Who hears what on the live stream, and for how long: the scope of the newest token, what REST would refuse,
// and the limits that every door has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "services/gateway/live_session.h"
#include "services/gateway/live_stream_twin.h"
#include "services/gateway/replay_lines.h"

namespace micropay::gateway {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

void give_key(TestGateway& gateway, const std::string& token, const std::string& user,
              std::vector<std::string> scopes) {
  gateway.authenticator.give(token, {.principal = {.kind = Principal::Kind::kApiKey,
                                                   .user_id = user,
                                                   .session_id = "key-" + token,
                                                   .scopes = std::move(scopes)}});
}

void give(TestGateway& gateway, const std::string& token, const std::string& user, uint32_t roles,
          const std::string& session) {
  gateway.authenticator.give(
      token,
      {.principal = {
           .kind = Principal::Kind::kUser, .user_id = user, .session_id = session, .role_bits = roles}});
}

constexpr uint32_t kUserBit = 1u << USER, kSupportBits = 1u << USER | 1u << SUPPORT;
constexpr std::string_view kAll = R"({"type":"subscribe","events":"*"})";

std::string authenticate(std::string_view token) {
  return fmt::format(R"({{"type":"authenticate","accessToken":"{}"}})", token);
}

GatewaySettings limited(std::string_view standard, std::string_view read = "1000/s") {
  GatewaySettings settings;
  settings.rate_limits = {.on = true,
                          .standard = *parse_rate(standard),
                          .auth = *parse_rate("1/m"),
                          .payment = *parse_rate("1000/s"),
                          .read = *parse_rate(read),
                          .global = *parse_rate("1000/s")};
  return settings;
}

// Anna's stream lived on with Bert's token.
TEST(LiveAccess, AnothersTokenEndsTheStream) {
  TestGateway gateway;
  Stream stream(gateway, "/ws?access_token=anna");
  stream.next();
  stream.say(authenticate("bert"));
  EXPECT_THAT(stream.next(), HasSubstr(R"("code":"invalid_token")"));
  EXPECT_EQ(stream.close_code(), 4401);
}

TEST(LiveAccess, AFreshTokenOfTheSameUserKeepsIt) {
  TestGateway gateway;
  gateway.identify("anna2", gateway.anna, {USER});
  Stream stream(gateway, "/ws?access_token=anna");
  stream.next();
  stream.say(authenticate("anna2"));
  EXPECT_THAT(stream.next(), StartsWith(R"({"type":"ready")"));
  EXPECT_THAT(stream.next(), HasSubstr(make_account(gateway, "anna2")));
}

// Demoted staff kept everybody's events with the new token.
TEST(LiveAccess, TheNewestTokenSaysWhatIsHeard) {
  TestGateway gateway;
  const std::string staff = derived_uuid("staff");
  gateway.identify("demoted", staff, {USER});
  Stream stream(gateway, "/ws?access_token=staff");
  stream.next();
  stream.say(kAll);
  EXPECT_THAT(stream.next(), HasSubstr(R"("scope":"all")"));
  stream.say(authenticate("demoted"));
  EXPECT_THAT(stream.next(), StartsWith(R"({"type":"ready")"));
  EXPECT_THAT(stream.next(), HasSubstr(R"("scope":"own")"));
  make_account(gateway, "anna");
  EXPECT_THAT(stream.heard(), IsEmpty());
  stream.say(kAll);
  EXPECT_THAT(stream.next(), HasSubstr(R"("scope":"own")"));
  EXPECT_THAT(stream.next(), HasSubstr(make_account(gateway, "demoted")));
}

// Nobody sends a new token here: who is told that roles are gone acts on it.
TEST(LiveAccess, NarrowsWhenRolesGo) {
  TestGateway gateway;
  const std::string user = derived_uuid("helper");
  give(gateway, "helper", user, kSupportBits, "s1");
  Stream stream(gateway, "/ws?access_token=helper");
  stream.next();
  stream.say(kAll);
  stream.next();
  give(gateway, "helper", user, kUserBit, "s1");
  gateway.authenticator.tell(user);
  EXPECT_THAT(stream.next(), HasSubstr(R"("scope":"own")"));
  make_account(gateway, "anna");
  EXPECT_THAT(stream.heard(), IsEmpty());
}

TEST(LiveAccess, EndsWithTheSessionAndNotWithOthers) {
  TestGateway gateway({.io_threads = 2});
  const std::string user = derived_uuid("carla");
  give(gateway, "one", user, kUserBit, "s1");
  give(gateway, "two", user, kUserBit, "s2");
  give_key(gateway, "key", user, {"payments:read"});
  Stream one(gateway, "/ws?access_token=one"), two(gateway, "/ws?access_token=two"),
      key(gateway, "/ws?access_token=key");
  one.next(), two.next(), key.next();
  gateway.authenticator.revoke("one");
  EXPECT_THAT(one.next(), HasSubstr(R"("code":"invalid_token")"));
  EXPECT_EQ(one.close_code(), 4401);
  gateway.authenticator.revoke("key");
  EXPECT_THAT(key.next(), HasSubstr(R"("code":"invalid_token")"));
  EXPECT_THAT(two.next(), HasSubstr(make_account(gateway, "two")));
}

// Who is told that a key is gone needs to ask nobody, and does not wait for a service that is slow.
TEST(LiveAccess, ARevokedKeyEndsWhileNobodyAnswers) {
  TestGateway gateway;
  give_key(gateway, "key", gateway.anna, {"payments:read"});
  Stream stream(gateway, "/ws?access_token=key");
  stream.next();
  gateway.authenticator.hold("key");
  gateway.authenticator.revoke("key");
  EXPECT_THAT(stream.next(), HasSubstr(R"("code":"invalid_token")"));
  EXPECT_EQ(stream.close_code(), 4401);
  gateway.authenticator.let_go();
}

// Found out before it was revoked, told afterwards.
TEST(LiveAccess, ATokenRevokedWhileItIsAskedForOpensNothing) {
  TestGateway gateway({.io_threads = 1});
  give(gateway, "late", gateway.anna, kUserBit, "s1");
  gateway.authenticator.hold("late");
  TestClient stream(gateway.address());
  stream.send(websocket_handshake("/ws?access_token=late"));
  while (gateway.authenticator.waiting() == 0) std::this_thread::yield();
  gateway.authenticator.revoke("late");
  gateway.authenticator.let_go();
  EXPECT_EQ(stream.read().status, 401);
}

// A key that may only pay heard addresses, sessions and wallets, also those of the past.
TEST(LiveAccess, AnApiKeyHearsItsScopesOnly) {
  TestGateway gateway;
  give_key(gateway, "pays", gateway.anna, {"payments:write"});
  give_key(gateway, "reads", gateway.anna, {"payments:read"});
  make_account(gateway, "anna");
  EXPECT_EQ(Stream(gateway, "/ws?from=0", "Authorization: Bearer pays\r\n").status, 403);
  Stream late(gateway, "/ws?from=0");
  late.say(authenticate("pays"));
  EXPECT_THAT(late.next(), HasSubstr(R"("code":"forbidden")"));
  EXPECT_EQ(late.close_code(), 4403);
  Stream reads(gateway, "/ws?from=0", "Authorization: Bearer reads\r\n");
  EXPECT_THAT(reads.next(), StartsWith(R"({"type":"ready")"));
  reads.say(kAll);
  EXPECT_THAT(reads.next(), HasSubstr(R"("scope":"own")"));
  make_account(gateway, "anna");
  EXPECT_THAT(reads.heard(), IsEmpty());
}

TEST(LiveAccess, EveryRoleThatReadsWalletsHearsOfThem) {
  TestGateway gateway;
  for (const Role role : {ADMIN, SUPPORT, AUDITOR, VENDOR}) {
    gateway.identify("token", derived_uuid(Role_Name(role)), {USER, role});
    Stream stream(gateway, "/ws?access_token=token");
    stream.next();
    stream.say(kAll);
    EXPECT_THAT(stream.next(), HasSubstr(role == VENDOR ? R"("scope":"own")" : R"("scope":"all")"));
    make_account(gateway, "anna");
    EXPECT_EQ(stream.heard().size(), role == VENDOR ? 0u : 1u) << Role_Name(role);
  }
}

TEST(LiveAccess, WhoMayHearAnEvent) {
  const contract::EventAccess access(contract::model());
  struct Case {
    const char* type;
    Principal::Kind kind;
    uint32_t roles;
    bool wide, own, heard;
  };
  constexpr auto kUser = Principal::Kind::kUser, kKey = Principal::Kind::kApiKey;
  const uint32_t auditor = 1u << AUDITOR;
  for (const Case& c : std::vector<Case>{{"payment.completed", kUser, kUserBit, false, true, true},
                                         {"payment.completed", kUser, kUserBit, false, false, false},
                                         {"payment.completed", kUser, kUserBit, true, false, false},
                                         {"payment.completed", kUser, kSupportBits, true, false, true},
                                         {"payment.completed", kUser, kSupportBits, false, false, false},
                                         {"user.created", kUser, kSupportBits, true, false, true},
                                         {"user.created", kUser, auditor, true, false, false},
                                         {"user.created", kUser, auditor, true, true, true},
                                         {"user.signed_in", kUser, kSupportBits, true, false, false},
                                         {"payment.completed", kKey, 0, false, true, true},
                                         {"payment.completed", kKey, 0, false, false, false},
                                         {"account.created", kKey, 0, false, true, false}}) {
    LiveSession session;
    session.principal = {.kind = c.kind, .user_id = "u", .role_bits = c.roles, .scopes = {"payments:read"}};
    session.wide = c.wide;
    EXPECT_EQ(session.may_hear(access.of(*contract::model().event(c.type)), c.own), c.heard)
        << c.type << " " << c.roles << c.wide << c.own;
  }
}

TEST(LiveAccess, ReplaysWhatTheScopeOfTheEndMayHear) {
  TestGateway gateway;
  make_account(gateway, "anna");
  Stream stream(gateway, "/ws?access_token=staff&from=0");
  stream.next();
  EXPECT_THAT(stream.heard(), IsEmpty());  // not without subscribing wider
}

TEST(LiveAccess, HandshakesAreLimitedByUserAndByAddress) {
  TestGateway gateway(limited("1/m burst 3"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Stream(gateway, "/ws?access_token=anna").status, 101);
  EXPECT_EQ(Stream(gateway, "/ws?access_token=anna").status, 429);
  EXPECT_EQ(Stream(gateway, "/ws?access_token=bert").status, 101);  // another's bucket
  EXPECT_EQ(Stream(gateway, "/ws?access_token=mk_forged").status, 401);
  EXPECT_EQ(Stream(gateway, "/ws").status, 101);
  EXPECT_EQ(Stream(gateway, "/ws?access_token=forged").status, 401);
  EXPECT_EQ(Stream(gateway, "/ws?access_token=forged").status, 429);
  EXPECT_EQ(Stream(gateway, "/ws").status, 429);
}

TEST(LiveAccess, TokensAndMessagesOnAStreamAreLimited) {
  TestGateway gateway(limited("1/m burst 2", "1/m burst 4"));
  Stream guessing(gateway, "/ws");
  guessing.say(authenticate("forged"));
  EXPECT_THAT(guessing.next(), HasSubstr(R"("code":"invalid_token")"));
  EXPECT_EQ(Stream(gateway, "/ws").status, 429);
  Stream chatty(gateway, "/ws?access_token=anna");
  chatty.next();
  chatty.say(authenticate("anna"));
  EXPECT_THAT(chatty.next(), StartsWith(R"({"type":"ready")"));
  chatty.say(authenticate("anna"));
  EXPECT_THAT(chatty.next(), HasSubstr(R"("code":"rate_limited")"));
  for (int i = 0; i < 2; ++i) {
    chatty.say(R"({"type":"ping"})");
    EXPECT_EQ(chatty.next(), R"({"type":"pong"})");
  }
  chatty.say(R"({"type":"ping"})");
  EXPECT_THAT(chatty.next(), HasSubstr(R"("code":"rate_limited")"));
}

// On each I/O thread as many were let in: a second thread doubled the bound.
TEST(LiveAccess, StreamsOfAUserAreBoundedOnAllThreads) {
  TestGateway gateway({.io_threads = 2, .max_streams_per_user = 3});
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(std::make_unique<Stream>(gateway, "/ws?access_token=anna"));
    EXPECT_THAT(streams.back()->next(), StartsWith(R"({"type":"ready")"));
  }
  for (int i = 0; i < 2; ++i) {
    Stream more(gateway, "/ws?access_token=anna");
    EXPECT_THAT(more.next(), HasSubstr("too_many_streams"));
    EXPECT_EQ(more.close_code(), 1008);
  }
  EXPECT_THAT(Stream(gateway, "/ws?access_token=bert").next(), StartsWith(R"({"type":"ready")"));
}

// Thirty replays of one user kept others waiting until the last of them had been read.
TEST(ReplayLines, UsersTakeTurnsAPieceAtATime) {
  WorkerPool pool(1, 10);
  ReplayLines lines(pool);
  std::mutex gate;
  gate.lock();
  std::promise<void> done;
  std::vector<std::string> read;  // on the pool's thread, and here at the end
  const auto replay = [&](const std::string& name, int pieces) {
    return [&, name, left = pieces]() mutable {
      if (name == "gate") return gate.lock(), gate.unlock(), true;
      read.push_back(name);
      if (name == "last") done.set_value();
      return --left == 0;
    };
  };
  EXPECT_TRUE(lines.add("gatekeeper", replay("gate", 1)));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(lines.add("anna", replay(fmt::format("a{}", i), 3)));
  EXPECT_TRUE(lines.add("bert", replay("b", 2)));
  EXPECT_TRUE(lines.add("anna", replay("last", 1)));
  gate.unlock();
  done.get_future().wait();
  pool.stop();
  EXPECT_THAT(read, ElementsAre("a0", "b", "a0", "b", "a0", "a1", "a1", "a1", "a2", "a2", "a2", "last"));
}

TEST(ReplayLines, SaysWhenTooManyWait) {
  WorkerPool pool(1, 1);
  ReplayLines lines(pool);
  std::mutex gate;
  gate.lock();
  std::promise<void> began;
  EXPECT_TRUE(lines.add("gatekeeper", [&] { return began.set_value(), gate.lock(), gate.unlock(), true; }));
  began.get_future().wait();
  EXPECT_TRUE(lines.add("anna", [] { return true; }));
  EXPECT_FALSE(lines.add("bert", [] { return true; }));
  EXPECT_TRUE(lines.add("anna", [] { return true; }));  // behind her own
  gate.unlock();
  pool.stop();
}

}  // namespace
}  // namespace micropay::gateway
