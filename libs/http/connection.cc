// One HTTP/1.1 connection. It reads when the socket has something, hands over one request at a time, and
// reads on when that is answered, so a client that sends faster than it is answered is held back by TCP.
//
//   kHead -> kBody -> kAnswering -> kHead ...        kClosing (write what is left) -> kDraining (read over,
//   end) -> gone
#include <array>
#include <cstring>

#include "libs/http/loop.h"
#include "libs/http/request_parser.h"
#include "libs/http/stream.h"

namespace micropay {
namespace {

namespace asio = boost::asio;
using SystemError = boost::system::error_code;

constexpr size_t kBufferBytes = 2 << 10;    // of each connection: most requests fit
constexpr size_t kMaxUnwritten = 64 << 10;  // pipelined answers gather up to here
constexpr size_t kKeptBuffer = 64 << 10;    // larger buffers are given back
constexpr size_t kReserved = 64 << 10;      // of a body that is announced: more comes with its bytes
constexpr Duration kDrainSilence = 2 * kSecond;
constexpr Duration kCrowdedTimeout = kSecond;  // of who says nothing, when most connections are taken

class Connection final : public LoopMember,
                         public Responder::Target,
                         public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCorePtr core, Loop& loop, int fd, std::string remote)
      : core_ptr_(std::move(core)),
        core_(*core_ptr_),
        loop_(loop),
        token_(core_ptr_),
        stream_(loop, fd, core_.options.tls.get()),
        remote_(std::move(remote)),
        limits_{core_.options.max_header_bytes, core_.options.max_headers, core_.options.max_target_bytes},
        deadline_(loop.now() + core_.options.idle_timeout) {}

  ~Connection() override { forget_arriving(); }

  void start() { wait_to_read(); }
  void on_tick(Time now) override;
  void finish_soon() override {
    if (state_ == State::kHead && !head_started_ && out_.empty()) close();
    if (state_ == State::kDraining) deadline_ = drained_by_ = loop_.now();
  }
  void close() override;

  void finish(uint64_t sequence, HttpResponse&& response) override;
  void upgrade(uint64_t sequence, WebSocketEvents&& events, std::string&& subprotocol) override;
  Loop& loop() override { return loop_; }

 private:
  enum class State : uint8_t { kHead, kBody, kAnswering, kClosing, kDraining, kClosed };

  void wait_to_read();
  void received(size_t count);
  void take(std::string_view bytes);
  void read_on();
  void process(std::string_view& bytes);
  bool take_head(std::string_view& bytes);
  void take_body(std::string_view& bytes);
  bool count_arriving();
  void forget_arriving() { core_.arriving_bytes.fetch_sub(std::exchange(arriving_, 0)); }
  bool overstays(Time now) const;
  void dispatch(std::string_view rest);
  void refuse(const ParseError& error);
  void append_response(const HttpResponse& response);
  bool flush();
  void start_draining();

  ServerCorePtr core_ptr_;
  ServerCore& core_;
  Loop& loop_;
  std::optional<ConnectionToken> token_;  // given back at the end, though a late Responder still refers to us
  Stream stream_;
  std::string remote_;
  HeadLimits limits_;
  State state_ = State::kHead;
  bool processing_ = false;  // inside process(): an answer given now is written by it
  bool waiting_to_read_ = false;
  bool waiting_to_write_ = false;
  bool paused_ = false;  // what was shed comes again at once, if it is let: that work is taken from others
  bool head_started_ = false;
  bool keep_alive_ = true;
  bool http11_ = true;
  bool head_method_ = false;  // HEAD: no body in the answer
  Time deadline_;             // of the present state
  Time drained_by_ = 0;       // however much still comes
  uint64_t sequence_ = 0;     // of the request that is answered
  std::array<char, kBufferBytes> buffer_;
  std::string in_;   // arrived, not processed
  std::string out_;  // answers, from written_ on not sent
  size_t written_ = 0;
  HeadScanner scanner_;
  RequestHead head_;
  BodyReader body_;
  size_t arriving_ = 0;  // of this body, counted in core_.arriving_bytes
  std::string websocket_key_;
};

void Connection::wait_to_read() {
  if (waiting_to_read_ || state_ == State::kAnswering || state_ == State::kClosed) return;
  waiting_to_read_ = true;
  stream_.receive(buffer_, [self = shared_from_this()](const SystemError& error, size_t count) {
    self->waiting_to_read_ = false;
    if (!error) return self->received(count);
    if (error == asio::error::would_block) return self->wait_to_read();
    if (error != asio::error::operation_aborted) self->close();
  });
}

// What fills the buffer is large, and has come in part only: the rest comes by more at a time.
void Connection::received(size_t count) {
  if (count < buffer_.size()) return take({buffer_.data(), count});
  char* scratch = loop_.scratch();
  std::memcpy(scratch, buffer_.data(), count);
  SystemError error;
  count += stream_.read(scratch + count, Loop::kScratchBytes - count, error);
  take({scratch, count});  // an error comes again with the next read
}

