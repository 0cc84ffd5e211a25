// Reading one's own writes over real calls: marks come with an answer, and a call that brings marks waits for
// what they name (decisions/0010).
#include <gmock/gmock.h>

#include "contracts/payment.pb.h"
#include "libs/rpc/rpc_twin.h"
#include "libs/rpc/wire.h"

namespace micropay::rpc {
namespace {

Mark completed_at(uint64_t position) {
  const contract::Event& event = *contract::model().event_of<PaymentCompleted>();
  return {event.service, 1, type_digest(event.type), position};
}

struct CausalTest : testing::Test {
  TestServer server;
  TestClient client{{server.address()}};

  std::future<Answer> call_after(Command command, Marks after) {
    command.after = std::move(after);
    return std::async(std::launch::async, [this, command] { return client.client.call_and_wait(command); });
  }
  static auto ready(const std::future<Answer>& answer) {
    return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  static uint64_t counted(const char* name) { return counter(name, "").value(); }
  static uint64_t waited() { return counted("micropay_rpc_server_waits_total"); }
  static uint64_t waited_in_vain() { return counted("micropay_rpc_server_waits_in_vain_total"); }
  void complete(uint64_t position) {
    PaymentCompleted event;
    event.set_payment_id(derived_uuid("payment"));
    server.engine.deliver(foreign_event(event, position, system_clock().now()), 1, position);
  }
};

TEST_F(CausalTest, AnAnswerBringsItsMarks) {
  const Answer made = client.call(new_account("a"), anna());
  ASSERT_EQ(made.marks.size(), 1u);
  const contract::Event& event = *contract::model().event_of<AccountCreated>();
  EXPECT_EQ(made.marks[0].service, event.service);
  EXPECT_EQ(made.marks[0].type, type_digest(event.type));
  EXPECT_EQ(made.marks[0].partition, 3u);
  EXPECT_EQ(made.marks[0].position, 1u);
  EXPECT_TRUE(client.call(get_account(account_in(made).id()), anna()).marks.empty());
}

TEST_F(CausalTest, QueriesAndCommandsWaitForWhatTheirCallerHasSeen) {
  const std::string id = account_in(client.call(new_account("a"), anna())).id();
  const uint64_t before = waited(), in_vain = waited_in_vain();
  const int creations = server.conduct->creations;
  auto read = call_after(TestClient::command(get_account(id), anna()), {completed_at(5)});
  auto list = call_after(TestClient::command(ListAccountsRequest(), anna()), {completed_at(5)});
  auto write = call_after(TestClient::command(new_account("b"), anna()), {completed_at(5)});
  while (waited() < before + 3) std::this_thread::yield();
  EXPECT_FALSE(ready(read) || ready(list) || ready(write));
  EXPECT_EQ(server.conduct->creations, creations);
  complete(5);
  EXPECT_TRUE(read.get().result && list.get().result && write.get().result);
  EXPECT_EQ(waited_in_vain(), in_vain);
  EXPECT_TRUE(call_after(TestClient::command(get_account(id), anna()), {completed_at(4)}).get().result);
  EXPECT_EQ(waited(), before + 3) << "nothing was missing";
}

TEST_F(CausalTest, WhatDoesNotComeIsNotWaitedForLong) {
  const std::string id = account_in(client.call(new_account("a"), anna())).id();
  const uint64_t in_vain = waited_in_vain();
  EXPECT_TRUE(call_after(TestClient::command(get_account(id), anna()), {completed_at(9)}).get().result);
  EXPECT_EQ(waited_in_vain(), in_vain + 1);
}

TEST_F(CausalTest, ARecordOfThisSecondIsLookedForAgain) {
  const auto repeats = [] { return counted("micropay_rpc_server_repeats_total"); };
  IdGenerator ids(7);
  const std::string young = ids.next(system_clock().now());
  const std::string old = IdGenerator(7).next(system_clock().now() - kMinute);
  const uint64_t before = repeats();
  EXPECT_EQ(client.call(get_account(old), anna()).result.error().code, Code::kNotFound);
  EXPECT_EQ(repeats(), before) << "it would be known";
  auto read = call_after(TestClient::command(get_account(young), anna()), {});
  uint64_t position = 100;
  while (repeats() == before) complete(++position), std::this_thread::yield();
  EXPECT_EQ(read.get().result.error().code, Code::kNotFound) << "after a second it is not there";
  const uint64_t once = repeats();
  auto busy = call_after(TestClient::command(get_account(ids.next(system_clock().now())), anna()), {});
  while (!ready(busy)) complete(++position), std::this_thread::yield();
  EXPECT_EQ(busy.get().result.error().code, Code::kNotFound);
  EXPECT_LE(repeats(), once + 20) << "however much comes";
}

TEST_F(CausalTest, AServerStopsWhileCallsWait) {
  const uint64_t before = waited();
  auto read = call_after(TestClient::command(ListAccountsRequest(), anna()), {completed_at(9)});
  while (waited() == before) std::this_thread::yield();
  server.server.stop(0);
  EXPECT_FALSE(read.get().result);
}

TEST(Away, CommandsGoWhereTheirEventsCome) {
  std::atomic<bool> away{true};
  TestServer here({.plaintext = true, .away = [&] { return away.load(); }});
  TestServer there({.plaintext = true}, here.store);
  TestClient client({here.address(), there.address()});
  const auto create = [&](int times) {
    for (int i = 0; i < times; ++i) EXPECT_TRUE(client.call(new_account("a"), anna()).result);
  };
  while (here.conduct->creations == 0) create(1);  // now it is known
  const int before = here.conduct->creations;
  create(20);
  EXPECT_LE(here.conduct->creations - before, 1) << "asked again once a second at most";
  there.server.stop(0);
  create(5);
  EXPECT_GE(here.conduct->creations - before, 5) << "better there than nowhere";
}

TEST(Marks, AreReadAsTheyWereWritten) {
  const Marks marks{completed_at(1), completed_at(uint64_t(1) << 60)};
  const Marks read = decode_marks(encode_marks(marks));
  ASSERT_EQ(read.size(), 1u) << "the higher one counts";
  EXPECT_EQ(read[0].position, uint64_t(1) << 60);
  EXPECT_TRUE(decode_marks("\xff\xff nothing").empty());
  Marks many;
  for (uint32_t i = 0; i < 1000; ++i) many.push_back({completed_at(1).service, i, 1, 1});
  EXPECT_EQ(decode_marks(encode_marks(many).substr(0, 4000)).size(), 0u);
  EXPECT_LE(decode_marks(encode_marks(Marks(many.begin(), many.begin() + 100))).size(), kMostMarks);
}

}  // namespace
}  // namespace micropay::rpc
