#include "libs/rpc/server_connection.h"

#include "libs/base/grpc_code.h"
#include "libs/base/log.h"

namespace micropay::rpc {
namespace {

constexpr uint32_t kNoError = 0, kRefusedStream = 7;
constexpr Duration kGreetWithin = 10 * kSecond;
constexpr Duration kTalksOn = 5 * kSecond;       // who was refused before the end of the request
constexpr Duration kLongestCall = 10 * kMinute;  // of one that names no deadline
const Trailers kGood = {{"grpc-status", "0"}};
// What an answer says beside its message.
void add_trailers(Trailers& trailers, const Answer& answer, bool away) {
  if (away) trailers.emplace_back(kAwayTrailer, "1");
  if (answer.replayed) trailers.emplace_back(kReplayedTrailer, "1");
  if (!answer.marks.empty()) trailers.emplace_back(kMarksTrailer, encode_binary(encode_marks(answer.marks)));
}
constexpr Header kHeaders[] = {{":status", "200"}, {"content-type", "application/grpc"}};

}  // namespace

struct ServerConnection::Stream {
  enum class State : uint8_t { kReading, kRunning, kAnswered };
  int32_t id = 0;
  State state = State::kReading;
  const contract::Method* method = nullptr;
  const Builtin* builtin = nullptr;
  bool grpc = false;     // its content type says so
  bool started = false;  // headers of the answer are sent
  bool repeated = false;
  size_t header_bytes = 0;
  std::string path, context, traceparent;
  Time began = 0, deadline = 0;
  std::string in;
  Body out;
  Trailers trailers;
  std::string watched, last_watched;  // the question of a watch, and what was said last
};

ServerConnection::ServerConnection(LoopThread& loop, std::shared_ptr<ServerCore> core)
    : Http2(loop, core->keys, TlsKeys::Side::kServer, core->max_streams),
      core_(std::move(core)),
      mailbox_(loop.mailbox()),
      began_(core_->clock.monotonic()) {
  core_->connections.fetch_add(1);
}

ServerConnection::~ServerConnection() {
  core_->calls.fetch_sub(streams_.size());
  core_->connections.fetch_sub(1);
}

void ServerConnection::begin(int32_t id) {
  // The caller repeats these elsewhere without asking: what was told not to be taken must never be carried
  // out.
  if (draining_) return reset(id, kRefusedStream);
  auto stream = std::make_unique<Stream>();
  stream->id = id;
  stream->began = core_->clock.monotonic();
  stream->deadline = stream->began + kLongestCall;
  set_stream(id, stream.get());
  streams_.emplace(id, std::move(stream));
  core_->calls.fetch_add(1);
}

void ServerConnection::header(int32_t, void* known, std::string_view name, std::string_view value) {
  if (known == nullptr) return;
  Stream& stream = *static_cast<Stream*>(known);
  stream.header_bytes += name.size() + value.size() + 32;  // as RFC 9113 6.5.2 counts
  if (stream.header_bytes > kMaxHeaderBytes) return;
  if (name == ":path") {
    stream.method = core_->dispatch.method(value);
    if (stream.method == nullptr) {
      const auto found = core_->builtin.find(value);
      if (found != core_->builtin.end()) stream.builtin = &found->second;
      stream.path = value;
    }
  } else if (name == "content-type") {
    stream.grpc = value.starts_with("application/grpc");
  } else if (name == kContextHeader) {
    stream.context = value;
  } else if (name == kRepeatedHeader) {
    stream.repeated = true;
  } else if (name == "traceparent") {
    if (valid_traceparent(value)) stream.traceparent = value;
  } else if (name == "grpc-timeout") {
    const auto timeout = parse_timeout(value);
    if (timeout) stream.deadline = stream.began + std::min(*timeout, kLongestCall);
  }
}

void ServerConnection::headers_end(int32_t, void* known) {
  if (known == nullptr) return;
  Stream& stream = *static_cast<Stream*>(known);
  if (stream.state != Stream::State::kReading) return;
  if (!stream.grpc) {
    constexpr Header kUnsupported[] = {{":status", "415"}};
    stream.state = Stream::State::kAnswered;
    return submit_headers(stream.id, kUnsupported, nullptr);
  }
  const auto refused = [&](Code code, std::string_view reason, std::string_view detail,
                           uint32_t retry_after_s) {
    refuse(stream, {.code = code,
                    .reason = std::string(reason),
                    .detail = std::string(detail),
                    .retry_after_s = retry_after_s});
  };
  if (stream.header_bytes > kMaxHeaderBytes)
    return refused(Code::kTooLarge, "metadata_too_large", "Too much metadata.", 0);
  if (stream.method == nullptr && stream.builtin == nullptr)
    return refused(Code::kUnimplemented, "not_served", "No service here answers " + stream.path, 0);
  if (core_->calls > core_->max_calls)
    return refused(Code::kUnavailable, "overloaded", "Too many calls are running: try again shortly.", 1);
}

void ServerConnection::data(int32_t, void* known, std::string_view bytes) {
  if (known == nullptr) return;
  Stream& stream = *static_cast<Stream*>(known);
  if (stream.state == Stream::State::kAnswered) return;
  if (stream.in.size() + bytes.size() > core_->max_message_bytes + kFrameHeadBytes) {
    return refuse(stream,
                  {.code = Code::kTooLarge,
                   .reason = "message_too_large",
                   .detail = fmt::format("A message has at most {} bytes.", core_->max_message_bytes)});
  }
  stream.in.append(bytes);
  if (stream.builtin != nullptr) take_messages(stream);
}

void ServerConnection::remote_end(int32_t, void* known) {
  if (known == nullptr) return;
  Stream& stream = *static_cast<Stream*>(known);
  if (stream.state == Stream::State::kAnswered) return;
  if (stream.method != nullptr) return call(stream);
  if (stream.watched.empty()) finish(stream, nullptr);
}

Result<void> ServerConnection::read_call(Stream& stream, Inbound& inbound) const {
  Command& command = inbound.command;
  command.method = stream.method;
  if (!stream.context.empty()) {
    const auto context = decode_binary(stream.context);
    if (!context)
      return ::micropay::fail(Code::kInvalidArgument, "invalid_context", "It is not base64.",
                              std::string(kContextHeader));
    std::string caller;
    TRY(decode_context(*context, command, &caller));
    if (!encrypted() && !caller.empty()) inbound.callers = {std::move(caller)};
  }
  if (encrypted()) inbound.callers = peer_names();
  const Frame frame = TRY(first_frame(stream.in, core_->max_message_bytes));
  command.request = stream.method->make_request();
  const bool parsed = frame.bytes == stream.in.size() && frame.bytes > 0 &&
                      command.request->ParseFromArray(frame.message.data(), int(frame.message.size()));
  if (!parsed)
    return ::micropay::fail(Code::kInvalidArgument, "malformed_message",
                            "The body is not one request message.");
  return {};
}

void ServerConnection::call(Stream& stream) {
  Inbound inbound{.command = {}, .callers = {}, .deadline = stream.deadline};
  if (auto read = read_call(stream, inbound); !read) return refuse(stream, read.error());
  std::string().swap(stream.in);
  stream.state = Stream::State::kRunning;
  inbound.command.traceparent = std::move(stream.traceparent);
  inbound.command.repeated = stream.repeated;
  // The answer may come when this connection, or the whole server, is long gone.
  auto weak = std::weak_ptr(std::static_pointer_cast<ServerConnection>(shared_from_this()));
  inbound.command.done = [weak, mailbox = mailbox_, id = stream.id](Answer answer) {
    if (!mailbox->here()) {
      return mailbox->post([weak, id, answer = std::move(answer)]() mutable {
        if (const auto self = weak.lock()) self->answer(id, std::move(answer));
      });
    }
    if (const auto self = weak.lock()) self->answer(id, std::move(answer));
  };
  core_->dispatch.call(std::move(inbound));
}

void ServerConnection::answer(int32_t id, Answer answer) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || closed()) return;
  Stream& stream = *found->second;
  if (stream.state != Stream::State::kRunning) return;  // it was told that its time is over
  if (!answer.result) return refuse(stream, answer.result.error(), &answer);
  succeed(stream, answer);
}

