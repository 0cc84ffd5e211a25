// Sockets by Asio's readiness, TLS over memory buffers: no call of OpenSSL touches the socket, so what many
// messages have to say leaves in one system call.
#include "libs/rpc/transport.h"

#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace micropay::rpc {
namespace asio = boost::asio;
using SystemError = boost::system::error_code;
using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, asio::io_context::executor_type>;

namespace {
constexpr size_t kReadBytes = 64 << 10;

// A thread reads for one connection at a time.
char* scratch() {
  static thread_local std::unique_ptr<char[]> bytes(new char[kReadBytes]);
  return bytes.get();
}
char* plain_scratch() {
  static thread_local std::unique_ptr<char[]> bytes(new char[kReadBytes]);
  return bytes.get();
}
}  // namespace

struct Transport::Io {
  explicit Io(asio::io_context& context) : socket(context), resolver(context), limit(context) {}
  Socket socket;
  Resolver resolver;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             asio::io_context::executor_type>
      limit;
};

Transport::Transport(Loop& loop, std::shared_ptr<TlsKeys> keys, TlsKeys::Side side)
    : loop_(loop), keys_(std::move(keys)), side_(side), io_(std::make_unique<Io>(loop.context())) {}

Transport::~Transport() = default;

void Transport::accept(int fd, std::string peer) {
  peer_ = std::move(peer);
  io_->socket.assign(asio::ip::tcp::v4(), fd);
  connected();
}

void Transport::connect(const std::string& address, Duration limit) {
  peer_ = address;
  state_ = State::kConnecting;
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon), port = colon == address.npos ? "" : address.substr(colon + 1);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  auto self = shared_from_this();
  io_->limit.expires_after(std::chrono::microseconds(limit));
  io_->limit.async_wait([self, this](const SystemError& error) {
    if (!error && state_ != State::kOpen) fail({"timeout", "no connection within the time for it", false});
  });
  io_->resolver.async_resolve(host, port, asio::ip::resolver_base::numeric_service,
                              [self, this](const SystemError& error, const Resolver::results_type& found) {
                                if (closed()) return;
                                if (error) return fail({"refused", error.message(), false});
                                asio::async_connect(io_->socket, found,
                                                    [self, this](const SystemError& problem, const auto&) {
                                                      if (closed()) return;
                                                      if (problem)
                                                        return fail({"refused", problem.message(), false});
                                                      connected();
                                                    });
                              });
}

void Transport::connected() {
  SystemError ignored;
  io_->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  io_->socket.native_non_blocking(true, ignored);
  io_->socket.non_blocking(true, ignored);
  state_ = State::kGreeting;
  if (keys_ != nullptr) {
    ssl_ = keys_->make(side_);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  }
  const auto self = shared_from_this();
  if (!greet()) return;
  send();
  wait_to_read();
}

// On with the handshake, as far as what has come allows. False: it failed.
bool Transport::greet() {
  if (ssl_ != nullptr) {
    const int done = SSL_do_handshake(ssl_.get());
    collect();
    if (done != 1 && SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) {
      Loss loss = TlsKeys::handshake_loss(ssl_.get());
      send();  // the alert that says why
      fail(std::move(loss));
      return false;
    }
    if (done != 1) return true;
    peer_names_ = keys_->peer_names(ssl_.get());
  }
  state_ = State::kOpen;
  if (side_ == TlsKeys::Side::kClient) io_->limit.cancel();
  ready();
  return !closed();
}

void Transport::wait_to_read() {
  if (closed()) return;
  io_->socket.async_wait(Socket::wait_read, [self = shared_from_this(), this](const SystemError& error) {
    if (!error) readable();
  });
}

void Transport::readable() {
  if (closed()) return;
  for (;;) {
    const ssize_t count = ::recv(io_->socket.native_handle(), scratch(), kReadBytes, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count <= 0) {
      const bool greeting = state_ != State::kOpen;
      return fail({"lost",
                   greeting    ? "the peer hung up during the handshake"
                   : count < 0 ? std::strerror(errno)
                               : "the peer hung up",
                   false});
    }
    if (!take({scratch(), size_t(count)})) return;
    if (size_t(count) < kReadBytes) break;
  }
  send();
  wait_to_read();
}

bool Transport::take(std::string_view bytes) {
  if (ssl_ == nullptr) {
    received(bytes);
    return !closed();
  }
  BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), int(bytes.size()));
  if (state_ == State::kGreeting && !greet()) return false;
  if (state_ == State::kOpen) read_plain();
  return !closed();
}

void Transport::read_plain() {
  while (!closed()) {
    const int count = SSL_read(ssl_.get(), plain_scratch(), kReadBytes);
    if (count > 0) {
      received({plain_scratch(), size_t(count)});
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), count);
    collect();
    if (error == SSL_ERROR_WANT_READ) return;
    if (error == SSL_ERROR_ZERO_RETURN) return fail({"lost", "the peer ended the session", false});
    return fail(TlsKeys::handshake_loss(ssl_.get()));
  }
}

void Transport::collect() {
  BIO* bio = SSL_get_wbio(ssl_.get());
  const size_t count = BIO_ctrl_pending(bio);
  if (count == 0) return;
  const size_t at = out_.size();
  out_.resize(at + count);
  BIO_read(bio, out_.data() + at, int(count));
}

void Transport::encrypt() {
  std::string_view bytes = plain_;
  while (!bytes.empty()) {
    const int count = SSL_write(ssl_.get(), bytes.data(), int(bytes.size()));
    if (count <= 0) return fail(TlsKeys::handshake_loss(ssl_.get()));
    bytes.remove_prefix(size_t(count));
  }
  plain_.clear();
  collect();
}

void Transport::send() {
  if (writing_ || closed()) return;
  was_full_ |= full();
  if (!plain_.empty()) encrypt();
  if (closed()) return;
  while (sent_ < out_.size()) {
    const ssize_t count =
        ::send(io_->socket.native_handle(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_to_write();
    if (count < 0) return;  // the reader meets the same, with what the peer said before
    sent_ += size_t(count);
  }
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > 2 * kMaxUnsent) std::string().swap(out_);
  if (std::exchange(was_full_, false)) drained();
}

void Transport::wait_to_write() {
  writing_ = true;
  io_->socket.async_wait(Socket::wait_write, [self = shared_from_this(), this](const SystemError& error) {
    writing_ = false;
    if (!error) send();
  });
}

void Transport::close() {
  if (closed()) return;
  state_ = State::kClosed;
  SystemError ignored;
  io_->limit.cancel();
  io_->resolver.cancel();
  io_->socket.close(ignored);
}

void Transport::fail(Loss loss) {
  if (closed()) return;
  const auto self = shared_from_this();
  close();
  lost(loss);
}

}  // namespace micropay::rpc
