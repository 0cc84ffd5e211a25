// Listening, accepting, handing connections to the loops in turn; ticks for what waits.
#include "libs/rpc/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "libs/base/host_port.h"
#include "libs/base/log.h"
#include "libs/rpc/server_connection.h"

namespace micropay::rpc {
namespace {

namespace asio = boost::asio;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;
using SystemError = boost::system::error_code;
constexpr Duration kTickLength = 50 * kMillisecond;
constexpr Duration kLastWords = 500 * kMillisecond;  // between the last answer and the end of a connection
constexpr Duration kReloadEvery = kSecond;

std::unexpected<Error> cannot_listen(const std::string& listen, const SystemError& error) {
  const bool taken = error == asio::error::address_in_use;
  return fail(Code::kUnavailable, taken ? "address_in_use" : "cannot_listen",
              fmt::format("Cannot listen on {}: {}", listen, error.message()), "rpc.listen");
}

Result<asio::ip::tcp::endpoint> endpoint_of(asio::io_context& context, const std::string& listen) {
  const auto address = parse_host_port(listen);
  SystemError error;
  asio::ip::tcp::resolver resolver(context);
  const auto found =
      !address ? asio::ip::tcp::resolver::results_type()
               : resolver.resolve(address->host, address->port_text(),
                                  asio::ip::resolver_base::numeric_service | asio::ip::resolver_base::passive,
                                  error);
  if (found.empty() || error)
    return fail(Code::kInvalidArgument, "invalid_address",
                fmt::format("'{}' is no host:port of ours", listen), "rpc.listen");
  return found.begin()->endpoint();
}

}  // namespace

struct Server::Impl {
  Impl(const ServerOptions& given, Engine& engine, const Clock& clock)
      : options(given),
        dispatch(engine, clock, {.query_threads = given.query_threads}),
        core(std::make_shared<ServerCore>(dispatch, clock, builtins(dispatch), given.max_message_bytes,
                                          given.max_calls, given.max_streams, given.keys, given.away)) {
    for (size_t i = 0; i < options.threads; ++i) sites.push_back(std::make_unique<Site>());
  }

  // A loop and the connections on it.
  struct Site {
    LoopThread loop{"rpc"};
    std::vector<std::shared_ptr<ServerConnection>> connections;
    std::unique_ptr<Ticker> ticker;
  };

  void wait_to_accept();
  void take(int fd, const std::string& peer);
  void tick(Site& site);

  ServerOptions options;
  Dispatch dispatch;
  std::shared_ptr<ServerCore> core;
  std::vector<std::unique_ptr<Site>> sites;
  std::unique_ptr<Acceptor> acceptor;  // on the first loop
  std::string address;
  size_t next_site = 0;
  Time reload_at = 0;
  bool started = false;
  std::atomic<size_t> drained{0};  // sites whose callers were told
};

void Server::Impl::wait_to_accept() {
  acceptor->async_wait(Acceptor::wait_read, [this](const SystemError& error) {
    if (error) return;
    for (;;) {
      SystemError problem;
      asio::ip::tcp::endpoint from;
      auto socket = acceptor->accept(sites.front()->loop.context(), from, problem);
      if (problem) break;
      const std::string peer = fmt::format("{}:{}", from.address().to_string(), from.port());
      if (core->connections >= options.max_connections) {
        log_warn("rpc.too_many_connections", "A caller was turned away", {{"client.address", peer}});
        continue;
      }
      take(socket.release(problem), peer);
    }
    wait_to_accept();
  });
}

void Server::Impl::take(int fd, const std::string& peer) {
  Site& site = *sites[next_site++ % sites.size()];
  site.loop.post([this, &site, fd, peer] {
    auto connection = std::make_shared<ServerConnection>(site.loop, core);
    site.connections.push_back(connection);
    connection->accept(fd, peer);
  });
}

void Server::Impl::tick(Site& site) {
  const Time now = core->clock.monotonic();
  for (size_t i = site.connections.size(); i-- > 0;) {
    site.connections[i]->on_tick(now);
    if (!site.connections[i]->closed()) continue;
    site.connections[i] = std::move(site.connections.back());
    site.connections.pop_back();
  }
  if (&site != sites.front().get()) return;
  dispatch.tick(now);
  if (core->keys == nullptr || now < reload_at) return;
  reload_at = now + kReloadEvery;
  core->keys->reload_when_changed();
}

Server::Server(const ServerOptions& options, Engine& engine, const Clock& clock)
    : impl_(std::make_unique<Impl>(options, engine, clock)) {}

Server::~Server() { stop(0); }

Result<void> Server::start() {
  Impl& impl = *impl_;
  LoopThread& first = impl.sites.front()->loop;
  const auto endpoint = TRY(endpoint_of(first.context(), impl.options.listen));
  if (impl.options.keys == nullptr && !(impl.options.plaintext && endpoint.address().is_loopback())) {
    return fail(
        Code::kInvalidArgument, "plaintext_refused",
        "Calls between processes need certificates; plain text is for tests on this machine's own address.",
        "rpc.certificate");
  }
  SystemError error;
  impl.acceptor = std::make_unique<Acceptor>(first.context());
  impl.acceptor->open(endpoint.protocol(), error);
  if (!error) impl.acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) impl.acceptor->bind(endpoint, error);
  if (!error) impl.acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (!error) impl.acceptor->non_blocking(true, error);
  if (error) return cannot_listen(impl.options.listen, error);
  const auto bound = impl.acceptor->local_endpoint();
  impl.address = bound.address().is_v6() ? fmt::format("[{}]:{}", bound.address().to_string(), bound.port())
                                         : fmt::format("{}:{}", bound.address().to_string(), bound.port());
  impl.wait_to_accept();
  for (auto& site : impl.sites) {
    site->ticker =
        std::make_unique<Ticker>(site->loop, kTickLength, [&impl, &site = *site] { impl.tick(site); });
    site->loop.start();
  }
  impl.started = true;
  return {};
}

// First the callers are told to go elsewhere, then what runs is waited for.
void Server::stop(Duration grace) {
  Impl& impl = *impl_;
  if (!std::exchange(impl.started, false)) return;
  impl.sites.front()->loop.post([&impl] { impl.acceptor->close(); });
  for (auto& site : impl.sites) {
    site->loop.post([&impl, &site = *site] {
      for (auto& connection : site.connections) connection->drain();
      ++impl.drained;
    });
  }
  // Callers that were told close their connection when they have their last answer; a few do not.
  const Time began = impl.core->clock.monotonic(), until = began + grace;
  Time quiet = began;
  for (Time now = began; now < until && (now - quiet < kLastWords || impl.drained < impl.sites.size());
       now = impl.core->clock.monotonic()) {
    if (impl.drained == impl.sites.size() && impl.core->connections == 0) break;
    if (impl.core->calls > 0) quiet = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  for (auto& site : impl.sites) site->loop.stop();
  for (auto& site : impl.sites) {
    site->ticker.reset();
    for (auto& connection : site->connections) connection->close();
    site->connections.clear();
  }
  impl.dispatch.stop();
}

std::string Server::address() const { return impl_->address; }

}  // namespace micropay::rpc
