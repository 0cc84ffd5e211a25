// HTTP/2 (RFC 9113) over a Transport, as far as gRPC needs it: framing, header compression and flow control
// are nghttp2's; this collects what one turn of the loop has to say and sends it at once. Internal to
// libs/rpc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/time.h"
#include "libs/rpc/transport.h"

struct nghttp2_session;

namespace micropay::rpc {

struct Header {
  std::string_view name, value;
  bool keep = true;  // the other side may remember it: what differs each time would only fill its table
};

using Trailers = std::vector<std::pair<std::string_view, std::string>>;  // names are literals

// What is sent in a stream's DATA frames. Lives until the stream is closed.
struct Body {
  std::string bytes;
  size_t sent = 0;
  bool ends = true;                    // nothing more comes
  const Trailers* trailers = nullptr;  // follow the end
};

class Http2 : public Transport {
 public:
  Http2(Loop& loop, std::shared_ptr<TlsKeys> keys, TlsKeys::Side side, uint32_t max_streams);
  ~Http2() override;

  // Sends what was submitted before the loop waits again; any number of calls, one system call.
  void flush_soon();
  void ping();
  Time last_heard() const { return heard_at_; }  // monotonic

 protected:
  static constexpr size_t kMaxHeaderBytes = 16 << 10;  // of one list

  // -1: the session takes no more.
  int32_t submit_request(std::span<const Header> headers, Body& body, void* stream);
  void submit_headers(int32_t id, std::span<const Header> headers,
                      Body* body);               // no body: it ends the stream
  void resume(int32_t id);                       // the body has more
  void reset(int32_t id, uint32_t http2_error);  // CANCEL (8), NO_ERROR (0) …
  void set_stream(int32_t id, void* stream);
  void go_away();  // no new streams; those that run go on
  void flush();
  bool idle() const;  // neither wants to read nor to write any more

  // `stream` is what was set for it, null when nothing was.
  virtual void begin(int32_t /*id*/) {}
  virtual void header(int32_t id, void* stream, std::string_view name, std::string_view value) = 0;
  virtual void data(int32_t id, void* stream, std::string_view bytes) = 0;
  virtual void headers_end(int32_t /*id*/, void* /*stream*/) {}
  virtual void remote_end(int32_t id, void* stream) = 0;  // the peer's last word
  virtual void stream_closed(int32_t id, void* stream, uint32_t http2_error) = 0;
  virtual void told_to_go() {}  // GOAWAY

  void ready() override;
  void received(std::string_view bytes) override;
  void drained() override { flush(); }

 private:
  struct Callbacks;
  nghttp2_session* session_ = nullptr;
  const TlsKeys::Side side_;
  const uint32_t max_streams_;
  Time heard_at_ = 0;
  bool flush_queued_ = false;
  bool receiving_ = false;
};

}  // namespace micropay::rpc
