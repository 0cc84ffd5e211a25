// Two ends of a call for tests: an engine on the memory store with a made-up account service behind a real
// server, and a real client, over loopback.
#pragma once

#include <gtest/gtest.h>

#include <future>

#include "contracts/account.pb.h"
#include "libs/base/ids.h"
#include "libs/base/metrics.h"
#include "libs/rpc/certificates_twin.h"
#include "libs/rpc/client.h"
#include "libs/rpc/server.h"
#include "libs/rpc/service_twin.h"
#include "libs/runtime/engine.h"
#include "libs/runtime/testing.h"

namespace micropay::rpc {

inline std::shared_ptr<Store> memory_store() { return make_memory_store(contract::model()); }

// Several over one store are the instances of a service, as far as reading goes.
struct TestServer {
  explicit TestServer(ServerOptions options = {.plaintext = true},
                      std::shared_ptr<Store> with = memory_store())
      : store(std::move(with)),
        engine(EngineOptions{.wait_timeout = 200 * kMillisecond,
                             .seed = 1,
                             .partition_of = [](std::string_view) { return 3u; }},
               *store, system_clock(), account_service(conduct)),
        server(options, engine, system_clock()) {
    CHECK(engine.open().has_value());
    engine.start();
    const auto started = server.start();
    CHECK(started.has_value());
  }
  ~TestServer() {
    conduct->gate.open();
    server.stop(kSecond);
    engine.drain(kSecond);
  }
  std::string address() const { return server.address(); }

  std::shared_ptr<Conduct> conduct = std::make_shared<Conduct>();
  std::shared_ptr<Store> store;
  Engine engine;
  Server server;
};

inline Targets accounts_at(const std::vector<std::string>& addresses) {
  Targets targets;
  for (const std::string& address : addresses) targets["account"].push_back({address, true});
  return targets;
}

inline ClientOptions plain_gateway() {
  return {.caller = "gateway", .plaintext = true, .timeout = 5 * kSecond};
}

struct TestClient {
  TestClient(const std::vector<std::string>& addresses, ClientOptions options = plain_gateway())
      : client(std::move(options), static_resolver(accounts_at(addresses)), system_clock()) {
    const auto started = client.start();
    CHECK(started.has_value());
  }
  template <typename Request>
  static Command command(const Request& request, Principal principal) {
    return {.method = contract::model().method_of<Request>(),
            .request = std::make_shared<Request>(request),
            .principal = std::move(principal)};
  }
  template <typename Request>
  Answer call(const Request& request, Principal principal, Duration timeout = 0) {
    return client.call_and_wait(command(request, std::move(principal)), timeout);
  }
  // As the metrics say it.
  static int64_t breakers_open() { return instances("open"); }
  static int64_t serving() { return instances("serving"); }
  static int64_t instances(const std::string& state) {
    return gauge("micropay_rpc_client_instances", "Instances as the clients here see them",
                 {{"service", "account"}, {"state", state}})
        .value();
  }
  Client client;
};

inline CreateAccountRequest new_account(const std::string& name) {
  CreateAccountRequest request;
  request.set_currency("EUR");
  request.set_name(name);
  return request;
}
inline CreateTopUpRequest new_top_up(const std::string& account_id, const std::string& payment_method) {
  CreateTopUpRequest request;
  request.set_account_id(account_id);
  request.mutable_amount()->set_currency("EUR");
  request.mutable_amount()->set_minor(100);
  request.set_payment_method(payment_method);
  return request;
}
inline GetAccountRequest get_account(const std::string& id) {
  GetAccountRequest request;
  request.set_id(id);
  return request;
}
inline const Account& account_in(const Answer& answer) {
  CHECK(answer.result.has_value());
  return static_cast<const Account&>(**answer.result);
}
inline Principal anna() { return user_principal(derived_uuid("anna")); }

}  // namespace micropay::rpc
