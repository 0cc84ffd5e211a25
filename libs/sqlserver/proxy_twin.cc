#include "libs/sqlserver/proxy_twin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/base/check.h"

namespace micropay::test {
namespace {

constexpr int kLookMs = 10;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool readable(int file) {
  pollfd one{.fd = file, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) > 0;
}

}  // namespace

Proxy::Proxy(const SqlAddress& server) : server_(server) {
  CHECK(server.host == "127.0.0.1");
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listener_, 64) == 0);
  CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

Proxy::~Proxy() {
  stopping_ = true;
  acceptor_.join();
  for (Pair& pair : pairs_) pair.thread.join();
  ::close(listener_);
}

SqlAddress Proxy::address() const {
  SqlAddress address = server_;
  address.port = port_;
  address.tls = "disable";
  return address;
}

void Proxy::refuse(bool refuse) {
  refusing_ = refuse;
  if (!refuse) return;
  const std::lock_guard lock(mutex_);
  for (Pair& pair : pairs_) pair.thread.join();
  pairs_.clear();
}

int Proxy::connect_server() const {
  const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_.port);
  if (::connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return file;
  ::close(file);
  return -1;
}

void Proxy::accept_all() {
  while (!stopping_) {
    pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kLookMs) <= 0) continue;
    const int client = ::accept(listener_, nullptr, nullptr);
    const std::lock_guard lock(mutex_);
    const int server = refusing_ ? -1 : connect_server();
    if (server < 0) {
      ::close(client);
      continue;
    }
    Pair& pair = pairs_.emplace_back();
    pair.client = client;
    pair.server = server;
    pair.thread = std::thread([this, &pair] { carry(pair); });
  }
}

void Proxy::carry(Pair& pair) {
  char bytes[65'536];
  bool swallowed = false;
  const auto move = [&](int from, int to) {
    const size_t most =
        from == pair.client ? std::min<size_t>(sizeof bytes, size_t(passing_.load())) : sizeof bytes;
    const ssize_t size = ::recv(from, bytes, most, 0);
    if (size <= 0) return false;
    if (from == pair.client) passing_ -= size;
    if (from == pair.server && (losing_ || swallowed)) return swallowed = true, ++lost_ > 0;
    return ::send(to, bytes, static_cast<size_t>(size), MSG_NOSIGNAL) == size;
  };
  while (!stopping_ && !refusing_ && (!swallowed || losing_)) {
    pollfd files[2] = {{.fd = pair.client, .events = POLLIN, .revents = 0},
                       {.fd = pair.server, .events = POLLIN, .revents = 0}};
    if (stalled_) {
      ::usleep(kLookMs * 1'000);
      continue;
    }
    ::poll(files, 2, kLookMs);
    if (passing_ > 0 && readable(pair.client) && !move(pair.client, pair.server)) break;
    if (readable(pair.server) && !move(pair.server, pair.client)) break;
  }
  ::close(pair.client);
  ::close(pair.server);
}

}  // namespace micropay::test