void Connection::take(std::string_view bytes) {
  if (state_ == State::kClosed) return;
  if (state_ == State::kAnswering) {
    in_.append(bytes);
    return;
  }
  if (state_ == State::kDraining) deadline_ = std::min(loop_.now() + kDrainSilence, drained_by_);
  if (state_ == State::kDraining || state_ == State::kClosing) return wait_to_read();
  if (!in_.empty()) {
    in_.append(bytes);
    return read_on();
  }
  process(bytes);  // usually a whole request: nothing is copied into in_
  in_.assign(bytes);
  if (flush()) read_on();
}

// Goes on with what has arrived already, then waits for more.
void Connection::read_on() {
  if (paused_) return;
  while (!in_.empty() && (state_ == State::kHead || state_ == State::kBody)) {
    std::string_view bytes = in_;
    process(bytes);
    bool taken = bytes.size() < in_.size();
    in_.erase(0, in_.size() - bytes.size());
    bool much = out_.size() >= kMaxUnwritten;
    if (!flush()) return;
    if (!taken) break;
    if (paused_) return;
    if (much) return loop_.post([self = shared_from_this()] { self->read_on(); });  // others in between
  }
  if (in_.empty() && in_.capacity() > kKeptBuffer) std::string().swap(in_);
  wait_to_read();
}

void Connection::process(std::string_view& bytes) {
  processing_ = true;
  while (!bytes.empty() && out_.size() < kMaxUnwritten && !paused_) {
    if (state_ == State::kHead) {
      if (!take_head(bytes)) break;
    } else if (state_ == State::kBody) {
      take_body(bytes);
    } else {
      break;
    }
  }
  processing_ = false;
}

