// libcurl's easy interface.
#include "libs/trace/http_post.h"

#include <curl/curl.h>

namespace micropay {
namespace {

size_t pass_over(char*, size_t size, size_t count, void*) { return size * count; }

int look_for_cancel(void* cancelled, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(cancelled))() ? 1 : 0;
}

}  // namespace

struct HttpPost::Impl {
  std::string url;
  CURL* curl = nullptr;
  curl_slist* headers = nullptr;
};

HttpPost::HttpPost(std::string url) : impl_(std::make_unique<Impl>()) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  impl_->url = std::move(url);
  impl_->curl = ready == CURLE_OK ? curl_easy_init() : nullptr;
  for (const char* header : {"Content-Type: application/json", "Accept: application/json", "Expect:"})
    impl_->headers = curl_slist_append(impl_->headers, header);
}

HttpPost::~HttpPost() {
  curl_slist_free_all(impl_->headers);
  if (impl_->curl != nullptr) curl_easy_cleanup(impl_->curl);
}

HttpPost::Answer HttpPost::send(const std::string& json, Duration timeout,
                                const std::function<bool()>& cancelled) {
  CURL* curl = impl_->curl;
  if (curl == nullptr) return {.problem = "libcurl does not start"};
  curl_easy_setopt(curl, CURLOPT_URL, impl_->url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, impl_->headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(json.size()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, long(timeout / kMillisecond));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, pass_over);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_for_cancel);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &cancelled);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  const CURLcode result = curl_easy_perform(curl);
  if (result != CURLE_OK) return {.problem = curl_easy_strerror(result)};
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return {.status = uint32_t(status), .problem = {}};
}

}  // namespace micropay
