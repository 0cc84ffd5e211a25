// What the gateway serves besides the API: the OpenAPI document, the reference page that reads it, the public
// keys.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "libs/contract/model.h"
#include "libs/security/authenticator.h"
#include "services/gateway/exchange.h"

namespace micropay::gateway {

class Pages {
 public:
  Pages(const contract::Model& model, std::string_view version, const Authenticator& authenticator);
  // False: the path is none of ours.
  bool handle(Exchange& exchange);
  bool has(std::string_view path) const { return pages_.contains(path); }

 private:
  struct Page {
    std::string headers;  // type, caching, policy
    std::string type;
    uint64_t digest = 0;
    std::shared_ptr<const std::string> plain, zipped;
    std::unique_ptr<RouteMetrics> metrics;
  };
  void add(const std::string& path, std::string_view type, std::string_view policy, std::string content);
  void serve(Exchange& exchange, const Page& page);

  const Authenticator& authenticator_;
  std::map<std::string, Page, std::less<>> pages_;
  RouteMetrics keys_metrics_{"GET /.well-known/jwks.json"};
  RouteMetrics root_metrics_{"GET /"};
};

}  // namespace micropay::gateway