// False when more bytes are needed.
bool Connection::take_head(std::string_view& bytes) {
  while (!head_started_ && bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  if (bytes.empty() || (!head_started_ && bytes == "\r")) return false;
  size_t length = 0;
  if (auto error = scanner_.scan(bytes, limits_, length)) {
    head_method_ = false;
    refuse(*error);
    return true;
  }
  if (length == 0) {
    if (!head_started_) deadline_ = loop_.now() + core_.options.header_timeout;
    head_started_ = true;
    return false;
  }
  head_ = {};
  auto error = parse_head(bytes.substr(0, length), limits_, head_);
  bytes.remove_prefix(length);
  scanner_.reset();
  head_started_ = false;
  http11_ = head_.http11;
  head_method_ = head_.request.method == "HEAD";
  if (!error && !head_.chunked && head_.content_length > core_.options.max_body_bytes) {
    error = ParseError{413, "body_too_large", "The body is too large."};
  }
  if (error) {
    refuse(*error);
    return true;
  }
  keep_alive_ = head_.request.keep_alive;
  body_.start(head_, core_.options.max_body_bytes);
  if (body_.done()) {
    dispatch(bytes);
    return true;
  }
  state_ = State::kBody;
  deadline_ = loop_.now() + core_.options.body_timeout;
  head_.request.body.reserve(std::min<uint64_t>(head_.content_length, kReserved));
  if (head_.expects_continue && bytes.empty()) out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  return true;
}

void Connection::take_body(std::string_view& bytes) {
  if (auto error = body_.feed(bytes, head_.request.body)) return refuse(*error);
  if (body_.done()) return dispatch(bytes);
  if (!count_arriving()) refuse({503, "overloaded", "Too many large bodies arrive: try again shortly."});
}

// False when the bodies of all connections would fill the memory.
bool Connection::count_arriving() {
  size_t more = head_.request.body.size() - arriving_;
  arriving_ += more;
  return core_.arriving_bytes.fetch_add(more) + more <= core_.options.max_arriving_bytes;
}

void Connection::dispatch(std::string_view rest) {
  forget_arriving();
  state_ = State::kAnswering;
  deadline_ = loop_.now() + core_.options.answer_timeout;
  ++sequence_;
  HttpRequest& request = head_.request;
  request.remote_address = remote_;
  if (request.websocket) {
    if (stream_.secure())
      return refuse({501, "websocket_over_tls", "There are no WebSockets over TLS here."});
    if (!rest.empty())
      return refuse({400, "early_frames", "Frames may follow the answer to the handshake only."});
    websocket_key_ = request.header("sec-websocket-key");
  }
  core_.handler(std::move(request), Responder(shared_from_this(), sequence_));
}

void Connection::refuse(const ParseError& error) {
  forget_arriving();
  head_.request.body = {};
  HttpResponse response;
  if (core_.options.problem) {
    response = core_.options.problem(error.status, error.reason, error.detail);
  } else {
    response = {
        .status = error.status, .headers = "Content-Type: text/plain\r\n", .body = std::string(error.detail)};
  }
  keep_alive_ = false;
  state_ = State::kAnswering;
  finish(++sequence_, std::move(response));
}

void Connection::finish(uint64_t sequence, HttpResponse&& response) {
  if (state_ != State::kAnswering || sequence != sequence_) return;
  if (response.close || core_.stopping.load(std::memory_order_relaxed)) keep_alive_ = false;
  append_response(response);
  paused_ = response.pause && keep_alive_;
  state_ = keep_alive_ ? State::kHead : State::kClosing;
  deadline_ = loop_.now() + core_.options.idle_timeout;
  if (processing_) return;
  if (flush()) read_on();
}

void Connection::append_response(const HttpResponse& response) {
  std::string_view content = response.content();
  bool bodiless = response.status == 204 || response.status == 304;
  fmt::format_to(std::back_inserter(out_), "HTTP/1.1 {} {}\r\n", response.status,
                 status_phrase(response.status));
  out_ += response.headers;
  out_ += loop_.date_line();
  if (!bodiless) fmt::format_to(std::back_inserter(out_), "Content-Length: {}\r\n", content.size());
  if (!keep_alive_) out_ += "Connection: close\r\n";
  else if (!http11_) out_ += "Connection: keep-alive\r\n";
  out_ += "\r\n";
  if (!bodiless && !head_method_) out_ += content;
}

// False when the socket takes no more for now, or the connection ends.
bool Connection::flush() {
  if (waiting_to_write_ || state_ == State::kClosed) return false;
  while (written_ < out_.size()) {
    SystemError error;
    written_ += stream_.write(std::string_view(out_).substr(written_), error);
    if (error == asio::error::would_block) {
      waiting_to_write_ = true;
      deadline_ = loop_.now() + core_.options.write_timeout;
      stream_.wait_write([self = shared_from_this()](const SystemError& failed) {
        self->waiting_to_write_ = false;
        if (failed) return;
        self->deadline_ = self->loop_.now() + self->core_.options.idle_timeout;
        if (self->flush()) self->read_on();
      });
      return false;
    }
    if (error) {
      close();
      return false;
    }
  }
  written_ = 0;
  out_.clear();
  if (out_.capacity() > kKeptBuffer) std::string().swap(out_);
  if (state_ == State::kClosing) {
    start_draining();
    return false;
  }
  return true;
}

// Closing with unread bytes would reset the connection, and the client might lose the answer: so we end our
// side and read over what it still sends, for as long as a body may take.
void Connection::start_draining() {
  state_ = State::kDraining;
  drained_by_ = core_.stopping ? loop_.now() : loop_.now() + core_.options.body_timeout;
  deadline_ = std::min(loop_.now() + kDrainSilence, drained_by_);
  stream_.shutdown_send();
  wait_to_read();
}

// Silence is the cheapest attack: when it takes the places of others, it is not waited for as long.
bool Connection::overstays(Time now) const {
  if (state_ != State::kHead || waiting_to_write_ || !core_.crowded()) return false;
  Duration allowed = head_started_ ? core_.options.header_timeout : core_.options.idle_timeout;
  return now - (deadline_ - allowed) >= kCrowdedTimeout;
}

void Connection::on_tick(Time now) {
  if (std::exchange(paused_, false) && !waiting_to_write_) read_on();
  if (now < deadline_ && !overstays(now)) return;
  if (waiting_to_write_ || state_ == State::kDraining || state_ == State::kClosing) return close();
  if (state_ == State::kHead && !head_started_) return close();
  if (state_ == State::kAnswering) return refuse({504, "answer_timeout", "The answer took too long."});
  refuse({408, "request_timeout", "The request took too long to arrive."});
}

void Connection::upgrade(uint64_t sequence, WebSocketEvents&& events, std::string&& subprotocol) {
  if (state_ != State::kAnswering || sequence != sequence_ || websocket_key_.empty()) {
    if (events.on_close) events.on_close();
    return;
  }
  state_ = State::kClosed;
  SystemError error;
  int fd = stream_.release(error);
  auto self = shared_from_this();
  loop_.remove(*this);
  if (error) {
    token_.reset();
    return events.on_close ? events.on_close() : void();
  }
  start_websocket(core_ptr_, loop_, fd, *std::move(token_),
                  {std::move(websocket_key_), std::move(subprotocol)}, std::move(events));
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  forget_arriving();
  stream_.close();
  token_.reset();
  loop_.remove(*this);
}

}  // namespace

void start_connection(ServerCorePtr core, Loop& loop, int fd, std::string remote_address) {
  auto connection = std::make_shared<Connection>(std::move(core), loop, fd, std::move(remote_address));
  loop.add(connection);
  connection->start();
}

}  // namespace micropay
