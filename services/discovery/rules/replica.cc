#include "services/discovery/rules/replica.h"

#include <charconv>

namespace micropay::discovery {
namespace {

constexpr std::string_view kKinds[] = {"Register", "Heartbeat", "Cancel", "StatusUpdate",
                                       "DeleteStatusOverride"};
constexpr size_t kMaxReplicas = 1'000;

std::unexpected<Error> malformed(std::string_view field) {
  return fail(Code::kInvalidArgument, "malformed_body", "The body is no batch of changes.",
              std::string(field));
}

int64_t number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<Replica> read_replica(const Node& node) {
  Replica replica;
  const std::string_view action = node.text_of("action");
  const auto* const kind = std::ranges::find(kKinds, action);
  if (kind == std::end(kKinds)) return malformed("action");
  replica.kind = Replica::Kind(kind - std::begin(kKinds));
  replica.app = upper(node.text_of("appName"));
  replica.id = node.text_of("id");
  if (!is_id(replica.app) || !is_id(replica.id)) return malformed("id");
  replica.dirty_ms = number(node.text_of("lastDirtyTimestamp"));
  replica.status = parse_status(node.text_of("status")).value_or(Status::kUnknown);
  replica.overridden = parse_status(node.text_of("overriddenStatus")).value_or(Status::kUnknown);
  if (const Node* info = node.child("instanceInfo"); info != nullptr && !info->children.empty())
    replica.instance = std::make_shared<const Instance>(TRY(instance_from(*info)));
  if (replica.kind == Replica::Kind::kRegister && !replica.instance) return malformed("instanceInfo");
  return replica;
}

}  // namespace

std::string write_replicas(const std::vector<Replica>& replicas) {
  Node root{.kind = Node::Kind::kObject};
  Node& list = root.list("replicationList");
  for (const Replica& replica : replicas) {
    Node& node = list.item();
    node.add("appName", replica.app);
    node.add("id", replica.id);
    node.add("lastDirtyTimestamp", replica.dirty_ms);
    node.add("action", kKinds[size_t(replica.kind)]);
    if (replica.kind != Replica::Kind::kCancel) node.add("status", status_text(replica.status));
    if (replica.overridden != Status::kUnknown) node.add("overriddenStatus", status_text(replica.overridden));
    if (replica.instance) write_instance(*replica.instance, node.object("instanceInfo"));
  }
  return write_json(root);
}

Result<std::vector<Replica>> read_replicas(std::string_view json) {
  const Node root = TRY(read_json(json));
  std::vector<Replica> replicas;
  for (const Node& node : root.children) {
    if (node.name != "replicationList") continue;
    if (replicas.size() == kMaxReplicas) return malformed("replicationList");
    replicas.push_back(TRY(read_replica(node)));
  }
  return replicas;
}

std::string write_replica_answers(const std::vector<ReplicaAnswer>& answers) {
  Node root{.kind = Node::Kind::kObject};
  Node& list = root.list("responseList");
  for (const ReplicaAnswer& answer : answers) {
    Node& node = list.item();
    node.add("statusCode", int64_t(answer.status));
    if (answer.newer) write_instance(*answer.newer, node.object("responseEntity"));
  }
  return write_json(root);
}

Result<std::vector<ReplicaAnswer>> read_replica_answers(std::string_view json) {
  const Node root = TRY(read_json(json));
  std::vector<ReplicaAnswer> answers;
  for (const Node& node : root.children) {
    if (node.name != "responseList") continue;
    ReplicaAnswer answer{.status = uint32_t(number(node.text_of("statusCode")))};
    if (const Node* entity = node.child("responseEntity"); entity != nullptr && !entity->children.empty())
      answer.newer = std::make_shared<const Instance>(TRY(instance_from(*entity)));
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace micropay::discovery
