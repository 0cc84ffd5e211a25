#include "libs/base/error.h"

#include "libs/base/grpc_code.h"

namespace micropay {

std::unexpected<Error> fail(Code code, std::string reason, std::string detail, std::string field) {
  return std::unexpected(Error{.code = code,
                               .reason = std::move(reason),
                               .detail = std::move(detail),
                               .field = std::move(field),
                               .extensions = {},
                               .retry_after_s = 0});
}

namespace {
struct CodeRow {
  std::string_view name;
  uint32_t http;
  uint32_t grpc;
};
constexpr CodeRow kCodes[] = {
    {"INVALID_ARGUMENT", 400, 3},    {"UNAUTHENTICATED", 401, 16},   {"PERMISSION_DENIED", 403, 7},
    {"NOT_FOUND", 404, 5},           {"ALREADY_EXISTS", 409, 6},     {"FAILED_PRECONDITION", 409, 9},
    {"PRECONDITION_FAILED", 412, 9}, {"ABORTED", 409, 10},           {"PAYMENT_REQUIRED", 402, 9},
    {"UNPROCESSABLE", 422, 3},       {"RESOURCE_EXHAUSTED", 429, 8}, {"UNAVAILABLE", 503, 14},
    {"DEADLINE_EXCEEDED", 504, 4},   {"UNIMPLEMENTED", 501, 12},     {"INTERNAL", 500, 13},
    {"TOO_LARGE", 413, 8},
};
}  // namespace

uint32_t http_status(Code code) { return kCodes[static_cast<size_t>(code)].http; }
uint32_t grpc_code(Code code) { return kCodes[static_cast<size_t>(code)].grpc; }

Code code_of_grpc(uint32_t code) {
  constexpr uint32_t kCancelled = 1, kOutOfRange = 11;
  if (code == kCancelled) return Code::kUnavailable;
  if (code == kOutOfRange) return Code::kInvalidArgument;
  for (size_t i = 0; i < std::size(kCodes); ++i) {
    if (kCodes[i].grpc == code) return static_cast<Code>(i);
  }
  return Code::kInternal;
}

std::string_view code_name(Code code) { return kCodes[static_cast<size_t>(code)].name; }

}  // namespace micropay
