// Bad days: instances that end, refuse, hang or come back; what is tried again and what is not.
#include <gmock/gmock.h>

#include "libs/rpc/rpc_twin.h"

namespace micropay::rpc {
namespace {

ListAccountsRequest slow_list() {
  ListAccountsRequest request;
  request.set_page_size(499);
  return request;
}

// Answers later, on the client's thread.
std::future<Answer> begin(TestClient& client, Command command) {
  auto promise = std::make_shared<std::promise<Answer>>();
  command.done = [promise](Answer answer) { promise->set_value(std::move(answer)); };
  auto answer = promise->get_future();
  client.client.call(std::move(command));
  return answer;
}

void fail_with(TestServer& server, const Error& error) {
  std::scoped_lock lock(server.conduct->mutex);
  server.conduct->error = error;
}
const Error kBusy{.code = Code::kUnavailable, .reason = "overloaded", .retry_after_s = 1};

// Calls until the instance that has the gate holds one.
struct Held {
  Held(TestServer& first, TestServer& second, TestClient& client, const Command& command) {
    first.conduct->gate.close(), second.conduct->gate.close();
    answer = begin(client, command);
    EXPECT_TRUE(comes_true([&] { return waits(first) || waits(second); }));
    there = waits(first) ? &first : &second;
    other = waits(first) ? &second : &first;
    other->conduct->gate.open();
  }
  ~Held() {
    there->conduct->gate.open();
    if (ending.valid()) ending.wait();
  }
  // Its connections break; what it was doing goes on behind them.
  void kill() {
    ending = std::async(std::launch::async, [this] { there->server.stop(0); });
  }
  static bool waits(TestServer& server) { return server.conduct->gate.waiting() > 0; }
  std::future<Answer> answer;
  TestServer *there, *other;
  std::future<void> ending;
};

TEST(Resilience, AKilledInstanceIsReplacedWithinASecond) {
  auto first = std::make_unique<TestServer>();
  TestServer second;
  TestClient client({first->address(), second.address()});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.call(new_account("a"), anna()).result.has_value());
  EXPECT_GT(first->conduct->creations, 0);
  EXPECT_GT(second.conduct->creations, 0);
  first.reset();
  const Time began = system_clock().monotonic();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.call(ListAccountsRequest(), anna()).result.has_value());
  EXPECT_LT(system_clock().monotonic() - began, kSecond);
}

TEST(Resilience, AQueryThatWasLostIsAskedElsewhere) {
  TestServer first, second;
  TestClient client({first.address(), second.address()});
  Held held(first, second, client, TestClient::command(slow_list(), anna()));
  held.kill();
  EXPECT_TRUE(held.answer.get().result.has_value());
}

TEST(Resilience, ACommandWithAKeyIsRepeatedElsewhere) {
  TestServer first, second;
  TestClient client({first.address(), second.address()});
  Command command = TestClient::command(new_account("wait"), anna());
  command.idempotency_key = "k";
  Held held(first, second, client, command);
  held.kill();
  EXPECT_TRUE(held.answer.get().result.has_value());
  EXPECT_EQ(held.other->conduct->creations, 1);
}

TEST(Resilience, ACommandWithoutAKeyIsNotRepeatedWhenNobodyKnows) {
  TestServer first, second;
  TestClient client({first.address(), second.address()});
  Held held(first, second, client, TestClient::command(new_account("wait"), anna()));
  held.kill();
  const Answer answer = held.answer.get();
  ASSERT_FALSE(answer.result.has_value());
  EXPECT_EQ(answer.result.error().reason, "outcome_unknown");
  EXPECT_EQ(held.other->conduct->creations, 0);
}

TEST(Resilience, WhatWasRefusedIsTriedElsewhereWithoutAKey) {
  TestServer first, second;
  fail_with(first, kBusy);
  fail_with(second, {.code = Code::kPaymentRequired, .reason = "insufficient_funds"});
  TestClient client({first.address(), second.address()});
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(client.call(new_account("fail"), anna()).result.error().reason, "insufficient_funds");
}

