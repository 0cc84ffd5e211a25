// The socket of a connection, with TLS on it or not. Internal to libs/http, on the loop's thread.
#pragma once

#include <sys/socket.h>

#include <span>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "libs/http/loop.h"
#include "libs/http/tls.h"

namespace micropay {

class Stream {
 public:
  using Socket =
      boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
  using SystemError = boost::system::error_code;

  Stream(Loop& loop, int fd, HttpTls* tls) : socket_(loop.context()), tls_(tls ? tls->session(fd) : nullptr) {
    socket_.assign(boost::asio::ip::tcp::v4(), fd);
    SystemError ignored;
    socket_.native_non_blocking(true, ignored);
    socket_.non_blocking(true, ignored);
    broken_ = tls != nullptr && !tls_;
  }

  // would_block: wait before the next try.
  size_t read(char* to, size_t most, SystemError& error) {
    if (!tls_) return plain_read(to, most, error);
    size_t count = 0;
    const auto step = tls_->read(to, most, count);
    read_crossed_ = step == TlsSession::Step::kWantsWrite;
    return outcome(step, count, error);
  }
  size_t write(std::string_view bytes, SystemError& error) {
    if (!tls_) return socket_.write_some(boost::asio::buffer(bytes), error);
    size_t count = 0;
    const auto step = tls_->write(bytes, count);
    write_crossed_ = step == TlsSession::Step::kWantsRead;
    return outcome(step, count, error);
  }

  // TLS may have to write before it can read on, and the other way round; and what it has decrypted already,
  // the socket will not tell of.
  template <typename Handler>
  void wait_read(Handler handler) {
    if (tls_ && tls_->has_more()) {
      boost::asio::post(socket_.get_executor(),
                        [handler = std::move(handler)]() mutable { handler(SystemError()); });
      return;
    }
    socket_.async_wait(read_crossed_ ? Socket::wait_write : Socket::wait_read, std::move(handler));
  }
  // Calls handler(error, count) once bytes have come into `buffer`, which has to live until then. Over plain
  // TCP that takes no system call but the recv(); wait_read() would have to arm the socket each time.
  template <typename Handler>
  void receive(std::span<char> buffer, Handler handler) {
    if (!tls_ && !broken_)
      return socket_.async_read_some(boost::asio::buffer(buffer.data(), buffer.size()), std::move(handler));
    wait_read([this, buffer, handler = std::move(handler)](SystemError error) mutable {
      const size_t count = error ? 0 : read(buffer.data(), buffer.size(), error);
      handler(error, count);
    });
  }
  template <typename Handler>
  void wait_write(Handler handler) {
    socket_.async_wait(write_crossed_ ? Socket::wait_read : Socket::wait_write, std::move(handler));
  }

  bool secure() const { return tls_ != nullptr; }
  int release(SystemError& error) { return socket_.release(error); }
  void shutdown_send() {
    if (tls_) tls_->say_goodbye();
    SystemError ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  void close() {
    SystemError ignored;
    socket_.close(ignored);
  }

 private:
  size_t plain_read(char* to, size_t most, SystemError& error) {
    if (!broken_) return socket_.read_some(boost::asio::buffer(to, most), error);
    error = boost::asio::error::no_memory;  // never in plain text what was to be secret
    return 0;
  }
  static size_t outcome(TlsSession::Step step, size_t count, SystemError& error) {
    if (step == TlsSession::Step::kDone) return count;
    error = step == TlsSession::Step::kEnded ? SystemError(boost::asio::error::eof)
                                             : SystemError(boost::asio::error::would_block);
    return 0;
  }

  Socket socket_;
  std::unique_ptr<TlsSession> tls_;
  bool broken_ = false;
  bool read_crossed_ = false;
  bool write_crossed_ = false;
};

}  // namespace micropay
