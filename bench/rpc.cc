// Calls between processes: what a GET of a payment costs through a gateway in front of a service process.
//
//   bench_rpc service 18083 [CERTS]               a payment service that answers one payment, until killed
//   bench_rpc gateway 18080 18083 [CERTS]         the gateway before it; prints a path and a token
//   bench_rpc calls 18083 64 100000 [CERTS]       so many calls, so many at once: µs of CPU of the caller
//
// With CERTS, a folder of `micropay certs`, over mutual TLS. Each prints its CPU time per request at SIGTERM.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <future>

#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/rpc/server.h"
#include "libs/runtime/testing.h"
#include "libs/security/token_authenticator.h"
#include "services/gateway/gateway.h"
#include "services/gateway/remote_backend.h"

namespace micropay {
namespace {

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

const std::string& payment_id() {
  static const std::string id = derived_uuid("payment");
  return id;
}

std::shared_ptr<rpc::TlsKeys> keys_of(const std::string& folder, const std::string& name) {
  if (folder.empty()) return nullptr;
  auto keys = rpc::TlsKeys::open({.certificate = folder + "/" + name + ".crt",
                                  .key = folder + "/" + name + ".key",
                                  .authority = folder + "/authority.crt"});
  CHECK(keys.has_value());
  return *keys;
}

Service payment_service(std::atomic<uint64_t>& answered) {
  Service service{"payment"};
  service.seed([](Context& ctx) -> Result<void> {
    Payment payment;
    payment.set_id(payment_id());
    payment.set_payer_account_id(derived_uuid("payer"));
    payment.set_payee_account_id(derived_uuid("payee"));
    payment.set_payer_user_id(derived_uuid("anna"));
    payment.mutable_amount()->set_currency("EUR");
    payment.mutable_amount()->set_minor(1234);
    payment.set_description("Two coffees and a croissant");
    payment.set_status(Payment::COMPLETED);
    payment.set_created_at(ctx.now());
    ctx.table<Payment>().insert(payment);
    return {};
  });
  service.query([&answered](QueryContext& ctx, const GetPaymentRequest& request) -> Result<Payment> {
    answered.fetch_add(1, std::memory_order_relaxed);
    return TRY(ctx.table<Payment>().get(request.id())).get();
  });
  return service;
}

void wait_for_the_end() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int got = 0;
  sigwait(&signals, &got);
}

void report(double began, uint64_t requests) {
  fmt::print("{:.2f} us of CPU a request, {} requests\n",
             (cpu_seconds() - began) / double(std::max<uint64_t>(requests, 1)) * 1e6, requests);
  std::fflush(stdout);
}

int serve(const std::string& port, const std::string& certs) {
  std::atomic<uint64_t> answered{0};
  auto store = make_memory_store(contract::model());
  std::vector<Service> services;
  services.push_back(payment_service(answered));
  Engine engine(EngineOptions{.seed = 1}, *store, system_clock(), std::move(services));
  CHECK(engine.open().has_value());
  engine.start();
  rpc::Server server(
      {.listen = "127.0.0.1:" + port, .keys = keys_of(certs, "payment"), .plaintext = certs.empty()}, engine,
      system_clock());
  CHECK(server.start().has_value());
  const double began = cpu_seconds();
  wait_for_the_end();
  report(began, answered);
  server.stop(kSecond);
  engine.drain(kSecond);
  return 0;
}

rpc::Targets payment_at(const std::string& port) {
  rpc::Targets targets;
  targets["payment"].push_back({"127.0.0.1:" + port, true});
  return targets;
}

rpc::ClientOptions client_options(const std::string& certs) {
  return {.caller = "gateway", .keys = keys_of(certs, "gateway"), .plaintext = certs.empty()};
}

// No live streams here.
class NoEvents final : public gateway::EventFeed {
 public:
  void on_committed(std::function<void(const gateway::EventBatch&)>) override {}
  uint64_t end_position() const override { return 1; }
  Result<gateway::EventBatch> read_events(uint64_t, size_t) const override { return gateway::EventBatch(); }
};

// Counts what is asked of the backend, which is what reached it.
class Counted final : public Authenticator {
 public:
  explicit Counted(Authenticator& real) : real_(real) {}
  Result<Identity> authenticate(std::string_view token) override {
    asked.fetch_add(1, std::memory_order_relaxed);
    return real_.authenticate(token);
  }
  std::string jwks() const override { return real_.jwks(); }
  std::atomic<uint64_t> asked{0};

