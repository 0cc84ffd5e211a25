#include "libs/http/basic_access.h"

#include <algorithm>

#include "libs/base/metrics.h"
#include "libs/http/error_response.h"

namespace micropay {
namespace {

constexpr size_t kMaxFailures = 20;
constexpr size_t kMaxAddresses = 10'000;
constexpr size_t kMaxHeader = 2'048;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<std::string> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  uint32_t bits = 0, held = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == kAlphabet.npos) return {};
    bits = bits << 6 | uint32_t(value), held += 6;
    if (held >= 8) bytes += char(bits >> (held -= 8) & 0xFF);
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t at) { return at < bytes.size() ? uint32_t(uint8_t(bytes[at])) : 0; };
    const uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (size_t part = 0; part < 4; ++part)
      text += i + part > bytes.size() ? '=' : kAlphabet[bits >> (18 - 6 * part) & 0x3F];
  }
  return text;
}

// As long for every content of the same length.
bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char different = 0;
  for (size_t i = 0; i < a.size(); ++i) different |= static_cast<unsigned char>(a[i] ^ b[i]);
  return different == 0;
}

HttpResponse challenge() {
  HttpResponse response = error_response(
      {.code = Code::kUnauthenticated, .reason = "credentials_required", .detail = "HTTP Basic, please."});
  response.add("WWW-Authenticate", "Basic realm=\"micropay\", charset=\"UTF-8\"");
  return response;
}

}  // namespace

std::optional<BasicCredentials> basic_credentials(const HttpRequest& request) {
  std::string_view header = request.header("authorization");
  constexpr std::string_view kScheme = "basic ";
  if (header.size() < kScheme.size() || header.size() > kMaxHeader ||
      !equals_ignoring_case(header.substr(0, kScheme.size()), kScheme))
    return {};
  const auto text = from_base64(header.substr(kScheme.size()));
  const size_t colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos) return {};
  return BasicCredentials{text->substr(0, colon), text->substr(colon + 1)};
}

std::string basic_header(const BasicCredentials& credentials) {
  return "Basic " + to_base64(credentials.user + ":" + credentials.password);
}

BasicAccess::BasicAccess(std::vector<BasicCredentials> allowed, const Clock& clock)
    : allowed_(std::move(allowed)), clock_(clock) {
  std::erase_if(allowed_, [](const BasicCredentials& one) { return one.password.empty(); });
}

bool BasicAccess::is_allowed(const BasicCredentials& given) const {
  return std::ranges::count_if(allowed_, [&](const BasicCredentials& one) {
           return one.user == given.user && same(one.password, given.password);
         }) > 0;
}

bool BasicAccess::too_many(const std::string& address, bool another) {
  if (address.starts_with("127.") || address == "::1") return false;
  const Time now = clock_.monotonic();
  std::scoped_lock lock(mutex_);
  const auto found = failures_.find(address);
  if (found != failures_.end() && now - found->second.since >= kMinute) failures_.erase(found);
  if (!another) {
    const auto at = failures_.find(address);
    return at != failures_.end() && at->second.count >= kMaxFailures;
  }
  if (failures_.size() >= kMaxAddresses) failures_.clear();
  Failures& failures = failures_.try_emplace(address, Failures{.since = now}).first->second;
  return ++failures.count > kMaxFailures;
}

std::optional<HttpResponse> BasicAccess::refuse(const HttpRequest& request) {
  static Counter& refused =
      counter("micropay_basic_refused_total", "Requests with missing or wrong passwords");
  const auto given = basic_credentials(request);
  if (given && !too_many(request.remote_address, false) && is_allowed(*given)) return {};
  refused.add();
  if (!given) return challenge();
  if (too_many(request.remote_address, true))
    return error_response(429, {.reason = "too_many_failures",
                                .detail = "Too many wrong passwords from this address.",
                                .retry_after_s = 60});
  return challenge();
}

}  // namespace micropay
