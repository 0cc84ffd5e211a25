// Listening, accepting, and handing connections to the I/O threads in turn.
#include "libs/http/server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "libs/base/check.h"
#include "libs/base/host_port.h"
#include "libs/http/loop.h"

namespace micropay {
namespace {

using Listener = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

std::string numeric_address(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  }
  std::string_view view = text;
  if (view.starts_with("::ffff:") && view.find('.') != view.npos) view.remove_prefix(7);
  return std::string(view);
}

std::string address_with_port(const sockaddr_storage& address) {
  bool v4 = address.ss_family == AF_INET;
  uint16_t port = ntohs(v4 ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                           : reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return v4 ? fmt::format("{}:{}", numeric_address(address), port)
            : fmt::format("[{}]:{}", numeric_address(address), port);
}

std::unexpected<Error> cannot_listen(const std::string& listen, int error) {
  return fail(Code::kUnavailable, error == EADDRINUSE ? "address_in_use" : "cannot_listen",
              fmt::format("Cannot listen on {}: {}", listen, std::strerror(error)), "listen");
}

// A listening socket for "host:port"; closed by its owner.
Result<int> open_listener(const std::string& listen) {
  const auto address = parse_host_port(listen);
  if (!address) {
    return fail(Code::kInvalidArgument, "invalid_address",
                fmt::format("'{}' is no address: expected HOST:PORT or [IPV6]:PORT, the port from 0 to 65535",
                            listen),
                "listen");
  }
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = address->port_text();
  if (getaddrinfo(address->host.empty() ? nullptr : address->host.c_str(), port.c_str(), &hints, &found) !=
      0) {
    return fail(Code::kInvalidArgument, "invalid_address",
                fmt::format("'{}' is not an address of ours", listen), "listen");
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return cannot_listen(listen, errno);
  // What is accepted inherits the options. Without the second, the kernel would keep megabytes for each
  // client that does not read.
  int on = 1, unsent_bytes = 256 << 10;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof unsent_bytes);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, SOMAXCONN) != 0) {
    int error = errno;
    ::close(fd);
    return cannot_listen(listen, error);
  }
  return fd;
}

constexpr size_t kOtherDescriptors = 256;  // files, the log, effects: connections leave them so many

// The usual soft limit of 1,024 would be reached long before max_connections. Where the hard limit is lower,
// it is the bound: without descriptors, accept() fails, and new clients would wait instead of being told.
size_t allowed_connections(size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur != limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  size_t allowed =
      limit.rlim_max > 2 * kOtherDescriptors ? limit.rlim_max - kOtherDescriptors : kOtherDescriptors;
  return std::min(wanted, allowed);
}

constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

}  // namespace

struct HttpServer::Impl {
  ServerCorePtr core = std::make_shared<ServerCore>();
  std::string address;
  std::unique_ptr<Listener> listener;  // on the first loop
  std::unique_ptr<boost::asio::steady_timer> retry;
  size_t next_loop = 0;

  void wait_to_accept();
  bool accept_all();
  void close_listener();
};

void HttpServer::Impl::wait_to_accept() {
  listener->async_wait(Listener::wait_read, [this](const boost::system::error_code& error) {
    if (error || core->stopping) return;
    if (accept_all()) return wait_to_accept();
    retry->expires_after(std::chrono::milliseconds(100));
    retry->async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) wait_to_accept();
    });
  });
}

// False when the process has no descriptors left: waiting would return at once, so it is tried again later.
bool HttpServer::Impl::accept_all() {
  for (;;) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    int fd = accept4(listener->native_handle(), reinterpret_cast<sockaddr*>(&peer), &length,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (core->connections >= core->options.max_connections) {
      [[maybe_unused]] auto sent = ::send(fd, kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL);
      ::close(fd);
      continue;
    }
    Loop& loop = *core->loops[next_loop++ % core->loops.size()];
    if (loop.here()) {
      start_connection(core, loop, fd, numeric_address(peer));
    } else {
      loop.post(
          [this, &loop, fd, remote = numeric_address(peer)] { start_connection(core, loop, fd, remote); });
    }
  }
}

void HttpServer::Impl::close_listener() {
  boost::system::error_code ignored;
  listener->close(ignored);
  retry->cancel();
}

HttpServer::HttpServer(HttpOptions options, HttpHandler handler) : impl_(std::make_unique<Impl>()) {
  CHECK(options.threads > 0);
  impl_->core->options = std::move(options);
  impl_->core->handler = std::move(handler);
  for (size_t i = 0; i < impl_->core->options.threads; ++i)
    impl_->core->loops.push_back(std::make_unique<Loop>(i, *impl_->core));
}

HttpServer::~HttpServer() { stop(0); }

Result<void> HttpServer::start() {
  CHECK(impl_->listener == nullptr);
  size_t& most = impl_->core->options.max_connections;
  most = allowed_connections(most);
  int fd = TRY(open_listener(impl_->core->options.listen));
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  impl_->address = address_with_port(bound);
  impl_->listener = std::make_unique<Listener>(impl_->core->loops[0]->context(), fd);
  impl_->retry = std::make_unique<boost::asio::steady_timer>(impl_->core->loops[0]->context());
  impl_->wait_to_accept();
  for (auto& loop : impl_->core->loops) loop->start();
  return {};
}

void HttpServer::stop(Duration grace) {
  if (impl_->listener == nullptr || impl_->core->stopping.exchange(true)) return;
  impl_->core->loops[0]->post([this] { impl_->close_listener(); });
  for (auto& loop : impl_->core->loops) {
    loop->post([&loop = *loop] { loop.each([](LoopMember& member) { member.finish_soon(); }); });
  }
  Time end = system_clock().monotonic() + grace;
  while (impl_->core->connections > 0 && system_clock().monotonic() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (auto& loop : impl_->core->loops) loop->stop();
  impl_->listener.reset();
  impl_->retry.reset();
}

std::string HttpServer::address() const { return impl_->address; }
size_t HttpServer::connections() const { return impl_->core->connections; }
size_t HttpServer::loops() const { return impl_->core->options.threads; }
bool HttpServer::here(size_t loop) const { return impl_->core->loops[loop]->here(); }
boost::asio::io_context& HttpServer::context(size_t loop) { return impl_->core->loops[loop]->context(); }

void HttpServer::post(size_t loop, std::function<void()> job) {
  impl_->core->loops[loop]->post(std::move(job));
}

void Responder::send(HttpResponse&& response) const {
  Loop& loop = target_->loop();
  if (loop.here()) return target_->finish(sequence_, std::move(response));
  loop.post([target = target_, sequence = sequence_, response = std::move(response)]() mutable {
    target->finish(sequence, std::move(response));
  });
}

void Responder::make(std::function<HttpResponse()> make) const {
  Loop& loop = target_->loop();
  if (loop.here()) return target_->finish(sequence_, make());
  loop.post(
      [target = target_, sequence = sequence_, make = std::move(make)] { target->finish(sequence, make()); });
}

void Responder::accept(WebSocketEvents events, std::string subprotocol) const {
  target_->loop().post([target = target_, sequence = sequence_, events = std::move(events),
                        subprotocol = std::move(subprotocol)]() mutable {
    target->upgrade(sequence, std::move(events), std::move(subprotocol));
  });
}

size_t Responder::loop() const { return target_->loop().index(); }

}  // namespace micropay