bool ServerConnection::away(const Stream& stream) const {
  return core_->away && stream.method != nullptr && !stream.method->query && core_->away();
}

void ServerConnection::succeed(Stream& stream, const Answer& answer) {
  const contract::Method& method = *stream.method;
  if ((*answer.result)->ByteSizeLong() > core_->max_message_bytes) {
    return refuse(stream, {.code = Code::kInternal,
                           .reason = "answer_too_large",
                           .detail = "The answer is larger than a message may be."});
  }
  stream.state = Stream::State::kAnswered;
  append_frame(stream.out.bytes, **answer.result);
  stream.out.trailers = &kGood;
  const bool elsewhere = away(stream);
  if (answer.replayed || answer.status != method.success || !answer.marks.empty() || elsewhere) {
    stream.trailers = kGood;
    add_trailers(stream.trailers, answer, elsewhere);
    if (answer.status != method.success)
      stream.trailers.emplace_back(kStatusTrailer, fmt::to_string(answer.status));
    stream.out.trailers = &stream.trailers;
  }
  submit_headers(stream.id, kHeaders, &stream.out);
  core_->metrics.record(method, nullptr, core_->clock.monotonic() - stream.began);
}

void ServerConnection::refuse(Stream& stream, const Error& error, const Answer* answer) {
  if (stream.method != nullptr)
    core_->metrics.record(*stream.method, &error.code, core_->clock.monotonic() - stream.began);
  finish(stream, &error, answer);
}

