#include "services/discovery/api.h"

#include <algorithm>

#include "libs/http/error_response.h"
#include "services/discovery/api_call.h"
#include "services/discovery/settings.h"

namespace micropay::discovery {
namespace {

constexpr Duration kFreshFor = 10 * kSecond;

void write_application(Node& node, const std::string& name, const Registry::Instances& instances) {
  node.add("name", name);
  Node& list = node.list("instance");
  for (const auto& [id, instance] : instances) write_instance(*instance, list.item());
}

Node applications_of(const std::string& hash_code, const Registry::Applications& applications) {
  Node root{.kind = Node::Kind::kObject};
  Node& all = root.object("applications");
  all.add("versions__delta", "1");
  all.add("apps__hashcode", hash_code);
  Node& list = all.list("application");
  for (const auto& [name, instances] : applications) write_application(list.item(), name, instances);
  return root;
}

bool has_vip(std::string_view list, std::string_view vip) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    if (upper(list.substr(0, end)) == vip) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

Api::Api(const DiscoverySettings& settings, Parts parts)
    : parts_(std::move(parts)),
      access_({{settings.user, settings.password}}, parts_.clock),
      registry_(settings.registry) {}

HttpResponse Api::answer(const HttpRequest& request) {
  if (request.path == "/actuator/health")
    return {.headers = "Content-Type: application/json\r\n", .body = R"({"status":"UP"})"};
  if (!access_.open()) {
    if (auto refusal = access_.refuse(request)) return *std::move(refusal);
  }
  const auto no_route = [] {
    return error_response(
        {.code = Code::kNotFound, .reason = "route_not_found", .detail = "There is no such route."});
  };
  Call call{.request = request, .now = parts_.clock.now()};
  std::string_view path = request.path;
  for (const std::string_view prefix : {"/eureka/v2/", "/eureka/"}) {
    if (!path.starts_with(prefix)) continue;
    path.remove_prefix(prefix.size());
    while (path.ends_with('/')) path.remove_suffix(1);
    for (bool more = true; more;) {
      const size_t end = std::min(path.find('/'), path.size());
      auto segment = percent_decode(path.substr(0, end), false);
      if (!segment || segment->empty() || call.path.size() == 8) return no_route();
      call.path.push_back(*std::move(segment));
      more = end < path.size();
      if (more) path.remove_prefix(end + 1);
    }
    auto query = parse_query(request.query);
    if (!query) return error_response({.code = Code::kInvalidArgument, .reason = "malformed_query"});
    call.query = *std::move(query);
    // As Eureka has it: XML for who does not ask for JSON.
    if (request.header("accept").contains("json")) call.form = Form::kJson;
    return route(call);
  }
  return no_route();
}

HttpResponse Api::route(const Call& call) {
  if (call.is("GET") || call.is("HEAD")) return read(call);
  if (call.path.size() == 2 && call.path[0] == "peerreplication" && call.is("POST")) return batch(call);
  if (call.path[0] != "apps" || call.path.size() < 2 || call.path.size() > 4)
    return error_response(
        {.code = Code::kNotFound, .reason = "route_not_found", .detail = "There is no such route."});
  return change(call);
}

HttpResponse Api::everything(Form form, bool delta) {
  std::scoped_lock lock(mutex_);
  const Time now = parts_.clock.now();
  Cached& cached = cached_[form == Form::kJson][delta];
  // A delta forgets what is old, with every second.
  if (!cached.body || cached.version != registry_.version() ||
      now - cached.made > (delta ? kSecond : kFreshFor)) {
    Registry::Applications changed;
    if (delta)
      for (const InstancePtr& one : registry_.changes(now)) changed[one->app][one->id] = one;
    const Node root = applications_of(registry_.hash_code(), delta ? changed : registry_.applications());
    cached = {registry_.version(), now,
              std::make_shared<const std::string>(form == Form::kJson ? write_json(root) : write_xml(root))};
  }
  HttpResponse response = Call::body_of(form, {});
  response.shared_body = cached.body;
  return response;
}

HttpResponse Api::by_vip(const Call& call, bool secure) {
  const std::string vip = upper(call.path[1]);
  Registry::Applications found;
  std::scoped_lock lock(mutex_);
  for (const auto& [app, instances] : registry_.applications())
    for (const auto& [id, instance] : instances)
      if (has_vip(secure ? instance->secure_vip : instance->vip, vip)) found[app][id] = instance;
  if (found.empty()) return not_found();
  return call.body(applications_of(registry_.hash_code(), found));
}

HttpResponse Api::read(const Call& call) {
  const auto& path = call.path;
  if (path[0] == "apps" && path.size() == 1) return everything(call.form, false);
  if (path[0] == "apps" && path.size() == 2 && path[1] == "delta") return everything(call.form, true);
  if ((path[0] == "vips" || path[0] == "svips") && path.size() == 2) return by_vip(call, path[0] == "svips");
  std::scoped_lock lock(mutex_);
  Node root{.kind = Node::Kind::kObject};
  if (path[0] == "apps" && path.size() == 2) {
    const auto found = registry_.applications().find(call.app());
    if (found == registry_.applications().end()) return not_found();
    write_application(root.object("application"), found->first, found->second);
    return call.body(root);
  }
  InstancePtr instance;
  if (path[0] == "apps" && path.size() == 3) instance = registry_.find(call.app(), call.id());
  if (path[0] == "instances" && path.size() == 2) {
    for (const auto& [app, instances] : registry_.applications())
      if (const auto found = instances.find(path[1]); found != instances.end()) instance = found->second;
  }
  if (!instance) return not_found();
  write_instance(*instance, root.object("instance"));
  return call.body(root);
}

}  // namespace micropay::discovery
