// From verb and path to the method of the contract. A tree of path segments, made once; a literal segment
// goes before a variable one, so "/users/me" is not user "me".
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/metrics.h"
#include "libs/contract/model.h"

namespace micropay::gateway {

// Counts and times the requests of one route; the metrics are registered when they are first needed.
class RouteMetrics {
 public:
  explicit RouteMetrics(std::string route) : route_(std::move(route)) {}
  void record(uint32_t status, Duration took);
  const std::string& route() const { return route_; }

 private:
  static constexpr size_t kSlots = 32;
  std::string route_;
  std::array<std::atomic<Counter*>, kSlots> counters_{};
  std::atomic<Histogram*> durations_{nullptr};
};

struct Route {
  const contract::Method* method = nullptr;
  const contract::Method* read = nullptr;  // the GET of what this method makes: path with one variable
  std::unique_ptr<RouteMetrics> metrics;
};

struct RouteMatch {
  static constexpr size_t kMaxVariables = 4;
  const Route* route = nullptr;                             // null: no such path, or not with this verb
  std::array<std::string_view, kMaxVariables> variables{};  // as sent; in the order of Method::variables
  std::string allowed;                                      // "GET, HEAD, POST" when only the verb is wrong
};

class Router {
 public:
  explicit Router(const std::vector<const contract::Method*>& methods);
  ~Router();
  RouteMatch match(std::string_view verb, std::string_view path) const;  // HEAD is answered by GET
  std::string allowed(std::string_view path) const;                      // empty: no such path
  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  struct Node;
  const Node* find(const Node& node, std::string_view rest, RouteMatch& match, size_t variables) const;
  void add(const Route& route);

  std::vector<std::unique_ptr<Route>> routes_;
  std::unique_ptr<Node> root_;
};

}  // namespace micropay::gateway
