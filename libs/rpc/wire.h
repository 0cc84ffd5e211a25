// What a gRPC call looks like in bytes: framed messages, metadata, status. Pure functions, both directions,
// no I/O; all that is read here comes from outside and has its limits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libs/runtime/engine.h"

namespace micropay::rpc {

constexpr std::string_view kContextHeader = "micropay-call-bin";
constexpr std::string_view kStatusTrailer = "micropay-status";  // HTTP status, where it is not the method's
constexpr std::string_view kReplayedTrailer = "micropay-replayed";  // "1"
constexpr std::string_view kMarksTrailer = "micropay-marks-bin";
constexpr std::string_view kAwayTrailer = "micropay-away";  // "1": ServerOptions::away
// Of gRPC's own retries: how often it was tried before, when nobody knows what came of it.
constexpr std::string_view kRepeatedHeader = "grpc-previous-rpc-attempts";
constexpr size_t kFrameHeadBytes = 5;
constexpr size_t kMaxContextBytes = 4 << 10;

// A message with the five bytes before it: "not compressed" and its length.
void append_frame(std::string& out, const google::protobuf::Message& message);
void append_frame(std::string& out, std::string_view message);
// The message of the first frame in `bytes` and how much it takes; 0 when it is not complete. Compressed ones
// are kUnimplemented, those above `max_bytes` kTooLarge (message_too_large).
struct Frame {
  std::string_view message;
  size_t bytes = 0;
};
Result<Frame> first_frame(std::string_view bytes, size_t max_bytes);

// Principal and what belongs to the command, as bytes.
std::string encode_context(const Command& command, std::string_view caller);
// Into the command; `caller`, when not null, gets the caller's own word for itself. Refuses what is beyond
// the limits (invalid_context).
Result<void> decode_context(std::string_view bytes, Command& command, std::string* caller);
bool valid_traceparent(std::string_view text);
std::string encode_marks(const Marks& marks);
Marks decode_marks(std::string_view bytes);  // what is not understood is left out: marks only delay

// Values of "-bin" metadata: base64 with the standard alphabet, without padding; read with or without.
std::string encode_binary(std::string_view bytes);
std::optional<std::string> decode_binary(std::string_view text);
// grpc-message: percent-encoded outside visible ASCII.
std::string encode_message(std::string_view text);
std::string decode_message(std::string_view text);
// grpc-timeout: at most eight digits and a unit; rounded up, so that what has time left is not zero.
std::string format_timeout(Duration duration);
std::optional<Duration> parse_timeout(std::string_view text);

// Trailers of a failed call.
struct Status {
  uint32_t code = 0;    // of gRPC
  std::string message;  // for people
  std::string details;  // grpc-status-details-bin, decoded: an RpcStatus
};
Status status_of(const Error& error);
// Lossless when the other side made it by status_of; else the nearest code with reason "rpc_failed".
Error error_of(const Status& status);

}  // namespace micropay::rpc
