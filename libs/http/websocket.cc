// One WebSocket (RFC 6455) over Boost.Beast: text messages, no compression, pings, a bounded queue outwards.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "libs/http/loop.h"

namespace micropay {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
using SystemError = boost::system::error_code;

constexpr auto kHandshakeTimeout = std::chrono::seconds(5);
constexpr uint16_t kCloseCodesEnd = 5000;
constexpr Duration kCloseTimeout = 3 * kSecond;  // then the connection is cut

class Session final : public LoopMember, public WebSocket, public std::enable_shared_from_this<Session> {
 public:
  Session(ServerCorePtr core, Loop& loop, int fd, ConnectionToken token, WebSocketEvents events)
      : core_ptr_(std::move(core)),
        core_(*core_ptr_),
        loop_(loop),
        token_(std::move(token)),
        stream_(Socket(loop.context(), asio::ip::tcp::v4(), fd)),
        events_(std::move(events)) {
    stream_.read_message_max(core_.options.max_message_bytes);
    stream_.set_option(websocket::stream_base::timeout{
        kHandshakeTimeout, std::chrono::microseconds(core_.options.websocket_idle), true});
    stream_.control_callback([this](websocket::frame_type kind, beast::string_view) { on_control(kind); });
    stream_.text(true);
    stream_.auto_fragment(false);
  }

  void start(const WebSocketHandshake& handshake);
  void send(std::shared_ptr<const std::string> text) override;
  void close(uint16_t code, std::string_view reason) override;
  size_t loop() const override { return loop_.index(); }

  void on_tick(Time now) override {
    if (closing_at_ != 0 && now - closing_at_ > kCloseTimeout) close();
  }
  void finish_soon() override { close(websocket::close_code::going_away, "The server stops."); }
  void close() override;  // cuts

 private:
  void read();
  void on_read(const SystemError& error);
  void on_control(websocket::frame_type kind);
  void write_next();
  void say_goodbye();
  void end();

  ServerCorePtr core_ptr_;
  ServerCore& core_;
  Loop& loop_;
  std::optional<ConnectionToken> token_;  // given back at the end
  websocket::stream<Socket, false> stream_;
  WebSocketEvents events_;
  beast::flat_buffer incoming_;
  std::deque<std::shared_ptr<const std::string>> queue_;  // the first one is being written
  size_t queued_bytes_ = 0;
  bool writing_ = false;
  bool open_ = false;
  bool ended_ = false;
  Time closing_at_ = 0;  // when the closing handshake began
  std::optional<websocket::close_reason> goodbye_;
  bool goodbye_waits_ = false;  // for the last word
};

void Session::start(const WebSocketHandshake& handshake) {
  auto request =
      std::make_shared<beast::http::request<beast::http::empty_body>>(beast::http::verb::get, "/", 11);
  request->set(beast::http::field::host, "localhost");
  request->set(beast::http::field::upgrade, "websocket");
  request->set(beast::http::field::connection, "upgrade");
  request->set(beast::http::field::sec_websocket_key, handshake.key);
  request->set(beast::http::field::sec_websocket_version, "13");
  stream_.set_option(websocket::stream_base::decorator(
      [subprotocol = handshake.subprotocol](websocket::response_type& response) {
        response.erase(beast::http::field::server);
        if (!subprotocol.empty()) response.set(beast::http::field::sec_websocket_protocol, subprotocol);
      }));
  stream_.async_accept(*request, [self = shared_from_this(), request](const SystemError& error) {
    if (error) return self->end();
    self->open_ = true;
    if (self->events_.on_open) self->events_.on_open(self);
    self->read();
  });
}

void Session::read() {
  stream_.async_read(incoming_,
                     [self = shared_from_this()](const SystemError& error, size_t) { self->on_read(error); });
}

void Session::on_read(const SystemError& error) {
  if (error) return end();
  if (!stream_.got_text()) {
    close(websocket::close_code::unknown_data, "Text messages only.");
  } else if (closing_at_ == 0 && events_.on_message) {
    auto data = incoming_.cdata();
    std::string_view text(static_cast<const char*>(data.data()), data.size());
    // Beast lets half a character pass when an empty fragment ends the message.
    if (is_utf8(text)) events_.on_message(text);
    else close(websocket::close_code::bad_payload, "Text is UTF-8.");
  }
  incoming_.consume(incoming_.size());
  if (!ended_) read();  // also after our close: the peer's close frame has to be read
}

// Beast would answer a close code of 5000 and more, which does not exist (RFC 6455 7.4.2), with the same one.
void Session::on_control(websocket::frame_type kind) {
  if (kind != websocket::frame_type::close || stream_.reason().code < kCloseCodesEnd) return;
  close(websocket::close_code::protocol_error, "There is no such close code.");
}

void Session::send(std::shared_ptr<const std::string> text) {
  if (!open_ || ended_ || closing_at_ != 0) return;
  queued_bytes_ += text->size();
  queue_.push_back(std::move(text));
  if (queued_bytes_ > core_.options.max_queued_bytes || queue_.size() > core_.options.max_queued_messages) {
    return close(websocket::close_code::try_again_later, "Events are read too slowly.");
  }
  if (!writing_) write_next();
}

void Session::write_next() {
  writing_ = true;
  stream_.async_write(asio::buffer(*queue_.front()),
                      [self = shared_from_this()](const SystemError& error, size_t) {
                        self->writing_ = false;
                        self->queued_bytes_ -= self->queue_.front()->size();
                        self->queue_.pop_front();
                        if (error) return;
                        if (!self->queue_.empty()) self->write_next();
                        else if (std::exchange(self->goodbye_waits_, false)) self->say_goodbye();
                      });
}

// What is being written cannot be taken back; of what waits behind it only the last word is said: why it
// ends. To somebody who does not read, nothing.
void Session::close(uint16_t code, std::string_view reason) {
  if (!open_ || ended_ || closing_at_ != 0) return;
  closing_at_ = std::max<Time>(loop_.now(), 1);
  goodbye_.emplace(static_cast<websocket::close_code>(code),
                   beast::string_view(reason.data(), std::min<size_t>(reason.size(), 120)));
  const size_t first = writing_ ? 1 : 0;
  const size_t kept = writing_ && queue_.size() > 1 && code != websocket::close_code::try_again_later ? 1 : 0;
  while (queue_.size() > first + kept) {
    queued_bytes_ -= queue_[first]->size();
    queue_.erase(queue_.begin() + std::ptrdiff_t(first));
  }
  goodbye_waits_ = kept != 0;
  if (!goodbye_waits_) say_goodbye();
}

void Session::say_goodbye() {
  stream_.async_close(*goodbye_, [self = shared_from_this()](const SystemError&) { self->end(); });
}

void Session::close() {
  SystemError ignored;
  stream_.next_layer().close(ignored);
  end();
}

void Session::end() {
  if (std::exchange(ended_, true)) return;
  SystemError ignored;
  stream_.next_layer().close(ignored);
  token_.reset();
  auto events = std::exchange(events_, {});
  if (events.on_close) events.on_close();
  loop_.remove(*this);
}

}  // namespace

void start_websocket(ServerCorePtr core, Loop& loop, int fd, ConnectionToken token,
                     const WebSocketHandshake& handshake, WebSocketEvents events) {
  auto session = std::make_shared<Session>(std::move(core), loop, fd, std::move(token), std::move(events));
  loop.add(session);
  session->start(handshake);
}

}  // namespace micropay