uint64_t unanswered(const std::string& reason) {
  return counter("micropay_rpc_client_unavailable_total", "", {{"service", "account"}, {"reason", reason}})
      .value();
}

// Its database was away, and 26,215 calls were counted as if there had been no instance.
TEST(Resilience, OnlyCallsThatNobodyAnsweredAreCountedAndSayWhy) {
  auto first = std::make_unique<TestServer>();
  TestServer second;
  const auto all = [] {
    return unanswered("no_instance") + unanswered("unreachable") + unanswered("not_answering") +
           unanswered("not_serving") + unanswered("connection_lost");
  };
  TestClient client({first->address(), second.address()});
  fail_with(*first, kBusy), fail_with(second, kBusy);
  const uint64_t before = all();
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(client.call(new_account("fail"), anna()).result.error().reason, "overloaded");
  EXPECT_EQ(all(), before);
  first.reset();  // one is lost, and the other answers
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(client.call(ListAccountsRequest(), anna()).result.has_value());
  EXPECT_EQ(all(), before);
  const uint64_t none = unanswered("no_instance");
  TestClient nobody(std::vector<std::string>{});
  EXPECT_FALSE(nobody.call(new_account("a"), anna()).result.has_value());
  EXPECT_EQ(unanswered("no_instance"), none + 1);
  EXPECT_EQ(all(), before + 1);
}

TEST(Resilience, RetriesHaveABudget) {
  TestServer first, second;
  fail_with(first, kBusy), fail_with(second, kBusy);
  ClientOptions options = plain_gateway();
  options.retry_percent = 0;
  TestClient client({first.address(), second.address()}, options);
  constexpr int kCalls = 100, kReserve = 10;
  for (int i = 0; i < kCalls; ++i)
    EXPECT_EQ(client.call(new_account("fail"), anna()).result.error().reason, "overloaded");
  EXPECT_EQ(first.conduct->creations + second.conduct->creations, kCalls + kReserve);
}

TEST(Resilience, AFinalAnswerIsNotTriedAgain) {
  TestServer first, second;
  const Error declined{.code = Code::kPaymentRequired, .reason = "declined"};
  fail_with(first, declined), fail_with(second, declined);
  TestClient client({first.address(), second.address()});
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(client.call(new_account("fail"), anna()).result.error().reason, "declined");
  EXPECT_EQ(first.conduct->creations + second.conduct->creations, 5);
}

TEST(Resilience, TheBreakerOpensAndRecovers) {
  auto server = std::make_unique<TestServer>();
  const std::string address = server->address();
  server.reset();
  ClientOptions options = plain_gateway();
  options.breaker = {.failures = 3, .open = 700 * kMillisecond};
  options.longest_backoff = kMillisecond;
  TestClient client({address}, options);
  // Open: told at once, with a time; before that each call tries.
  EXPECT_TRUE(comes_true([&] {
    EXPECT_EQ(client.call(new_account("a"), anna()).result.error().reason, "upstream_unavailable");
    return TestClient::breakers_open() == 1;
  }));
  const Answer told = client.call(new_account("a"), anna());
  EXPECT_GE(told.result.error().retry_after_s, 1u);
  // Half-open: one attempt fails and it is open again.
  EXPECT_TRUE(comes_true([&] { return TestClient::breakers_open() == 0; }));
  EXPECT_TRUE(comes_true([&] {
    EXPECT_FALSE(client.call(new_account("a"), anna()).result.has_value());
    return TestClient::breakers_open() == 1;
  }));
  server = std::make_unique<TestServer>(ServerOptions{.listen = address, .plaintext = true});
  EXPECT_TRUE(
      comes_true([&] { return client.call(new_account("a"), anna()).result.has_value(); }, 5 * kSecond));
  EXPECT_TRUE(comes_true([&] { return TestClient::breakers_open() == 0; }));
}

