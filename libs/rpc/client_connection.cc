#include "libs/rpc/client_connection.h"

#include <charconv>

#include "libs/base/log.h"

namespace micropay::rpc {
namespace {

constexpr uint32_t kRefusedStream = 7, kCancel = 8, kMaxStreams = 5'000;
constexpr Duration kGreetWithin = 2 * kSecond;
constexpr Duration kPingAfter = 5 * kSecond, kPingTimeout = 5 * kSecond;

uint32_t number(std::string_view text) {
  uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

ClientConnection::ClientConnection(Loop& loop, std::shared_ptr<TlsKeys> keys, std::string service,
                                   size_t max_message_bytes, Events events)
    : Http2(loop, keys, TlsKeys::Side::kClient, kMaxStreams),
      service_(std::move(service)),
      max_message_bytes_(max_message_bytes),
      generation_(keys == nullptr ? 0 : keys->generation()),
      events_(std::move(events)) {}

void ClientConnection::send(OutCallPtr call) {
  if (open() && greeted_) return submit(std::move(call));
  waiting_.push_back(std::move(call));
}

// The certificate is sound; it must be the service's that is wanted, too.
void ClientConnection::ready() {
  if (encrypted() && std::ranges::count(peer_names(), service_) == 0) {
    return fail(
        {"wrong_identity", fmt::format("the certificate of {} is not one of {}", peer(), service_), false});
  }
  Http2::ready();
}

void ClientConnection::greeted() {
  if (std::exchange(greeted_, true)) return;
  auto waiting = std::move(waiting_);
  waiting_.clear();
  for (OutCallPtr& call : waiting) submit(std::move(call));
  events_.opened();
}

void ClientConnection::submit(OutCallPtr owned) {
  OutCall& call = *owned;
  call.out = {.bytes = call.frame};
  call.http_status = call.answer_status = 0;
  call.has_status = call.replayed = call.too_large = call.away = false;
  call.marks.clear();
  call.status = {};
  call.in.clear();
  const std::string timeout = format_timeout(call.deadline - system_clock().monotonic());
  Header headers[11] = {{":method", "POST"},
                        {":scheme", encrypted() ? "https" : "http"},
                        {":path", call.path},
                        {":authority", peer()},
                        {"te", "trailers"},
                        {"content-type", "application/grpc"},
                        {"grpc-timeout", timeout, false}};
  size_t count = 7;
  if (!call.context.empty()) headers[count++] = {kContextHeader, call.context, false};
  if (!call.command.traceparent.empty()) headers[count++] = {"traceparent", call.command.traceparent, false};
  if (call.maybe_done) headers[count++] = {kRepeatedHeader, "1"};
  call.stream = submit_request({headers, count}, call.out, &call);
  if (call.stream < 0) {  // stream ids are used up
    retired_ = true;
    return events_.finished(std::move(owned),
                            {Outcome::Kind::kNotSent, {"closed", "no stream is left", false}});
  }
  call.index = running_.size();
  running_.push_back(std::move(owned));
}

OutCallPtr ClientConnection::take(OutCall& call) {
  const size_t index = call.index;
  OutCallPtr taken = std::move(running_[index]);
  if (index + 1 != running_.size()) {
    running_[index] = std::move(running_.back());
    running_[index]->index = index;
  }
  running_.pop_back();
  if (call.stream >= 0) set_stream(call.stream, nullptr);
  return taken;
}

void ClientConnection::header(int32_t, void* known, std::string_view name, std::string_view value) {
  if (known == nullptr) return;
  OutCall& call = *static_cast<OutCall*>(known);
  if (name == ":status") {
    call.http_status = number(value);
  } else if (name == "grpc-status") {
    call.status.code = number(value);
    call.has_status = true;
  } else if (name == "grpc-message") {
    call.status.message = decode_message(value);
  } else if (name == "grpc-status-details-bin") {
    call.status.details = decode_binary(value).value_or(std::string());
  } else if (name == kReplayedTrailer) {
    call.replayed = value == "1";
  } else if (name == kAwayTrailer) {
    call.away = value == "1";
  } else if (name == kMarksTrailer) {
    call.marks = decode_marks(decode_binary(value).value_or(std::string()));
  } else if (name == kStatusTrailer) {
    call.answer_status = number(value);
  }
}

void ClientConnection::data(int32_t id, void* known, std::string_view bytes) {
  if (known == nullptr) return;
  OutCall& call = *static_cast<OutCall*>(known);
  if (call.in.size() + bytes.size() <= max_message_bytes_ + kFrameHeadBytes) {
    call.in.append(bytes);
    return;
  }
  call.too_large = true;
  reset(id, kCancel);
}

void ClientConnection::stream_closed(int32_t, void* known, uint32_t http2_error) {
  if (known == nullptr) return;
  OutCall& call = *static_cast<OutCall*>(known);
  OutCallPtr owned = take(call);
  if (call.has_status || call.too_large) return events_.finished(std::move(owned), {});
  if (http2_error == kRefusedStream)
    return events_.finished(std::move(owned),
                            {Outcome::Kind::kNotSent, {"refused", "the call was not taken", false}});
  events_.finished(
      std::move(owned),
      {Outcome::Kind::kLost,
       {"protocol",
        fmt::format("the stream ended with HTTP/2 error {}, HTTP status {}", http2_error, call.http_status),
        false}});
}

void ClientConnection::retire() {
  if (std::exchange(retired_, true) || closed()) return;
  if (running_.empty() && waiting_.empty()) close();
}

void ClientConnection::on_tick(Time now) {
  if (closed()) return;
  const auto self = shared_from_this();
  for (size_t i = running_.size(); i-- > 0;) {
    if (i >= running_.size() || now < running_[i]->deadline) continue;
    OutCall& late = *running_[i];
    reset(late.stream, kCancel);
    events_.finished(take(late), {Outcome::Kind::kDeadline, {"timeout", "no answer in time", false}});
  }
  for (size_t i = waiting_.size(); i-- > 0;) {
    if (now < waiting_[i]->deadline) continue;
    OutCallPtr late = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + ptrdiff_t(i));
    events_.finished(std::move(late), {Outcome::Kind::kNotSent, {"timeout", "no connection in time", false}});
  }
  if (!open()) return;
  if (retired_ && running_.empty()) return close();
  const Time heard = last_heard();
  if (!greeted_ && now - heard >= kGreetWithin) return fail({"timeout", "the peer says nothing", false});
  if (now - heard < kPingAfter) pinged_at_ = 0;
  else if (pinged_at_ == 0) pinged_at_ = now, ping();
  else if (now - pinged_at_ >= kPingTimeout) fail({"timeout", "the peer does not answer any more", false});
}

// A peer that refused the handshake has read nothing of what was sent with it.
void ClientConnection::lost(const Loss& loss) {
  const auto self = shared_from_this();
  auto running = std::move(running_), waiting = std::move(waiting_);
  running_.clear(), waiting_.clear();
  events_.lost(loss);
  for (OutCallPtr& call : running)
    events_.finished(std::move(call),
                     {loss.told_by_peer ? Outcome::Kind::kNotSent : Outcome::Kind::kLost, loss});
  for (OutCallPtr& call : waiting) events_.finished(std::move(call), {Outcome::Kind::kNotSent, loss});
}

void ClientConnection::abandon() {
  close();
  running_.clear(), waiting_.clear();
}

}  // namespace micropay::rpc
