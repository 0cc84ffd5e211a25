// Cross-origin requests from browsers (Fetch standard): off unless gateway.cors_origins names origins. There
// are no cookies, so no credentials mode; a token that a page holds is its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/http/message.h"

namespace micropay::gateway {

class Cors {
 public:
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  // Header lines for any answer to this request; empty when the origin is not allowed or none is named.
  std::string headers(const HttpRequest& request) const;
  // The answer to OPTIONS for a path that allows these verbs.
  HttpResponse preflight(const HttpRequest& request, std::string_view allowed_verbs) const;

 private:
  bool allows(std::string_view origin) const;
  std::vector<std::string> origins_;
};

}  // namespace micropay::gateway
