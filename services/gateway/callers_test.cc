// Callers that another process has to be asked about: nobody else waits for that, and they wait no longer
// than they have to.
#include "services/gateway/callers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "libs/http/websocket_twin.h"
#include "services/gateway/gateway_twin.h"

namespace micropay::gateway {
namespace {

using testing::HasSubstr;

constexpr std::string_view kList = "GET /api/v1/accounts";

template <typename Holds>
bool soon(Holds holds) {
  const Time end = system_clock().monotonic() + 20 * kSecond;
  while (!holds())
    if (system_clock().monotonic() > end) return false;
    else std::this_thread::yield();
  return true;
}

std::string bearer(std::string_view token) { return fmt::format("Authorization: Bearer {}\r\n", token); }

// One I/O thread: if anybody waited on it, all would.
TEST(Callers, AQuestionHoldsUpNobodyElse) {
  TestGateway gateway({.io_threads = 1});
  gateway.authenticator.hold("bert");
  gateway.authenticator.hold("forged");
  TestClient bert(gateway.address()), forged(gateway.address()), stream(gateway.address());
  bert.send(http_request(kList, bearer("bert")));
  forged.send(http_request(kList, bearer("forged")));
  stream.send(websocket_handshake("/ws", bearer("bert")));
  ASSERT_TRUE(soon([&] { return gateway.authenticator.waiting() == 3; }));
  TestClient anna(gateway.address());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(anna.send(http_request(kList, bearer("anna"))).read().status, 200);
  gateway.authenticator.let_go();
  EXPECT_EQ(bert.read().status, 200);
  EXPECT_EQ(forged.read().status, 401);
  EXPECT_EQ(stream.read(true).status, 101);
  EXPECT_THAT(read_frame(stream).payload, HasSubstr(R"("type":"ready")"));
}

TEST(Callers, AStreamWaitsForWhoItIs) {
  TestGateway gateway({.io_threads = 1});
  TestClient stream(gateway.address());
  stream.send(websocket_handshake("/ws"));
  ASSERT_EQ(stream.read(true).status, 101);
  gateway.authenticator.hold("anna");
  stream.send(masked_frame(kText, R"({"type":"authenticate","accessToken":"anna"})"));
  stream.send(masked_frame(kText, R"({"type":"subscribe","events":"*"})"));
  ASSERT_TRUE(soon([&] { return gateway.authenticator.waiting() == 1; }));
  gateway.authenticator.let_go();
  EXPECT_THAT(read_frame(stream).payload, HasSubstr(R"("type":"ready")"));
  EXPECT_THAT(read_frame(stream).payload, HasSubstr(R"("type":"subscribed")"));
}

struct Answers {
  std::mutex mutex;
  std::vector<std::string> reasons;
  Callers::Found add() {
    return [this](const Result<Identity>& identity) {
      const std::lock_guard lock(mutex);
      reasons.push_back(identity ? "found" : identity.error().reason);
    };
  }
  size_t count(std::string_view reason) {
    const std::lock_guard lock(mutex);
    return size_t(std::ranges::count(reasons, reason));
  }
};

TEST(Callers, WaitingHasAnEnd) {
  AuthenticatorTwin authenticator;
  ManualClock clock;
  Answers answers;
  authenticator.give("anna", {.principal = system_principal()});
  authenticator.hold("anna");
  Callers callers(authenticator, clock, [](size_t, const std::function<void()>& job) { job(); });
  for (size_t i = 0; i < Callers::kThreads; ++i) callers.ask("anna", 0, answers.add());
  ASSERT_TRUE(soon([&] { return authenticator.waiting() == Callers::kThreads; }));
  for (size_t i = 0; i < Callers::kMostWaiting; ++i) callers.ask("anna", 0, answers.add());
  EXPECT_EQ(answers.count("overloaded"), 0u);
  callers.ask("anna", 0, answers.add());  // no room: told at once
  EXPECT_EQ(answers.count("overloaded"), 1u);
  clock.advance(Callers::kPatience + kSecond);
  authenticator.let_go();
  // Those that were being asked about are answered; nobody is asked about those that waited for too long.
  EXPECT_TRUE(soon([&] { return answers.count("overloaded") == 1 + Callers::kMostWaiting; }));
  EXPECT_TRUE(soon([&] { return answers.count("found") == Callers::kThreads; }));
}

}  // namespace
}  // namespace micropay::gateway
