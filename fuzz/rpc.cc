// What another process may send beside a message: frames, metadata, status; what is read is written again so
// that it reads the same.
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/rpc/wire.h"

namespace micropay::fuzz {
namespace {

void frames(std::string_view bytes) {
  constexpr size_t kMost = 1'000;
  const auto frame = rpc::first_frame(bytes, kMost);
  if (!frame || frame->bytes == 0) return;
  CHECK(frame->message.size() <= kMost && frame->bytes <= bytes.size());
  std::string again;
  rpc::append_frame(again, frame->message);
  CHECK(again == bytes.substr(0, frame->bytes));
}

void context(std::string_view bytes) {
  Command command, second;
  std::string caller, caller_again;
  if (!rpc::decode_context(bytes, command, &caller)) return;
  CHECK(rpc::decode_context(rpc::encode_context(command, caller), second, &caller_again).has_value());
  CHECK(second.principal.user_id == command.principal.user_id &&
        second.idempotency_key == command.idempotency_key);
  CHECK(second.principal.role_bits == command.principal.role_bits && caller_again == caller);
}

void texts(std::string_view bytes) {
  if (const auto binary = rpc::decode_binary(bytes))
    CHECK(rpc::decode_binary(rpc::encode_binary(*binary)) == binary);
  CHECK(rpc::decode_binary(rpc::encode_binary(bytes)) == bytes);
  const std::string_view start = bytes.substr(0, 1'000);
  CHECK(rpc::decode_message(rpc::encode_message(start)) == start);
  if (const auto timeout = rpc::parse_timeout(bytes))
    CHECK(rpc::parse_timeout(rpc::format_timeout(*timeout)) >= *timeout || *timeout > 99'999'999 * kSecond);
  (void)rpc::valid_traceparent(bytes);
}

void status(std::string_view bytes) {
  if (bytes.size() > 4'000) return;  // beyond, the text of an error is cut
  const Error error = rpc::error_of({.code = bytes.empty() ? 2 : uint32_t(uint8_t(bytes[0])),
                                     .message = {},
                                     .details = std::string(bytes)});
  const Error again = rpc::error_of(rpc::status_of(error));
  CHECK(again.code == error.code && again.reason == error.reason && again.extensions == error.extensions);
}

void run(std::string_view bytes) { frames(bytes), context(bytes), texts(bytes), status(bytes); }

const Register kRegistered("rpc", run);

}  // namespace
}  // namespace micropay::fuzz
