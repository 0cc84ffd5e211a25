// Dead letters of services that run apart, as one list: over real calls to real engines.
#include <gtest/gtest.h>

#include <future>

#include "contracts/runtime.pb.h"
#include "libs/base/ids.h"
#include "libs/rpc/server.h"
#include "libs/runtime/testing.h"
#include "services/gateway/everywhere.h"

namespace micropay::gateway {
namespace {

// A service with nothing but dead letters.
struct Node {
  explicit Node(const std::string& name)
      : service(name),
        store(make_memory_store(contract::model())),
        engine(EngineOptions{.seed = 1}, *store, system_clock(), one(name)),
        server({.plaintext = true}, engine, system_clock()) {
    CHECK(engine.open().has_value());
    engine.start();
    const auto started = server.start();
    CHECK(started.has_value());
  }
  ~Node() {
    server.stop(kSecond);
    engine.drain(kSecond);
  }
  static std::vector<Service> one(const std::string& name) {
    std::vector<Service> all;
    all.emplace_back(name);
    return all;
  }
  void add(std::initializer_list<const char*> ids) {
    Tick tick{.number = store->end().tick + 1, .first_position = 1, .time = 1};
    for (const char* id : ids) {
      auto letter = std::make_shared<DeadLetter>();
      letter->set_id(fmt::format("0190c5b2-7e0c-7000-8000-0000000000{}", id));
      letter->set_service(service);
      const contract::Table& table = *contract::model().table_of<DeadLetter>();
      tick.changes.push_back({&table, table.key_of(*letter), letter});
    }
    CHECK(store->commit(tick).has_value());
  }
  const std::string service;
  std::unique_ptr<Store> store;
  Engine engine;
  rpc::Server server;
};

struct EverywhereTest : testing::Test {
  EverywhereTest() {
    for (const contract::Service* service : contract::model().services())
      if (service->name != "runtime" && !service->methods.empty())
        nodes[service->name] = std::make_unique<Node>(service->name);
    nodes["payment"]->add({"09", "06", "05"});
    nodes["fraud"]->add({"08", "07", "01"});
    nodes["audit"]->add({"04"});
    connect();
  }
  void connect() {
    everywhere.reset();
    rpc::Targets targets;
    for (const auto& [name, node] : nodes) targets[name].push_back({node->server.address(), true});
    client = std::make_unique<rpc::Client>(rpc::ClientOptions{.caller = "gateway", .plaintext = true},
                                           rpc::static_resolver(targets), system_clock());
    CHECK(client->start().has_value());
    everywhere = std::make_unique<Everywhere>(*client);
  }
  template <typename Request>
  Answer ask(const Request& request) {
    std::promise<Answer> promise;
    everywhere->call({.method = contract::model().method_of<Request>(),
                      .request = std::make_shared<Request>(request),
                      .principal = user_principal(derived_uuid("staff"), {ADMIN}),
                      .done = [&](Answer answer) { promise.set_value(std::move(answer)); }});
    return promise.get_future().get();
  }
  // The ids' last two digits, and the next token.
  std::string page(const std::string& token, int size, std::string* next) {
    ListDeadLettersRequest request;
    request.set_page_size(size);
    request.set_page_token(token);
    const Answer answer = ask(request);
    if (!answer.result) return answer.result.error().reason;
    const auto& response = static_cast<const ListDeadLettersResponse&>(**answer.result);
    *next = response.next_page_token();
    std::string ids;
    for (const DeadLetter& letter : response.dead_letters()) ids += letter.id().substr(34) + " ";
    return ids;
  }
  std::string reason(const std::string& id) {
    GetDeadLetterRequest request;
    request.set_id(fmt::format("0190c5b2-7e0c-7000-8000-0000000000{}", id));
    const Answer answer = ask(request);
    return answer.result ? static_cast<const DeadLetter&>(**answer.result).service()
                         : answer.result.error().reason;
  }
  std::map<std::string, std::unique_ptr<Node>> nodes;
  std::unique_ptr<rpc::Client> client;
  std::unique_ptr<Everywhere> everywhere;
};

TEST_F(EverywhereTest, AListIsMergedNewestFirstAndPaged) {
  std::string next;
  EXPECT_EQ(page("", 0, &next), "09 08 07 06 05 04 01 ");
  EXPECT_EQ(next, "");
  EXPECT_EQ(page("", 3, &next), "09 08 07 ");
  EXPECT_EQ(page(next, 3, &next), "06 05 04 ");
  EXPECT_EQ(page(next, 3, &next), "01 ");
  EXPECT_EQ(next, "");
  EXPECT_EQ(page("offset:5", 3, &next), "04 01 ");
  for (const char* bad : {"x", "payment:x", "payment:1,payment:2", "nobody:1", "offset:-1", "offset:4000"})
    EXPECT_EQ(page(bad, 3, &next), "invalid_page_token") << bad;
}

TEST_F(EverywhereTest, OneServiceIsAskedAlone) {
  ListDeadLettersRequest request;
  request.set_service("fraud");
  const Answer answer = ask(request);
  ASSERT_TRUE(answer.result);
  EXPECT_EQ(static_cast<const ListDeadLettersResponse&>(**answer.result).dead_letters_size(), 3);
  request.set_service("nobody");
  EXPECT_TRUE(ask(request).result);
}

TEST_F(EverywhereTest, WhoeverHasItAnswers) {
  EXPECT_EQ(reason("07"), "fraud");
  EXPECT_EQ(reason("09"), "payment");
  EXPECT_EQ(reason("99"), "not_found");
}

TEST_F(EverywhereTest, WhatMayBeWhereNobodyAnswersIsNotDenied) {
  nodes.erase("balance");
  connect();
  std::string next;
  EXPECT_EQ(reason("07"), "fraud");
  EXPECT_EQ(reason("99"), "upstream_unavailable");
  EXPECT_EQ(page("", 3, &next), "upstream_unavailable");
}

}  // namespace
}  // namespace micropay::gateway
