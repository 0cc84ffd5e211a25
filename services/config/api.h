// Answers of the config service: the HTTP interface of Spring Cloud Config. Blocks (files, git): called from
// workers. Any thread.
//
//   GET  what target.h says     clients; ?resolvePlaceholders=false, ?useDefaultLabel
//   POST /encrypt  /decrypt     operators; text/plain both ways
//   GET  /encrypt/status
//   POST /actuator/busrefresh   operators; also /monitor: look for changes now
//   GET  /actuator/health       anybody
#pragma once

#include <functional>
#include <string_view>

#include "libs/base/metrics.h"
#include "libs/http/basic_access.h"
#include "libs/http/message.h"
#include "services/config/backend.h"
#include "services/config/cipher.h"
#include "services/config/rules/target.h"
#include "services/config/settings.h"

namespace micropay::config {

class Api {
 public:
  // `refresh` looks for changes now; `asked` hears of every label that a client wants.
  struct Parts {
    Backend& backend;
    const Cipher& cipher;
    const Clock& clock;
    std::function<void()> refresh;
    std::function<void(const std::string& label)> asked;
  };
  Api(const ConfigSettings& settings, Parts parts);

  HttpResponse answer(const HttpRequest& request);

 private:
  HttpResponse route(const HttpRequest& request);
  HttpResponse encrypt(const HttpRequest& request, bool back);
  HttpResponse encrypt_status() const;
  HttpResponse refresh(const HttpRequest& request);
  HttpResponse health();
  Result<HttpResponse> read(const HttpRequest& request);
  Result<HttpResponse> plain_file(const FileTree& tree, const Target& target, const Environment& environment,
                                  bool resolve) const;
  Result<Environment> environment(const FileTree& tree, const Target& target) const;

  Parts parts_;
  BasicAccess clients_;
  BasicAccess operators_;
  std::atomic<bool> healthy_{true};
};

}  // namespace micropay::config