 private:
  Authenticator& real_;
};

int gate(const std::string& port, const std::string& upstream, const std::string& certs) {
  auto ring = KeyRing::from_seed("bench");
  TokenAuthenticator authenticator(ring, [](const std::string&) { return std::nullopt; }, system_clock());
  Counted counted(authenticator);
  const Time now = system_clock().now();
  auto token = sign_token(*ring, {.user_id = derived_uuid("anna"),
                                  .session_id = derived_uuid("session"),
                                  .id = derived_uuid("token"),
                                  .role_bits = 1u << USER,
                                  .issued_at = now,
                                  .expires_at = now + kHour});
  CHECK(token.has_value());
  gateway::GatewaySettings settings;
  settings.listen = "127.0.0.1:" + port;
  settings.ops_listen = "127.0.0.1:0";
  const auto rate = *gateway::parse_rate("1000000/s burst 1000000");
  settings.rate_limits = {
      .on = true, .standard = rate, .auth = rate, .payment = rate, .read = rate, .global = rate};
  if (const char* threads = getenv("IO_THREADS")) settings.io_threads = size_t(atoi(threads));
  NoEvents events;
  gateway::RemoteBackend backend(client_options(certs), rpc::static_resolver(payment_at(upstream)),
                                 system_clock());
  gateway::Gateway server(settings, {backend, events, counted, system_clock(), "1.0"});
  CHECK(server.start().has_value());
  fmt::print("/api/v1/payments/{}\n{}\n", payment_id(), *token);
  std::fflush(stdout);
  const double began = cpu_seconds();
  wait_for_the_end();
  report(began, counted.asked);
  server.stop(kSecond);
  return 0;
}

int calls(const std::string& upstream, size_t at_once, size_t count, const std::string& certs) {
  rpc::Client client(client_options(certs), rpc::static_resolver(payment_at(upstream)), system_clock());
  CHECK(client.start().has_value());
  auto request = std::make_shared<GetPaymentRequest>();
  request->set_id(payment_id());
  std::atomic<size_t> started{0}, done{0}, bad{0};
  std::promise<void> all;
  std::function<void()> next = [&] {
    if (started.fetch_add(1) >= count) return;
    client.call({.method = contract::model().method_of<GetPaymentRequest>(),
                 .request = request,
                 .principal = user_principal(derived_uuid("anna")),
                 .correlation_id = derived_uuid("correlation"),
                 .done = [&](const Answer& answer) {
                   if (!answer.result) ++bad;
                   if (++done == count) all.set_value();
                   else next();
                 }});
  };
  const double began = cpu_seconds();
  const Time wall = system_clock().monotonic();
  for (size_t i = 0; i < at_once; ++i) next();
  all.get_future().wait();
  const double seconds = double(system_clock().monotonic() - wall) / kSecond;
  fmt::print("{:.0f} calls/s, {} failed; caller: ", double(count) / seconds, bad.load());
  report(began, count);
  client.stop();
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto at = [&](size_t i) { return i < arguments.size() ? arguments[i] : std::string(); };
  if (at(0) == "service" && arguments.size() >= 2) return serve(at(1), at(2));
  if (at(0) == "gateway" && arguments.size() >= 3) return gate(at(1), at(2), at(3));
  if (at(0) == "calls" && arguments.size() >= 4)
    return calls(at(1), std::stoul(at(2)), std::stoul(at(3)), at(4));
  fmt::print(stderr, "bench_rpc service PORT | gateway PORT UPSTREAM | calls UPSTREAM AT_ONCE COUNT\n");
  return 2;
}

}  // namespace
}  // namespace micropay

int main(int argc, char** argv) { return micropay::run({argv + 1, argv + argc}); }
