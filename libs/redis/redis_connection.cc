#include "libs/redis/redis_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

#include <hiredis/hiredis.h>
#include <openssl/evp.h>

namespace micropay {
namespace {

constexpr size_t kReadBytes = 64 << 10;

template <typename T>
bool parse_number(std::string_view text, T& number) {
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && end.ec == std::errc() && end.ptr == text.data() + text.size();
}

std::unexpected<Error> broken(std::string_view what, int number = errno) {
  return fail(Code::kUnavailable, "redis_away", fmt::format("{}: {}", what, std::strerror(number)));
}

RedisReply value_of(const redisReply& reply) {
  RedisReply value;
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      value.kind = RedisReply::Kind::kInteger;
      value.integer = reply.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:  // inside a list
      value.kind = RedisReply::Kind::kText;
      value.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_ARRAY:
      value.kind = RedisReply::Kind::kList;
      value.list.reserve(reply.elements);
      for (size_t i = 0; i < reply.elements; ++i) value.list.push_back(value_of(*reply.element[i]));
      break;
    default: break;
  }
  return value;
}

Duration left(Time until) { return std::max<Duration>(0, until - system_clock().monotonic()); }

}  // namespace

std::unexpected<Error> redis_away() { return fail(Code::kUnavailable, "redis_away", "Redis is away."); }

RedisScript::RedisScript(std::string_view source) : text(source) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  for (unsigned i = 0; i < size; ++i) fmt::format_to(std::back_inserter(sha1), "{:02x}", digest[i]);
}

Result<RedisTarget> RedisTarget::parse(std::string_view url) {
  const auto invalid = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, "invalid_setting", fmt::format("redis.url: {}", why));
  };
  constexpr std::string_view kScheme = "redis://";
  if (!url.starts_with(kScheme)) return invalid("it has the form redis://host:port/database");
  std::string_view rest = url.substr(kScheme.size());
  if (rest.find('@') != rest.npos)
    return invalid("name and password belong into redis.user and redis.password");
  RedisTarget target;
  const size_t slash = rest.find('/');
  if (slash != rest.npos && slash + 1 < rest.size() && !parse_number(rest.substr(slash + 1), target.database))
    return invalid("what stands behind the slash is the number of a database");
  rest = rest.substr(0, slash);
  const size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  if (bracket == rest.npos) return invalid("a bracket is not closed");
  const size_t colon = rest.find(':', bracket);
  if (colon != rest.npos && !parse_number(rest.substr(colon + 1), target.port))
    return invalid("the port is no number of a port");
  target.host = bracket != 0 ? rest.substr(1, bracket - 1) : rest.substr(0, colon);
  if (target.host.empty()) return invalid("it names no host");
  return target;
}

