#include "libs/base/error.h"

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
};
constexpr CodeRow kCodes[] = {
    {"INVALID_ARGUMENT", 400},
    {"UNAUTHENTICATED", 401},
    {"PERMISSION_DENIED", 403},
    {"NOT_FOUND", 404},
    {"ALREADY_EXISTS", 409},
    {"FAILED_PRECONDITION", 409},
    {"PRECONDITION_FAILED", 412},
    {"ABORTED", 409},
    {"PAYMENT_REQUIRED", 402},
    {"UNPROCESSABLE", 422},
    {"RESOURCE_EXHAUSTED", 429},
    {"UNAVAILABLE", 503},
    {"DEADLINE_EXCEEDED", 504},
    {"UNIMPLEMENTED", 501},
    {"INTERNAL", 500},
    {"TOO_LARGE", 413},
};
}  // namespace

uint32_t http_status(Code code) { return kCodes[static_cast<size_t>(code)].http; }
std::string_view code_name(Code code) { return kCodes[static_cast<size_t>(code)].name; }

}  // namespace micropay
