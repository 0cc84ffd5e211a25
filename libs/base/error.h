// Errors as values. Result<T> is what every fallible function of ours returns; exceptions stay at third-party
// edges.
//
//   Result<Payment> get(std::string_view id) {
//     const Payment& payment = TRY(table.get(id));            // returns the error to our caller
//     if (payment.amount().minor() < 0) return fail(Code::kInvalidArgument, "amount_negative", "…",
//     "amount"); return payment;
//   }
//
// `reason` is a stable word of the contract that clients may act on; `detail` is for people and may change.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace micropay {

// Canonical codes (google.rpc.Code) with one of our own; libs/base/error.cc maps them to HTTP.
enum class Code : uint8_t {
  kInvalidArgument,
  kUnauthenticated,
  kPermissionDenied,
  kNotFound,
  kAlreadyExists,
  kFailedPrecondition,
  kPreconditionFailed,  // If-Match did not match
  kAborted,             // lost a race; repeat it
  kPaymentRequired,     // the money did not move; reason says why
  kUnprocessable,       // an idempotency key with another body
  kResourceExhausted,
  kUnavailable,
  kDeadlineExceeded,
  kUnimplemented,
  kInternal,
  kTooLarge,
};

struct Error {
  Code code = Code::kInternal;
  std::string reason;
  std::string detail;
  std::string field;                                            // path of the invalid input: "amount.value"
  std::vector<std::pair<std::string, std::string>> extensions;  // members of the problem document: paymentId
  uint32_t retry_after_s = 0;
};

template <typename T>
using Result = std::expected<T, Error>;

std::unexpected<Error> fail(Code code, std::string reason, std::string detail = {}, std::string field = {});

uint32_t http_status(Code code);
std::string_view code_name(Code code);  // "INVALID_ARGUMENT"

}  // namespace micropay

// The value of a Result, or return its error from this function.
#define TRY(...)                                                            \
  ({                                                                        \
    auto&& try_result = (__VA_ARGS__);                                      \
    if (!try_result) return std::unexpected(std::move(try_result).error()); \
    ::micropay::detail::take(std::move(try_result));                        \
  })

namespace micropay::detail {
template <typename T>
T take(std::expected<T, Error>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
}  // namespace micropay::detail