// The last words of a stream; when nothing was sent before, they are all there is ("Trailers-Only").
void ServerConnection::finish(Stream& stream, const Error* error, const Answer* answer) {
  const bool whole = stream.state != Stream::State::kReading;
  stream.state = Stream::State::kAnswered;
  Trailers trailers = kGood;
  if (error != nullptr) {
    const Status status = status_of(*error);
    trailers = {{"grpc-status", fmt::to_string(status.code)},
                {"grpc-message", encode_message(status.message)},
                {"grpc-status-details-bin", encode_binary(status.details)}};
  }
  if (answer != nullptr) add_trailers(trailers, *answer, away(stream));
  if (!stream.started) {
    std::vector<Header> headers(std::begin(kHeaders), std::end(kHeaders));
    for (const auto& [name, value] : trailers) headers.push_back({name, value, false});
    submit_headers(stream.id, headers, nullptr);
    if (!whole) stream.deadline = core_->clock.monotonic() + kTalksOn;
    return;
  }
  stream.trailers = std::move(trailers);
  stream.out.trailers = &stream.trailers;
  stream.out.ends = true;
  resume(stream.id);
}

void ServerConnection::take_messages(Stream& stream) {
  while (stream.state == Stream::State::kReading) {
    const auto frame = first_frame(stream.in, core_->max_message_bytes);
    if (!frame) return finish(stream, &frame.error());
    if (frame->bytes == 0) return;
    auto answer = stream.builtin->answer(frame->message);
    if (!answer) return finish(stream, &answer.error());
    if (stream.builtin->watches) {
      stream.watched = std::string(" ") + std::string(frame->message);
      stream.last_watched = *answer;
    }
    stream.in.erase(0, frame->bytes);
    send_message(stream, *answer);
    if (!stream.builtin->streams && !stream.builtin->watches) return finish(stream, nullptr);
  }
}

void ServerConnection::send_message(Stream& stream, std::string_view message) {
  append_frame(stream.out.bytes, message);
  if (std::exchange(stream.started, true)) return resume(stream.id);
  stream.out.ends = false;
  submit_headers(stream.id, kHeaders, &stream.out);
}

void ServerConnection::on_tick(Time now) {
  if (closed()) return;
  if (!open()) {
    if (now - began_ > kGreetWithin) fail({"timeout", "no handshake within the time for it", false});
    return;
  }
  for (auto& [id, owned] : streams_) {
    Stream& stream = *owned;
    if (stream.state == Stream::State::kAnswered) {
      if (now >= stream.deadline) reset(id, kNoError);
      continue;
    }
    if (!stream.watched.empty()) {
      auto answer = stream.builtin->answer(std::string_view(stream.watched).substr(1));
      if (!answer || *answer == stream.last_watched) continue;
      stream.last_watched = *answer;
      send_message(stream, *answer);
    } else if (now >= stream.deadline) {
      refuse(stream, {.code = Code::kDeadlineExceeded,
                      .reason = "deadline_exceeded",
                      .detail = "The caller's time for it is over."});
    }
  }
}

void ServerConnection::drain() {
  draining_ = true;
  go_away();
  for (auto& [id, stream] : streams_) {
    if (stream->watched.empty() || stream->state == Stream::State::kAnswered) continue;
    refuse(*stream, {.code = Code::kUnavailable, .reason = "draining", .detail = "This process ends."});
  }
}

void ServerConnection::stream_closed(int32_t id, void*, uint32_t) {
  if (streams_.erase(id) > 0) core_->calls.fetch_sub(1);
}

void ServerConnection::lost(const Loss& loss) {
  core_->calls.fetch_sub(streams_.size());
  streams_.clear();
  if (loss.reason == "lost" || loss.reason == "closed") return;  // a caller that ended
  record_loss("server", loss.reason);
  log_warn("rpc.connection_refused", "A caller's connection failed",
           {{"client.address", peer()},
            {"reason", loss.reason},
            {"told_by_peer", loss.told_by_peer},
            {"error.message", loss.detail}});
}

}  // namespace micropay::rpc