std::string RedisTarget::address() const {
  return host.find(':') == host.npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

struct RedisConnection::Impl {
  Impl() : reader(redisReaderCreate()) { scratch.resize(kReadBytes); }
  ~Impl() {
    redisReaderFree(reader);
    if (fd >= 0) ::close(fd);
  }
  Result<void> connect(const RedisTarget& target, Time until, int cancel_fd);
  Result<void> connect_to(const addrinfo& address, Time until, int cancel_fd);

  int fd = -1;
  redisReader* reader;
  std::string out;
  size_t sent = 0;
  std::string scratch;
};

RedisConnection::RedisConnection() : impl_(std::make_unique<Impl>()) {}
RedisConnection::~RedisConnection() = default;
RedisConnection::RedisConnection(RedisConnection&&) noexcept = default;
RedisConnection& RedisConnection::operator=(RedisConnection&&) noexcept = default;

Result<void> RedisConnection::Impl::connect_to(const addrinfo& address, Time until, int cancel_fd) {
  if (fd >= 0) ::close(fd);
  fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (fd < 0) return broken("socket");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return broken("connect");
  pollfd waits[2] = {{fd, POLLOUT, 0}, {cancel_fd, POLLIN, 0}};
  if (::poll(waits, cancel_fd < 0 ? 1 : 2, int(left(until) / kMillisecond)) <= 0 || waits[0].revents == 0)
    return broken("connect", ETIMEDOUT);
  int problem = 0;
  socklen_t size = sizeof problem;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
  return problem == 0 ? Result<void>() : broken("connect", problem);
}

Result<void> RedisConnection::Impl::connect(const RedisTarget& target, Time until, int cancel_fd) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int problem =
          ::getaddrinfo(target.host.c_str(), fmt::format("{}", target.port).c_str(), &hints, &found))
    return fail(Code::kUnavailable, "redis_away",
                fmt::format("{}: {}", target.host, ::gai_strerror(problem)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Result<void> connected = redis_away();
  for (const addrinfo* at = found; at != nullptr && !connected; at = at->ai_next)
    connected = connect_to(*at, until, cancel_fd);
  return connected;
}

Result<RedisConnection> RedisConnection::open(const RedisTarget& target, std::string_view client_name,
                                              Duration timeout, int cancel_fd) {
  const Time until = system_clock().monotonic() + timeout;
  RedisConnection connection;
  TRY(connection.impl_->connect(target, until, cancel_fd));
  size_t expected = 0;
  const auto ask = [&](const RedisCommand& command) { connection.append(command), ++expected; };
  if (!target.user.empty()) ask({"AUTH", target.user, target.password});
  else if (!target.password.empty()) ask({"AUTH", target.password});
  if (target.database != 0) ask({"SELECT", fmt::format("{}", target.database)});
  ask({"CLIENT", "SETNAME", fmt::format("micropay-{}", client_name)});
  ask({"PING"});
  while (expected > 0) {
    TRY(connection.write_some());
    if (left(until) == 0) return broken("the server does not answer", ETIMEDOUT);
    connection.wait(left(until), cancel_fd);
    pollfd cancelled{cancel_fd, POLLIN, 0};
    if (cancel_fd >= 0 && ::poll(&cancelled, 1, 0) > 0) return broken("opening", ECANCELED);
    TRY(connection.read_some());
    while (expected > 0 && TRY(connection.next())) --expected;
  }
  return connection;
}

// RESP 2: an array of bulk strings.
void RedisConnection::append(const RedisCommand& command) {
  std::string& out = impl_->out;
  if (impl_->sent == out.size()) out.clear(), impl_->sent = 0;
  fmt::format_to(std::back_inserter(out), "*{}\r\n", command.size());
  for (const std::string& part : command) {
    fmt::format_to(std::back_inserter(out), "${}\r\n", part.size());
    out.append(part).append("\r\n");
  }
}

size_t RedisConnection::unsent_bytes() const { return impl_->out.size() - impl_->sent; }

Result<void> RedisConnection::write_some() {
  while (unsent_bytes() > 0) {
    const ssize_t count =
        ::send(impl_->fd, impl_->out.data() + impl_->sent, unsent_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (count < 0) return broken("send");
    impl_->sent += size_t(count);
  }
  return {};
}

Result<void> RedisConnection::read_some() {
  for (;;) {
    const ssize_t count = ::recv(impl_->fd, impl_->scratch.data(), impl_->scratch.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (count < 0) return broken("receive");
    if (count == 0) return broken("the server closed the connection", ECONNRESET);
    redisReaderFeed(impl_->reader, impl_->scratch.data(), size_t(count));
    if (size_t(count) < impl_->scratch.size()) return {};
  }
}

Result<std::optional<RedisReply>> RedisConnection::next() {
  void* got = nullptr;
  if (redisReaderGetReply(impl_->reader, &got) != REDIS_OK)
    return fail(Code::kUnavailable, "redis_away", impl_->reader->errstr);
  if (got == nullptr) return std::optional<RedisReply>();
  const std::unique_ptr<void, decltype(&freeReplyObject)> freed(got, &freeReplyObject);
  const redisReply& reply = *static_cast<const redisReply*>(got);
  if (reply.type == REDIS_REPLY_ERROR)
    return fail(Code::kInternal, "redis_refused", std::string(reply.str, reply.len));
  return std::optional(value_of(reply));
}

void RedisConnection::wait(Duration timeout, int cancel_fd) const {
  const short events = short(POLLIN | (unsent_bytes() > 0 ? POLLOUT : 0));
  pollfd waits[2] = {{impl_->fd, events, 0}, {cancel_fd, POLLIN, 0}};
  const timespec time{timeout / kSecond, timeout % kSecond * 1'000};
  ::ppoll(waits, cancel_fd < 0 ? 1 : 2, &time, nullptr);
}

}  // namespace micropay
