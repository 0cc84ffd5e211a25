// One HTTP/1.1 request on a connection of its own, read to the end, by a deadline.
#include "app/ops_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>

#include "libs/base/host_port.h"

namespace micropay::app {
namespace {

constexpr size_t kMaxAnswer = 64 << 20;

struct Socket {
  int fd = -1;
  ~Socket() {
    if (fd >= 0) close(fd);
  }
};

std::unexpected<Error> unreachable(const std::string& address, std::string_view why) {
  return fail(Code::kUnavailable, "not_reachable", fmt::format("nothing answers at {}: {}", address, why));
}

// Waits until the socket can be read or written.
bool wait_for(const Socket& socket, short events, Time deadline) {
  pollfd waiting{.fd = socket.fd, .events = events, .revents = 0};
  const Duration left = deadline - system_clock().monotonic();
  return left > 0 && poll(&waiting, 1, int(left / kMillisecond) + 1) == 1;
}

// What is in the way; empty: connected.
std::string connect_to(Socket& socket, const addrinfo& address, Time deadline) {
  if (socket.fd >= 0) close(socket.fd);
  socket.fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket.fd < 0) return std::strerror(errno);
  if (connect(socket.fd, address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return std::strerror(errno);
  if (!wait_for(socket, POLLOUT, deadline)) return "no connection in time";
  int problem = 0;
  socklen_t size = sizeof problem;
  getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &problem, &size);
  return problem == 0 ? std::string() : std::strerror(problem);
}

Result<void> connect_to(Socket& socket, const std::string& address, Time deadline) {
  const auto place = parse_host_port(address);
  if (!place || place->port == 0)
    return fail(Code::kInvalidArgument, "invalid_address",
                fmt::format("\"{}\" is no address; expected HOST:PORT or [IPV6]:PORT", address));
  const addrinfo hints{.ai_flags = AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const std::string host = place->host.empty() ? "localhost" : place->host, port = place->port_text();
  if (const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0)
    return unreachable(address, gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> keep(found, freeaddrinfo);
  std::string problem;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {  // "localhost" is two addresses
    problem = connect_to(socket, *each, deadline);
    if (problem.empty()) return {};
  }
  return unreachable(address, problem);
}

}  // namespace

Result<std::string> get_from_ops(const std::string& address, std::string_view path, Duration timeout) {
  const Time deadline = system_clock().monotonic() + timeout;
  Socket socket;
  TRY(connect_to(socket, address, deadline));
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", path, address);
  if (send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL) != ssize_t(request.size()))
    return unreachable(address, std::strerror(errno));
  std::string answer;
  std::array<char, 64 << 10> buffer;
  while (true) {
    if (!wait_for(socket, POLLIN, deadline)) return unreachable(address, "no answer in time");
    const ssize_t got = recv(socket.fd, buffer.data(), buffer.size(), 0);
    if (got == 0) break;
    if (got < 0) return unreachable(address, std::strerror(errno));
    answer.append(buffer.data(), size_t(got));
    if (answer.size() > kMaxAnswer) return unreachable(address, "the answer does not end");
  }
  const size_t head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200") || head == answer.npos)
    return unreachable(address, "what listens there is no operations port of MicroPay");
  return answer.substr(head + 4);
}

}  // namespace micropay::app
