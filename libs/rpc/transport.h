// A TCP connection on a loop, with mutual TLS or in plain text: bytes in, bytes out, and one word about how
// it ended. Everything happens on the loop's thread. Internal to libs/rpc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/rpc/loop.h"
#include "libs/rpc/tls.h"

namespace micropay::rpc {

class Transport : public std::enable_shared_from_this<Transport> {
 public:
  Transport(Loop& loop, std::shared_ptr<TlsKeys> keys, TlsKeys::Side side);  // no keys: plain text
  virtual ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  void accept(int fd, std::string peer);                     // takes over the descriptor
  void connect(const std::string& address, Duration limit);  // "host:port"; resolved, connected, greeted
  void close();                                              // quietly: lost() is not called
  void fail(Loss loss);                                      // closes and calls lost()
  bool open() const { return state_ == State::kOpen; }
  bool closed() const { return state_ == State::kClosed; }
  const std::string& peer() const { return peer_; }  // address, for logs
  // Services that the peer's certificate names; empty without TLS.
  const std::vector<std::string>& peer_names() const { return peer_names_; }
  bool encrypted() const { return ssl_ != nullptr; }
  Loop& loop() { return loop_; }

 protected:
  // Adds to what goes out; send() encrypts and sends it. Once below the mark again after it was full,
  // drained() is called.
  void write(std::string_view bytes) { (ssl_ == nullptr ? out_ : plain_).append(bytes); }
  void send();
  bool full() const { return out_.size() - sent_ + plain_.size() >= kMaxUnsent; }

  virtual void ready() = 0;                           // connected, greeted and verified
  virtual void received(std::string_view bytes) = 0;  // as they come
  virtual void drained() = 0;
  virtual void lost(const Loss& loss) = 0;  // once, at the end

 private:
  static constexpr size_t kMaxUnsent = 256 << 10;
  enum class State : uint8_t { kNew, kConnecting, kGreeting, kOpen, kClosed };
  struct Io;

  void start_io(int fd);
  void wait_to_read();
  void wait_to_write();
  void readable();
  bool take(std::string_view bytes);  // false: it ended
  bool greet();
  void read_plain();
  void encrypt();
  void collect();  // what TLS has to say to the peer
  void connected();

  Loop& loop_;
  std::shared_ptr<TlsKeys> keys_;
  const TlsKeys::Side side_;
  State state_ = State::kNew;
  std::unique_ptr<Io> io_;
  SslPtr ssl_;
  std::string peer_;
  std::vector<std::string> peer_names_;
  std::string plain_;  // to be encrypted: many frames are one record
  std::string out_;
  size_t sent_ = 0;  // of out_
  bool writing_ = false;
  bool was_full_ = false;
};

}  // namespace micropay::rpc
