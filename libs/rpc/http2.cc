// The callbacks of nghttp2, and when what is sent.
#include "libs/rpc/http2.h"

#include <nghttp2/nghttp2.h>

#include <array>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "libs/base/check.h"

namespace micropay::rpc {
namespace {

constexpr int32_t kStreamWindow = 4 << 20, kConnectionWindow = 64 << 20;
constexpr size_t kMaxHeaders = 32;

nghttp2_nv entry(const Header& header) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(header.name), bytes(header.value), header.name.size(), header.value.size(),
          uint8_t(NGHTTP2_NV_FLAG_NO_COPY_NAME | (header.keep ? 0 : NGHTTP2_NV_FLAG_NO_INDEX))};
}

struct Entries {
  explicit Entries(std::span<const Header> headers) : count(headers.size()) {
    CHECK(count <= kMaxHeaders);
    for (size_t i = 0; i < count; ++i) list[i] = entry(headers[i]);
  }
  std::array<nghttp2_nv, kMaxHeaders> list;
  size_t count;
};

void submit_trailers(nghttp2_session* session, int32_t id, const Trailers& trailers) {
  CHECK(trailers.size() <= kMaxHeaders);
  std::array<nghttp2_nv, kMaxHeaders> list;
  for (size_t i = 0; i < trailers.size(); ++i) list[i] = entry({trailers[i].first, trailers[i].second});
  nghttp2_submit_trailer(session, id, list.data(), trailers.size());
}

// The trailers are submitted at the end of the body: earlier, they would overtake it.
ssize_t read_body(nghttp2_session* session, int32_t id, uint8_t* buffer, size_t length, uint32_t* flags,
                  nghttp2_data_source* source, void*) {
  Body& body = *static_cast<Body*>(source->ptr);
  const size_t count = std::min(length, body.bytes.size() - body.sent);
  if (count == 0 && !body.ends) return NGHTTP2_ERR_DEFERRED;
  std::memcpy(buffer, body.bytes.data() + body.sent, count);
  body.sent += count;
  if (body.sent == body.bytes.size()) {
    if (body.ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (body.ends && body.trailers != nullptr) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(session, id, *body.trailers);
    }
    body.bytes.clear();
    body.sent = 0;
  }
  return ssize_t(count);
}

}  // namespace

struct Http2::Callbacks {
  static Http2& of(void* user) { return *static_cast<Http2*>(user); }
  static void* stream(nghttp2_session* session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
  }
  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      of(user).begin(frame->hd.stream_id);
    return 0;
  }
  static int header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_length, const uint8_t* value, size_t value_length, uint8_t, void* user) {
    const int32_t id = frame->hd.stream_id;
    of(user).header(id, stream(session, id), {reinterpret_cast<const char*>(name), name_length},
                    {reinterpret_cast<const char*>(value), value_length});
    return 0;
  }
  static int chunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes, size_t length,
                   void* user) {
    of(user).data(id, stream(session, id), {reinterpret_cast<const char*>(bytes), length});
    return 0;
  }
  static int frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const int32_t id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_GOAWAY) of(user).told_to_go();
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) of(user).greeted();
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    void* known = stream(session, id);
    if (frame->hd.type == NGHTTP2_HEADERS) of(user).headers_end(id, known);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) of(user).remote_end(id, stream(session, id));
    return 0;
  }
  static int closed(nghttp2_session* session, int32_t id, uint32_t error, void* user) {
    of(user).stream_closed(id, stream(session, id), error);
    return 0;
  }
  static nghttp2_session_callbacks* all() {
    static nghttp2_session_callbacks* made = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      nghttp2_session_callbacks_new(&callbacks);
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, chunk);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, closed);
      return callbacks;
    }();
    return made;
  }
};

Http2::Http2(Loop& loop, std::shared_ptr<TlsKeys> keys, TlsKeys::Side side, uint32_t max_streams)
    : Transport(loop, std::move(keys), side), side_(side), max_streams_(max_streams) {}

Http2::~Http2() { nghttp2_session_del(session_); }

void Http2::ready() {
  heard_at_ = system_clock().monotonic();
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_http_messaging(option, 0);
  nghttp2_option_set_peer_max_concurrent_streams(option, max_streams_);
  if (side_ == TlsKeys::Side::kServer) nghttp2_session_server_new2(&session_, Callbacks::all(), this, option);
  else nghttp2_session_client_new2(&session_, Callbacks::all(), this, option);
  nghttp2_option_del(option);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, side_ == TlsKeys::Side::kServer ? max_streams_ : 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, uint32_t(kStreamWindow)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, uint32_t(kMaxHeaderBytes)},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  // A server says nothing of pushing.
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, side_ == TlsKeys::Side::kServer ? 3 : 4);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  flush();
}

void Http2::received(std::string_view bytes) {
  heard_at_ = system_clock().monotonic();
  receiving_ = true;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  if (closed()) return;
  if (taken < 0) {
    flush();
    return fail({"protocol", nghttp2_strerror(int(taken)), false});
  }
  flush();
  if (!closed() && idle()) fail({"closed", "the session is over", false});
}

bool Http2::idle() const {
  return session_ != nullptr && nghttp2_session_want_read(session_) == 0 &&
         nghttp2_session_want_write(session_) == 0;
}

void Http2::flush() {
  if (session_ == nullptr || closed() || receiving_) return;
  while (!full()) {
    const uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count < 0) return fail({"protocol", nghttp2_strerror(int(count)), false});
    if (count == 0) break;
    write({reinterpret_cast<const char*>(bytes), size_t(count)});
  }
  send();
}

void Http2::flush_soon() {
  if (flush_queued_ || session_ == nullptr || receiving_) return;
  flush_queued_ = true;
  boost::asio::post(loop().context(), [self = shared_from_this(), this] {
    flush_queued_ = false;
    flush();
  });
}

void Http2::ping() {
  if (session_ == nullptr || closed()) return;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  flush_soon();
}

int32_t Http2::submit_request(std::span<const Header> headers, Body& body, void* stream) {
  const Entries entries(headers);
  const nghttp2_data_provider provider{{.ptr = &body}, read_body};
  const int32_t id =
      nghttp2_submit_request(session_, nullptr, entries.list.data(), entries.count, &provider, stream);
  flush_soon();
  return id;
}

void Http2::submit_headers(int32_t id, std::span<const Header> headers, Body* body) {
  const Entries entries(headers);
  const nghttp2_data_provider provider{{.ptr = body}, read_body};
  nghttp2_submit_response(session_, id, entries.list.data(), entries.count,
                          body == nullptr ? nullptr : &provider);
  flush_soon();
}

void Http2::resume(int32_t id) {
  nghttp2_session_resume_data(session_, id);
  flush_soon();
}

void Http2::reset(int32_t id, uint32_t http2_error) {
  if (session_ == nullptr) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, http2_error);
  flush_soon();
}

void Http2::set_stream(int32_t id, void* stream) {
  nghttp2_session_set_stream_user_data(session_, id, stream);
}

void Http2::go_away() {
  if (session_ == nullptr || closed()) return;
  const int32_t last = nghttp2_session_get_last_proc_stream_id(session_);
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
  flush_soon();
}

}  // namespace micropay::rpc
