// Registrations in XML and JSON: anything is read or refused; what was read as an instance is written in
// either form as text that reads the same.
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/eureka/instance.h"
#include "libs/remote/registry_copy.h"
#include "services/discovery/rules/replica.h"

namespace micropay::fuzz {
namespace {

using eureka::Node;

std::string written(const eureka::Instance& instance, bool json) {
  Node root{.kind = Node::Kind::kObject};
  write_instance(instance, root.object("instance"));
  return json ? write_json(root) : write_xml(root);
}

void run(std::string_view bytes) {
  (void)discovery::read_replicas(bytes);
  (void)discovery::read_replica_answers(bytes);
  RegistryCopy copy;
  (void)copy.take_all(bytes, 0, 0);
  (void)copy.take_delta(bytes);
  const auto root = bytes.starts_with('<') ? eureka::read_xml(bytes) : eureka::read_json(bytes);
  const Node* node = root ? root->child("instance") : nullptr;
  if (node == nullptr) return;
  const auto instance = instance_from(*node);
  if (!instance) return;
  const std::string json = written(*instance, true);
  const auto from_json = eureka::read_json(json);
  CHECK(from_json && written(*instance_from(*from_json->child("instance")), true) == json);
  // XML has no way to write every key and every character: but what it writes is XML, of an instance.
  const auto from_xml = eureka::read_xml(written(*instance, false));
  CHECK(from_xml && instance_from(*from_xml->child("instance")));
}

const Register kRegistered("eureka", run);

}  // namespace
}  // namespace micropay::fuzz