TEST(Resilience, AnInstanceThatIsNotServingIsLeftAlone) {
  TestServer first, second;
  TestClient client({first.address(), second.address()});
  EXPECT_TRUE(comes_true([&] { return TestClient::serving() == 2; }));
  first.engine.drain(kSecond);
  EXPECT_TRUE(comes_true([&] { return TestClient::serving() == 1; }));
  const int before = first.conduct->creations;
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.call(new_account("a"), anna()).result.has_value());
  EXPECT_EQ(first.conduct->creations, before);
}

// Without keys: what was taken is answered, what was not goes elsewhere, and none of it is in doubt.
TEST(Resilience, AnInstanceThatEndsInOrderLosesNothing) {
  TestServer first, second;
  TestClient client({first.address(), second.address()});
  std::atomic<int> good{0}, bad{0}, running{0};
  std::atomic<bool> enough{false};
  std::function<void()> next = [&] {
    if (enough) {
      --running;
      return;
    }
    Command command = TestClient::command(new_account("a"), anna());
    command.done = [&](const Answer& answer) {
      ++(answer.result ? good : bad);
      EXPECT_TRUE(answer.result) << answer.result.error().reason << ": " << answer.result.error().detail;
      next();
    };
    client.client.call(std::move(command));
  };
  for (int i = 0; i < 50; ++i) ++running, next();
  EXPECT_TRUE(comes_true([&] { return first.conduct->creations > 500; }));
  first.server.stop(5 * kSecond);
  const int at_the_end = good;
  EXPECT_TRUE(comes_true([&] { return good > at_the_end + 500; }));
  enough = true;
  EXPECT_TRUE(comes_true([&] { return running == 0; }));
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(first.conduct->creations + second.conduct->creations, good);
}

TEST(Resilience, DiscoveryMovesTheCalls) {
  struct Pushed final : Resolver {
    void watch(std::function<void(const Targets&)> listener) override { changed = std::move(listener); }
    std::function<void(const Targets&)> changed;
  };
  TestServer first, second;
  auto resolver = std::make_shared<Pushed>();
  Client client(plain_gateway(), resolver, system_clock());
  ASSERT_TRUE(client.start().has_value());
  const auto create = [&] { return client.call_and_wait(TestClient::command(new_account("a"), anna())); };
  EXPECT_FALSE(create().result.has_value());
  resolver->changed(accounts_at({first.address()}));
  EXPECT_TRUE(create().result.has_value());
  resolver->changed(accounts_at({second.address()}));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(create().result.has_value());
  EXPECT_EQ(first.conduct->creations, 1);
  EXPECT_EQ(second.conduct->creations, 5);
  Targets down = accounts_at({second.address()});
  down["account"].front().up = false;
  resolver->changed(down);
  EXPECT_EQ(create().result.error().reason, "upstream_unavailable");
}

TEST(Resilience, AnAnswerThatIsNotFinalComesWithItsStatus) {
  TestServer server;
  TestClient client({server.address()});
  const Answer account = client.call(new_account("a"), anna());
  Command command = TestClient::command(new_top_up(account_in(account).id(), "card_ok"), anna());
  command.respond_async = true;
  EXPECT_EQ(client.client.call_and_wait(command).status, 202u);
  command.respond_async = false;
  EXPECT_EQ(client.client.call_and_wait(command).status, 202u);  // it waits in vain
}

TEST(Resilience, TargetsAreReadFromTheirSetting) {
  const auto targets = parse_targets("payment=127.0.0.1:1+127.0.0.1:2, balance=[::1]:3");
  ASSERT_TRUE(targets.has_value());
  EXPECT_EQ(targets->at("payment"), (std::vector<TargetInfo>{{"127.0.0.1:1"}, {"127.0.0.1:2"}}));
  EXPECT_EQ(targets->at("balance"), (std::vector<TargetInfo>{{"[::1]:3"}}));
  EXPECT_TRUE(parse_targets("")->empty());
  for (const char* wrong : {"payment", "payment=", "payment=host", "nobody=127.0.0.1:1", "payment=a:x",
                            "payment=a:65536", "payment=::1:3", "payment=a:0"})
    EXPECT_FALSE(parse_targets(wrong).has_value()) << wrong;
}

}  // namespace
}  // namespace micropay::rpc
