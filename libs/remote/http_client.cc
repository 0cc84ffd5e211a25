#include "libs/remote/http_client.h"

#include <curl/curl.h>

#include <atomic>
#include <mutex>

namespace micropay {
namespace {

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

struct Received {
  std::string body;
  size_t most = 0;
  bool too_large = false;
};

size_t receive(char* bytes, size_t, size_t count, void* to) {
  auto& received = *static_cast<Received*>(to);
  received.too_large = received.body.size() + count > received.most;
  if (received.too_large) return 0;
  received.body.append(bytes, count);
  return count;
}

int progress(void* cancelled, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(cancelled)->load() ? 1 : 0;
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::unexpected<Error> failure(CURLcode code, bool cancelled, bool too_large, const char* detail) {
  if (cancelled) return fail(Code::kUnavailable, "remote_cancelled");
  if (too_large) return fail(Code::kUnavailable, "remote_too_large", "The answer is larger than it may be.");
  std::string text = *detail != 0 ? detail : curl_easy_strerror(code);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return fail(Code::kDeadlineExceeded, "remote_timeout", std::move(text));
  return fail(Code::kUnavailable, "remote_unavailable", std::move(text));
}

}  // namespace

struct HttpClient::Impl {
  HttpClientOptions options;
  CURL* curl = nullptr;
  std::atomic<bool> cancelled{false};
  char error[CURL_ERROR_SIZE] = {};

  ~Impl() { curl_easy_cleanup(curl); }
  void set_up(Received& received);
};

HttpClient::HttpClient(HttpClientOptions options) : impl_(std::make_unique<Impl>()) {
  start_curl();
  impl_->options = std::move(options);
  impl_->curl = curl_easy_init();
}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

void HttpClient::cancel() { impl_->cancelled = true; }

void HttpClient::Impl::set_up(Received& received) {
  curl_easy_reset(curl);  // connections stay
  received.most = options.max_body_bytes;
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  const auto set_text = [&](CURLoption option, const std::string& value) {
    if (!value.empty()) set(option, value.c_str());
  };
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NETRC, long(CURL_NETRC_IGNORED));
  set(CURLOPT_CONNECTTIMEOUT_MS, long(options.connect_timeout / kMillisecond));
  set(CURLOPT_TIMEOUT_MS, long(options.timeout / kMillisecond));
  set(CURLOPT_WRITEFUNCTION, receive);
  set(CURLOPT_WRITEDATA, &received);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, progress);
  set(CURLOPT_XFERINFODATA, &cancelled);
  set(CURLOPT_ERRORBUFFER, error);
  set_text(CURLOPT_CAINFO, options.ca_file);
  set_text(CURLOPT_SSLCERT, options.certificate_file);
  set_text(CURLOPT_SSLKEY, options.key_file);
  if (options.password.empty()) return;
  set(CURLOPT_HTTPAUTH, long(CURLAUTH_BASIC));
  set_text(CURLOPT_USERNAME, options.user);
  set_text(CURLOPT_PASSWORD, options.password);
}

Result<RemoteAnswer> HttpClient::send(const RemoteRequest& request) {
  if (impl_->curl == nullptr) return fail(Code::kUnavailable, "remote_unavailable", "libcurl does not start");
  Received received;
  impl_->error[0] = 0;
  impl_->set_up(received);
  CURL* const curl = impl_->curl;
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (!request.body.empty() || request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  std::unique_ptr<curl_slist, FreeList> headers(curl_slist_append(nullptr, "Expect:"));
  for (const std::string& header : request.headers) curl_slist_append(headers.get(), header.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) return failure(code, impl_->cancelled, received.too_large, impl_->error);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return RemoteAnswer{.status = uint32_t(status), .body = std::move(received.body)};
}

}  // namespace micropay
