#include "libs/eureka/node.h"

namespace micropay::eureka {

const Node* Node::child(std::string_view name) const {
  for (const Node& one : children)
    if (one.name == name) return &one;
  return nullptr;
}

std::string_view Node::text_of(std::string_view name) const {
  const Node* found = child(name);
  return found == nullptr ? std::string_view() : std::string_view(found->text);
}

std::string_view Node::attribute(std::string_view name) const {
  for (const auto& [key, value] : attributes)
    if (key == name) return value;
  return {};
}

Node& Node::object(std::string name) {
  return children.emplace_back(Node{.name = std::move(name), .kind = Kind::kObject});
}
Node& Node::list(std::string name) {
  return children.emplace_back(Node{.name = std::move(name), .kind = Kind::kList});
}
Node& Node::item() { return children.emplace_back(Node{.name = name, .kind = Kind::kObject}); }
void Node::add(std::string name, std::string_view text) {
  children.push_back({.name = std::move(name), .text = std::string(text)});
}
void Node::add(std::string name, int64_t number) {
  children.push_back({.name = std::move(name), .kind = Kind::kNumber, .text = std::to_string(number)});
}

}  // namespace micropay::eureka
