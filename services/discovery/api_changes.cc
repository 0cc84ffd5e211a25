// What changes the registry: clients, peers, time.
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "services/discovery/api_call.h"

namespace micropay::discovery {
namespace {

Counter& operations(std::string_view operation) {
  return counter("micropay_discovery_operations_total", "What clients and peers did to the registry",
                 {{"operation", std::string(operation)}});
}

}  // namespace

HttpResponse Api::change(const Call& call) {
  HttpResponse wrong_method =
      error_response(405, {.reason = "method_not_allowed", .detail = "The route has other methods."});
  if (call.path.size() == 2) return call.is("POST") ? register_instance(call) : wrong_method;
  if (call.path.size() == 3 && call.is("PUT")) return renew(call);
  if (call.path.size() == 3 && call.is("DELETE")) {
    std::scoped_lock lock(mutex_);
    if (!registry_.cancel(call.app(), call.id(), call.now)) return not_found();
    static Counter& cancelled = operations("cancel");
    cancelled.add();
    log_info("discovery.cancelled", "An instance has gone",
             {{"application", call.app()}, {"instance", call.id()}});
    tell(call, {.kind = Replica::Kind::kCancel, .app = call.app(), .id = call.id()});
    return {.status = 200};
  }
  if (call.path.size() == 4 && call.path[3] == "status" && (call.is("PUT") || call.is("DELETE")))
    return change_status(call);
  if (call.path.size() == 4 && call.path[3] == "metadata" && call.is("PUT")) return change_metadata(call);
  return wrong_method;
}

// Called with the lock held, so that peers hear of changes in the order in which they were made.
void Api::tell(const Call& call, Replica replica) {
  if (!call.replicated() && parts_.replicate) parts_.replicate(std::move(replica));
}

HttpResponse Api::register_instance(const Call& call) {
  const std::string_view type = call.request.header("content-type");
  const bool json = type.contains("json");
  if (!json && !type.contains("xml"))
    return error_response(415, {.reason = "unsupported_media_type", .detail = "XML or JSON, please."});
  const auto root = json ? read_json(call.request.body) : read_xml(call.request.body);
  if (!root) return error_response(root.error());
  const Node* node = root->child("instance");
  if (node == nullptr)
    return error_response(
        {.code = Code::kInvalidArgument, .reason = "malformed_body", .detail = "There is no instance."});
  auto instance = instance_from(*node);
  if (!instance) return error_response(instance.error());
  if (instance->app != call.app())
    return error_response({.code = Code::kInvalidArgument,
                           .reason = "invalid_instance",
                           .detail = "The path has another application.",
                           .field = "app"});
  static Counter& registered = operations("register");
  std::scoped_lock lock(mutex_);
  const InstancePtr known = registry_.find(instance->app, instance->id);
  const std::string id = instance->id;
  if (const auto added = registry_.add(*std::move(instance), call.now, call.replicated()); !added)
    return error_response(added.error());
  registered.add();
  if (!known)
    log_info("discovery.registered", "An instance is new", {{"application", call.app()}, {"instance", id}});
  const InstancePtr now_there = registry_.find(call.app(), id);
  tell(call, {.kind = Replica::Kind::kRegister,
              .app = call.app(),
              .id = id,
              .dirty_ms = now_there->dirty_ms,
              .status = now_there->status,
              .instance = now_there});
  return {.status = 204};
}

HttpResponse Api::renew(const Call& call) {
  static Counter& renewed = operations("renew");
  std::scoped_lock lock(mutex_);
  const InstancePtr known = registry_.find(call.app(), call.id());
  const int64_t dirty_ms = call.number("lastDirtyTimestamp");
  // It has said something else of itself since, which did not arrive here.
  if (!known || (dirty_ms > known->dirty_ms && known->dirty_ms != 0)) return not_found();
  if (!registry_.renew(call.app(), call.id(), call.now)) return not_found();
  renewed.add();
  tell(call, {.kind = Replica::Kind::kHeartbeat,
              .app = call.app(),
              .id = call.id(),
              .dirty_ms = known->dirty_ms,
              .status = known->status,
              .overridden = known->overridden,
              .instance = known});
  return {.status = 200};
}

HttpResponse Api::change_status(const Call& call) {
  static Counter& overridden = operations("status");
  const auto given = parse_status(call.value("value"));
  if (!given && (call.is("PUT") || !call.value("value").empty()))
    return error_response({.code = Code::kInvalidArgument,
                           .reason = "invalid_status",
                           .detail = "That is no status.",
                           .field = "value"});
  const Status status = given.value_or(Status::kUnknown);
  std::scoped_lock lock(mutex_);
  const bool done = call.is("PUT") ? registry_.override_status(call.app(), call.id(), status, call.now)
                                   : registry_.clear_override(call.app(), call.id(), status, call.now);
  if (!done) return not_found();
  overridden.add();
  log_info("discovery.status", "An operator changed a status",
           {{"application", call.app()},
            {"instance", call.id()},
            {"status", call.is("PUT") ? status_text(status) : "own"}});
  tell(call, {.kind = call.is("PUT") ? Replica::Kind::kStatusUpdate : Replica::Kind::kDeleteStatusOverride,
              .app = call.app(),
              .id = call.id(),
              .status = status});
  return {.status = 200};
}

HttpResponse Api::change_metadata(const Call& call) {
  static Counter& changed = operations("metadata");
  std::scoped_lock lock(mutex_);
  if (const auto done = registry_.set_metadata(call.app(), call.id(), call.query, call.now); !done)
    return error_response(done.error());
  changed.add();
  const InstancePtr instance = registry_.find(call.app(), call.id());
  tell(call, {.kind = Replica::Kind::kRegister,
              .app = call.app(),
              .id = call.id(),
              .dirty_ms = instance->dirty_ms,
              .status = instance->status,
              .instance = instance});
  return {.status = 200};
}

HttpResponse Api::batch(const Call& call) {
  const auto replicas = read_replicas(call.request.body);
  if (!replicas) return error_response(replicas.error());
  std::vector<ReplicaAnswer> answers;
  for (const Replica& replica : *replicas) answers.push_back(apply(replica));
  return Call::body_of(Form::kJson, write_replica_answers(answers));
}

ReplicaAnswer Api::apply(const Replica& replica) {
  using Kind = Replica::Kind;
  static Counter& replicated = operations("replicated");
  replicated.add();
  const Time now = parts_.clock.now();
  std::scoped_lock lock(mutex_);
  const InstancePtr known = registry_.find(replica.app, replica.id);
  const auto answered = [](bool done) { return ReplicaAnswer{.status = done ? 200u : 404u}; };
  if (replica.kind == Kind::kRegister) {
    // The newer word of the instance itself counts.
    if (known && known->dirty_ms > replica.instance->dirty_ms) return {.status = 409, .newer = known};
    return {.status = registry_.add(*replica.instance, now, true) ? 204u : 429u};
  }
  if (!known) return answered(false);
  switch (replica.kind) {
    case Kind::kCancel: return answered(registry_.cancel(replica.app, replica.id, now));
    case Kind::kStatusUpdate:
      return answered(registry_.override_status(replica.app, replica.id, replica.status, now));
    case Kind::kDeleteStatusOverride:
      return answered(registry_.clear_override(replica.app, replica.id, replica.status, now));
    default: break;
  }
  if (replica.dirty_ms > known->dirty_ms) return answered(false);
  if (replica.dirty_ms < known->dirty_ms) return {.status = 409, .newer = known};
  if (replica.overridden != Status::kUnknown && replica.overridden != known->overridden)
    registry_.override_status(replica.app, replica.id, replica.overridden, now);
  return answered(registry_.renew(replica.app, replica.id, now));
}

size_t Api::evict() {
  static Counter& evicted = operations("evict");
  std::scoped_lock lock(mutex_);
  const auto gone = registry_.evict(parts_.clock.now());
  for (const InstancePtr& one : gone)
    log_warn("discovery.evicted", "An instance was not renewed in time",
             {{"application", one->app}, {"instance", one->id}});
  evicted.add(gone.size());
  static Gauge& instances = gauge("micropay_discovery_instances", "Instances that are registered");
  static Gauge& preserving =
      gauge("micropay_discovery_preserving", "1 while too many renewals are missing to evict");
  instances.set(int64_t(registry_.size()));
  const bool now_preserving = registry_.preserving(parts_.clock.now());
  if (preserving.value() != int64_t(now_preserving))
    log_warn("discovery.preserving", now_preserving ? "Too many renewals are missing: nobody is evicted"
                                                    : "Renewals come again: leases end as usual");
  preserving.set(now_preserving);
  return gone.size();
}

std::string Api::all_json() { return *everything(Form::kJson, false).shared_body; }

Result<size_t> Api::take_in(std::string_view json) {
  const Node root = TRY(read_json(json));
  const Node* all = root.child("applications");
  if (all == nullptr) return fail(Code::kInvalidArgument, "malformed_body", "There are no applications.");
  size_t taken = 0;
  std::scoped_lock lock(mutex_);
  for (const Node& application : all->children) {
    for (const Node& node : application.children) {
      if (application.name != "application" || node.name != "instance") continue;
      auto instance = instance_from(node);
      if (!instance || registry_.find(instance->app, instance->id) != nullptr) continue;
      if (registry_.add(*std::move(instance), parts_.clock.now(), true)) ++taken;
    }
  }
  return taken;
}

std::vector<InstancePtr> Api::all() {
  std::vector<InstancePtr> instances;
  std::scoped_lock lock(mutex_);
  for (const auto& [app, of_app] : registry_.applications())
    for (const auto& [id, instance] : of_app) instances.push_back(instance);
  return instances;
}

InstancePtr Api::find(std::string_view app, std::string_view id) {
  std::scoped_lock lock(mutex_);
  return registry_.find(app, id);
}

uint64_t Api::version() {
  std::scoped_lock lock(mutex_);
  return registry_.version();
}

}  // namespace micropay::discovery
