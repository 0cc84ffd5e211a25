// A gateway over real sockets for tests: the real engine on the memory store, and a made-up account service,
// in the same process or behind a real gRPC connection.
#pragma once

#include "contracts/account.pb.h"
#include "libs/base/ids.h"
#include "libs/http/client_twin.h"
#include "libs/rpc/server.h"
#include "libs/runtime/engine.h"
#include "libs/runtime/testing.h"
#include "libs/security/authenticator_twin.h"
#include "services/gateway/gateway.h"
#include "services/gateway/remote_backend.h"

namespace micropay::gateway {

inline Result<Account> create_account(Context& ctx, const CreateAccountRequest& request) {
  if (request.name() == "broke") {
    return std::unexpected(Error{.code = Code::kPaymentRequired,
                                 .reason = "insufficient_funds",
                                 .detail = "No money.",
                                 .extensions = {{"paymentId", "p-1"}}});
  }
  if (request.name() == "boom") throw std::runtime_error("boom");
  Account account;
  account.set_id(ctx.new_id());
  account.set_user_id(ctx.principal().user_id);
  account.set_currency(request.currency());
  account.set_name(request.name());
  account.set_created_at(ctx.now());
  ctx.table<Account>().insert(account);
  AccountCreated event;
  event.set_account_id(account.id());
  event.set_user_id(account.user_id());
  event.set_currency(account.currency());
  ctx.emit(event);
  return account;
}

inline Result<Account> freeze_account(Context& ctx, const FreezeAccountRequest& request) {
  TRY(ctx.table<Account>().get(request.id()));
  Account& account = ctx.table<Account>().edit(request.id());
  account.set_status(Account::FROZEN);
  return account;
}

inline Result<Account> get_account(QueryContext& ctx, const GetAccountRequest& request) {
  return TRY(ctx.table<Account>().get(request.id())).get();
}

inline Result<ListAccountsResponse> list_accounts(QueryContext& ctx, const ListAccountsRequest& request) {
  auto page = TRY(
      ctx.table<Account>().list({.filters = {{"user_id", Filter::Op::kEqual, ctx.principal().user_id, {}}},
                                 .page_size = static_cast<uint32_t>(request.page_size()),
                                 .page_token = request.page_token()}));
  ListAccountsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_accounts() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

inline std::vector<Service> test_services() {
  Service service{"account"};
  service.command(create_account);
  service.command(freeze_account);
  service.query(get_account);
  service.query(list_accounts);
  std::vector<Service> services;
  services.push_back(std::move(service));
  return services;
}

enum class Behind : uint8_t { kSameProcess, kOtherProcess };

struct TestGateway {
  explicit TestGateway(GatewaySettings settings = {}, Behind behind = Behind::kSameProcess)
      : store(make_memory_store(contract::model())),
        engine(EngineOptions{.seed = 1}, *store, system_clock(), test_services()),
        local_backend(engine, *store, settings.query_threads),
        server({.plaintext = true}, engine, system_clock()),
        remote_backend(behind == Behind::kOtherProcess ? connect() : nullptr),
        gateway(local(std::move(settings)),
                {remote_backend ? static_cast<Backend&>(*remote_backend) : local_backend, local_backend,
                 authenticator, system_clock(), "1.0"}) {
    identify("anna", anna, {USER});
    identify("bert", bert, {USER});
    identify("staff", derived_uuid("staff"), {USER, SUPPORT});
    CHECK(engine.open().has_value());
    engine.start();
    auto started = gateway.start();
    CHECK(started.has_value());
  }
  ~TestGateway() {
    gateway.stop(kSecond);
    server.stop(kSecond);
    engine.drain(kSecond);
    local_backend.stop();
  }
  std::unique_ptr<RemoteBackend> connect() {
    const auto started = server.start();
    CHECK(started.has_value());
    rpc::Targets targets;
    targets["account"].push_back({server.address(), true});
    return std::make_unique<RemoteBackend>(rpc::ClientOptions{.caller = "gateway", .plaintext = true},
                                           rpc::static_resolver(std::move(targets)), system_clock());
  }
  static GatewaySettings local(GatewaySettings settings) {
    settings.listen = settings.ops_listen = "127.0.0.1:0";
    return settings;
  }
  void identify(const std::string& token, const std::string& user, std::initializer_list<Role> roles,
                Time expires_at = 0) {
    authenticator.give(token, {.principal = user_principal(user, roles), .expires_at = expires_at});
  }
  std::string address() const { return gateway.address(); }

  const std::string anna = derived_uuid("anna"), bert = derived_uuid("bert");
  AuthenticatorTwin authenticator;
  std::unique_ptr<Store> store;
  Engine engine;
  LocalBackend local_backend;
  rpc::Server server;
  std::unique_ptr<RemoteBackend> remote_backend;
  Gateway gateway;
};

// "GET /x" with header lines; a body makes it JSON.
inline std::string http_request(std::string_view line, std::string_view headers = "",
                                std::string_view body = "") {
  std::string length =
      body.empty() ? ""
                   : fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  return fmt::format("{} HTTP/1.1\r\nHost: a\r\n{}{}\r\n{}", line, headers, length, body);
}

}  // namespace micropay::gateway
