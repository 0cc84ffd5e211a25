// Two ends of a call for tests: an engine on the memory store with a made-up account service behind a real
// server, and a real client, over loopback.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>

#include "contracts/account.pb.h"
#include "libs/base/ids.h"
#include "libs/rpc/client.h"
#include "libs/rpc/server.h"
#include "libs/runtime/engine.h"
#include "libs/runtime/testing.h"

namespace micropay::rpc {

constexpr Code kAllCodes[] = {
    Code::kInvalidArgument,  Code::kUnauthenticated,    Code::kPermissionDenied,   Code::kNotFound,
    Code::kAlreadyExists,    Code::kFailedPrecondition, Code::kPreconditionFailed, Code::kAborted,
    Code::kPaymentRequired,  Code::kUnprocessable,      Code::kResourceExhausted,  Code::kUnavailable,
    Code::kDeadlineExceeded, Code::kUnimplemented,      Code::kInternal,           Code::kTooLarge};

// Holds back what waits for it, until it is opened.
class Gate {
 public:
  void close() { set(false); }
  void open() { set(true); }
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  void until_somebody_waits() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  void set(bool open) {
    std::scoped_lock lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

// What the service of a TestServer does beside keeping accounts; the name of a new account asks for it.
struct Conduct {
  Gate gate;  // "wait"
  std::atomic<int> creations{0};
  std::mutex mutex;
  Error error;        // "fail"; guarded by mutex
  Principal seen;     // of the last creation; guarded by mutex
  std::string large;  // answered as name by "large"
};

inline std::vector<Service> account_service(const std::shared_ptr<Conduct>& conduct) {
  Service service{"account"};
  service.command([conduct](Context& ctx, const CreateAccountRequest& request) -> Result<Account> {
    ++conduct->creations;
    if (request.name() == "wait") conduct->gate.wait();
    std::scoped_lock lock(conduct->mutex);
    conduct->seen = ctx.principal();
    if (request.name() == "fail") return std::unexpected(conduct->error);
    Account account;
    account.set_id(ctx.new_id());
    account.set_user_id(ctx.principal().user_id);
    account.set_currency(request.currency());
    account.set_name(request.name() == "large" ? conduct->large : request.name());
    account.set_created_at(ctx.now());
    ctx.table<Account>().insert(account);
    return account;
  });
  service.command([](Context& ctx, const FreezeAccountRequest& request) -> Result<Account> {
    TRY(ctx.table<Account>().get(request.id()));
    Account& account = ctx.table<Account>().edit(request.id());
    account.set_status(Account::FROZEN);
    return account;
  });
  service.query([](QueryContext& ctx, const GetAccountRequest& request) -> Result<Account> {
    return TRY(ctx.table<Account>().get(request.id())).get();
  });
  service.query([conduct](QueryContext& ctx,
                          const ListAccountsRequest& request) -> Result<ListAccountsResponse> {
    if (request.page_size() == 499) conduct->gate.wait();
    auto page = TRY(
        ctx.table<Account>().list({.filters = {{"user_id", Filter::Op::kEqual, ctx.principal().user_id, {}}},
                                   .page_size = static_cast<uint32_t>(request.page_size())}));
    ListAccountsResponse response;
    for (size_t i = 0; i < page.size(); ++i) *response.add_accounts() = page[i];
    return response;
  });
  std::vector<Service> services;
  services.push_back(std::move(service));
  return services;
}

inline std::shared_ptr<Store> memory_store() { return make_memory_store(contract::model()); }

// Several over one store are the instances of a service, as far as reading goes.
struct TestServer {
  explicit TestServer(ServerOptions options = {.plaintext = true},
                      std::shared_ptr<Store> with = memory_store())
      : store(std::move(with)),
        engine(EngineOptions{.wait_timeout = 200 * kMillisecond, .seed = 1}, *store, system_clock(),
               account_service(conduct)),
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
  Client client;
};

inline CreateAccountRequest new_account(const std::string& name) {
  CreateAccountRequest request;
  request.set_currency("EUR");
  request.set_name(name);
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
