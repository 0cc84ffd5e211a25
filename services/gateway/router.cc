// The tree of path segments and its search.
#include "services/gateway/router.h"

#include "libs/base/check.h"

namespace micropay::gateway {
namespace {

constexpr std::array<uint16_t, 28> kStatuses = {200, 201, 202, 204, 302, 304, 400, 401, 402, 403,
                                                404, 405, 406, 408, 409, 412, 413, 414, 415, 422,
                                                426, 429, 431, 500, 501, 503, 504, 101};

// Segments without the first slash: "a/b" -> "a", rest "b".
std::string_view take_segment(std::string_view& rest) {
  size_t end = std::min(rest.find('/'), rest.size());
  std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return segment;
}

}  // namespace

void RouteMetrics::record(uint32_t status, Duration took) {
  auto at = static_cast<size_t>(std::ranges::find(kStatuses, status) - kStatuses.begin());
  Counter* requests = counters_[at].load(std::memory_order_relaxed);
  if (requests == nullptr) [[unlikely]] {
    requests =
        &counter("http_server_requests_total", "HTTP requests by route and status",
                 {{"route", route_}, {"status", at < kStatuses.size() ? std::to_string(status) : "other"}});
    counters_[at] = requests;
  }
  Histogram* durations = durations_.load(std::memory_order_relaxed);
  if (durations == nullptr) [[unlikely]] {
    durations = &duration_histogram("http_server_request_duration_seconds",
                                    "Time from a request's arrival to its answer", {{"route", route_}});
    durations_ = durations;
  }
  requests->add();
  durations->observe(took);
}

struct Router::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;
  std::unique_ptr<Node> variable;
  std::vector<const Route*> routes;  // one a verb

  Node& child(std::string_view segment) {
    if (segment.starts_with('{')) {
      if (!variable) variable = std::make_unique<Node>();
      return *variable;
    }
    for (auto& [name, node] : literals) {
      if (name == segment) return *node;
    }
    literals.emplace_back(segment, std::make_unique<Node>());
    return *literals.back().second;
  }
};

Router::Router(const std::vector<const contract::Method*>& methods) : root_(std::make_unique<Node>()) {
  for (const contract::Method* method : methods) {
    if (method->verb.empty()) continue;
    CHECK(method->variables.size() <= RouteMatch::kMaxVariables);
    auto route = std::make_unique<Route>();
    route->method = method;
    route->metrics = std::make_unique<RouteMetrics>(method->verb + " " + method->path);
    for (const contract::Method* other : methods) {
      bool reads = other->verb == "GET" && other->resource != nullptr && other->resource == method->resource;
      if (reads && other->variables.size() == 1 && method->resource->key.size() == 1 && !route->read)
        route->read = other;
    }
    add(*route);
    routes_.push_back(std::move(route));
  }
}

Router::~Router() = default;

void Router::add(const Route& route) {
  std::string_view rest = route.method->path;
  CHECK(rest.starts_with('/'));
  rest.remove_prefix(1);
  Node* node = root_.get();
  while (!rest.empty()) node = &node->child(take_segment(rest));
  node->routes.push_back(&route);
}

// Depth first: a literal that leads nowhere gives way to the variable.
const Router::Node* Router::find(const Node& node, std::string_view rest, RouteMatch& match,
                                 size_t variables) const {
  if (rest.empty()) return node.routes.empty() ? nullptr : &node;
  std::string_view after = rest;
  std::string_view segment = take_segment(after);
  bool trailing_slash = after.empty() && segment.size() != rest.size();
  if (segment.empty() || trailing_slash) return nullptr;
  for (const auto& [name, child] : node.literals) {
    if (name != segment) continue;
    if (const Node* found = this->find(*child, after, match, variables)) return found;
  }
  if (!node.variable || variables == RouteMatch::kMaxVariables) return nullptr;
  match.variables[variables] = segment;
  return this->find(*node.variable, after, match, variables + 1);
}

RouteMatch Router::match(std::string_view verb, std::string_view path) const {
  RouteMatch match;
  if (!path.starts_with('/')) return match;
  const Node* node = find(*root_, path.substr(1), match, 0);
  if (node == nullptr) return match;
  std::string_view wanted = verb == "HEAD" ? "GET" : verb;
  for (const Route* route : node->routes) {
    if (route->method->verb == wanted) {
      match.route = route;
      return match;
    }
  }
  for (const Route* route : node->routes) {
    if (!match.allowed.empty()) match.allowed += ", ";
    match.allowed += route->method->verb == "GET" ? "GET, HEAD" : route->method->verb;
  }
  match.allowed += ", OPTIONS";
  return match;
}

std::string Router::allowed(std::string_view path) const { return match("OPTIONS", path).allowed; }

}  // namespace micropay::gateway
