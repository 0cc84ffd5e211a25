// A call there and back over real sockets: what travels with it, what limits it, and how it fails.
#include <gmock/gmock.h>

#include "libs/rpc/rpc_twin.h"

namespace micropay::rpc {
namespace {

struct CallTest : testing::Test {
  TestServer server;
  TestClient client{{server.address()}};
};

TEST_F(CallTest, CommandsAndQueriesAreAnswered) {
  const Answer made = client.call(new_account("Savings"), anna());
  ASSERT_TRUE(made.result.has_value()) << made.result.error().detail;
  EXPECT_EQ(made.status, 201u);
  EXPECT_FALSE(made.replayed);
  const Answer read = client.call(get_account(account_in(made).id()), anna());
  EXPECT_EQ(account_in(read).SerializeAsString(), account_in(made).SerializeAsString());
  EXPECT_EQ(read.status, 200u);
  const Answer list = client.call(ListAccountsRequest(), anna());
  ASSERT_TRUE(list.result.has_value());
  EXPECT_EQ(static_cast<const ListAccountsResponse&>(**list.result).accounts_size(), 1);
}

TEST_F(CallTest, EveryKindOfErrorComesBackWhole) {
  for (const Code code : kAllCodes) {
    const Error error{.code = code,
                      .reason = "reason_of_it",
                      .detail = "Why: 100 % \xe2\x82\xac\n",
                      .field = "amount.value",
                      .extensions = {{"paymentId", "p-1"}, {"second", ""}},
                      .retry_after_s = 7};
    {
      std::scoped_lock lock(server.conduct->mutex);
      server.conduct->error = error;
    }
    const Answer answer = client.call(new_account("fail"), anna());
    ASSERT_FALSE(answer.result.has_value());
    const Error& got = answer.result.error();
    EXPECT_EQ(got.code, code);
    EXPECT_EQ(got.reason, error.reason);
    EXPECT_EQ(got.detail, error.detail);
    EXPECT_EQ(got.field, error.field);
    EXPECT_EQ(got.extensions, error.extensions);
    EXPECT_EQ(got.retry_after_s, error.retry_after_s);
  }
}

TEST_F(CallTest, ThePrincipalIsTheSameThere) {
  Principal principal = user_principal(derived_uuid("anna"), {USER, VENDOR});
  principal.session_id = derived_uuid("session");
  principal.address = "2001:db8::1";
  ASSERT_TRUE(client.call(new_account("a"), principal).result.has_value());
  const Principal& seen = server.conduct->seen;
  EXPECT_EQ(seen.kind, principal.kind);
  EXPECT_EQ(seen.user_id, principal.user_id);
  EXPECT_EQ(seen.session_id, principal.session_id);
  EXPECT_EQ(seen.role_bits, principal.role_bits);
  EXPECT_EQ(seen.address, principal.address);
}

TEST_F(CallTest, TheServerLooksAtRoleAndOwnerItself) {
  const Answer made = client.call(new_account("a"), anna());
  FreezeAccountRequest freeze;
  freeze.set_id(account_in(made).id());
  freeze.set_reason("because");
  EXPECT_EQ(client.call(freeze, anna()).result.error().code, Code::kPermissionDenied);
  const Principal bert = user_principal(derived_uuid("bert"));
  EXPECT_EQ(client.call(get_account(account_in(made).id()), bert).result.error().code, Code::kNotFound);
  EXPECT_EQ(client.call(get_account("nonsense"), anna()).result.error().reason, "invalid_format");
  EXPECT_EQ(client.call(new_account("a"), system_principal()).result.error().reason, "caller_not_allowed");
}

TEST_F(CallTest, KeysTagsAndPreferencesTravel) {
  Command command = TestClient::command(new_account("a"), anna());
  command.idempotency_key = "one";
  const Answer first = client.client.call_and_wait(command);
  const Answer second = client.client.call_and_wait(command);
  EXPECT_FALSE(first.replayed);
  EXPECT_TRUE(second.replayed);
  EXPECT_EQ(account_in(second).id(), account_in(first).id());
  Command other = TestClient::command(new_account("b"), anna());
  other.idempotency_key = "one";
  EXPECT_EQ(client.client.call_and_wait(other).result.error().code, Code::kUnprocessable);

  Command failing = TestClient::command(new_top_up(account_in(first).id(), "card_declined"), anna());
  failing.idempotency_key = "two";
  EXPECT_FALSE(client.client.call_and_wait(failing).replayed);
  const Answer told_again = client.client.call_and_wait(failing);
  EXPECT_EQ(told_again.result.error().reason, "declined");
  EXPECT_EQ(told_again.result.error().extensions.at(0).first, "topUpId");
  EXPECT_TRUE(told_again.replayed);

  FreezeAccountRequest freeze;
  freeze.set_id(account_in(first).id());
  freeze.set_reason("because");
  Command tagged = TestClient::command(freeze, user_principal(derived_uuid("staff"), {USER, SUPPORT}));
  tagged.if_match = 1;
  EXPECT_EQ(client.client.call_and_wait(tagged).result.error().code, Code::kPreconditionFailed);
}

TEST_F(CallTest, TheDeadlineEndsIt) {
  server.conduct->gate.close();
  const Time began = system_clock().monotonic();
  const Answer answer = client.call(new_account("wait"), anna(), 300 * kMillisecond);
  EXPECT_EQ(answer.result.error().code, Code::kDeadlineExceeded);
  EXPECT_LT(system_clock().monotonic() - began, 2 * kSecond);
}

TEST(CallLimits, LargeMessagesAreRefusedBothWays) {
  TestServer server({.plaintext = true, .max_message_bytes = 10'000});
  ClientOptions options = plain_gateway();
  options.max_message_bytes = 5'000;
  TestClient client({server.address()}, options);
  CreateAccountRequest large = new_account(std::string(20'000, 'x'));
  EXPECT_EQ(client.call(large, anna()).result.error().reason, "message_too_large");
  server.conduct->large = std::string(7'000, 'x');
  EXPECT_EQ(client.call(new_account("large"), anna()).result.error().reason, "answer_too_large");
  server.conduct->large = std::string(12'000, 'x');
  EXPECT_EQ(client.call(new_account("large"), anna()).result.error().reason, "answer_too_large");
  EXPECT_TRUE(client.call(new_account("small"), anna()).result.has_value());
}

TEST(CallLimits, ManyAtOnceKeepApart) {
  TestServer server;
  TestClient client({server.address()});
  constexpr int kCalls = 2'000;
  std::atomic<int> good{0}, done{0};
  std::promise<void> all;
  for (int i = 0; i < kCalls; ++i) {
    Command command = TestClient::command(new_account(fmt::format("n{}", i)), anna());
    command.done = [&, i](const Answer& answer) {
      if (answer.result && account_in(answer).name() == fmt::format("n{}", i)) ++good;
      if (++done == kCalls) all.set_value();
    };
    client.client.call(std::move(command));
  }
  ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(good, kCalls);
}

TEST(CallLimits, AnAnswerAfterTheEndFindsNobody) {
  auto store = memory_store();
  auto conduct = std::make_shared<Conduct>();
  Engine engine(EngineOptions{.seed = 1}, *store, system_clock(), account_service(conduct));
  ASSERT_TRUE(engine.open().has_value());
  engine.start();
  auto server = std::make_unique<Server>(ServerOptions{.plaintext = true}, engine, system_clock());
  ASSERT_TRUE(server->start().has_value());
  auto client = std::make_unique<TestClient>(std::vector{server->address()});
  conduct->gate.close();
  Command command = TestClient::command(new_account("wait"), anna());
  std::promise<void> told;
  command.done = [&](const Answer&) { told.set_value(); };
  client->client.call(std::move(command));
  ASSERT_TRUE(comes_true([&] { return conduct->gate.waiting() > 0; }));
  server.reset();
  told.get_future().wait();
  client.reset();
  conduct->gate.open();
  engine.drain(kSecond);
}

TEST(CallLimits, NoInstanceIsToldAtOnce) {
  TestClient client({});
  const Answer answer = client.call(new_account("a"), anna());
  EXPECT_EQ(answer.result.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.result.error().reason, "upstream_unavailable");
  EXPECT_GE(answer.result.error().retry_after_s, 1u);
}

TEST(CallLimits, PlainTextIsForLoopbackAndAskedFor) {
  auto store = memory_store();
  auto conduct = std::make_shared<Conduct>();
  Engine engine(EngineOptions{.seed = 1}, *store, system_clock(), account_service(conduct));
  Server silent({}, engine, system_clock()),
      open({.listen = "0.0.0.0:0", .plaintext = true}, engine, system_clock());
  EXPECT_EQ(silent.start().error().reason, "plaintext_refused");
  EXPECT_EQ(open.start().error().reason, "plaintext_refused");
  Client client({}, static_resolver({}), system_clock());
  EXPECT_EQ(client.start().error().reason, "plaintext_refused");
}

}  // namespace
}  // namespace micropay::rpc
