// JSON in the way of XStream and of Eureka's own codecs: "@name" is an attribute, "$" the text beside them.
#include <simdjson.h>

#include "libs/contract/json.h"
#include "libs/eureka/node.h"

namespace micropay::eureka {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// What simdjson has checked, as nodes.
class Builder {
 public:
  bool add(Node& parent, std::string_view name, element value, size_t level) {
    if (level == kMaxLevels || ++nodes_ > kMaxNodes || name.size() > kMaxNameBytes) return false;
    if (value.is_array()) {
      for (const element item : simdjson::dom::array(value))
        if (!add(parent, name, item, level + 1)) return false;
      return true;
    }
    if (value.is_object()) {
      Node& node = parent.object(std::string(name));
      return fill(node, value, level);
    }
    if (!value.is_null()) parent.add(std::string(name), scalar(value));
    return true;
  }

  bool fill(Node& node, element value, size_t level) {
    for (const auto [key, member] : simdjson::dom::object(value)) {
      if (key.starts_with('@')) {
        if (node.attributes.size() == 16 || member.is_object() || member.is_array()) return false;
        node.attributes.emplace_back(key.substr(1), scalar(member));
      } else if (key == "$") {
        node.text = scalar(member);
      } else if (!add(node, key, member, level + 1)) {
        return false;
      }
    }
    return true;
  }

 private:
  static std::string scalar(element value) {
    switch (value.type()) {
      case element_type::STRING: return std::string(std::string_view(value));
      case element_type::BOOL: return bool(value) ? "true" : "false";
      case element_type::INT64: return std::to_string(int64_t(value));
      case element_type::UINT64: return std::to_string(uint64_t(value));
      case element_type::DOUBLE: return simdjson::minify(value);
      default: return {};
    }
  }

  size_t nodes_ = 0;
};

void append_value(std::string& out, const Node& node);

void append_members(std::string& out, const Node& node) {
  const auto key = [&](std::string_view mark, std::string_view name) {
    if (out.back() != '{') out += ',';
    contract::append_json_string(out, std::string(mark) + std::string(name));
    out += ':';
  };
  for (const auto& [name, value] : node.attributes) {
    key("@", name);
    contract::append_json_string(out, value);
  }
  if (node.kind != Node::Kind::kObject) {
    key("", "$");
    if (node.kind == Node::Kind::kNumber) out += node.text;
    else contract::append_json_string(out, node.text);
  }
  for (const Node& child : node.children) {
    key("", child.name);
    append_value(out, child);
  }
}

void append_value(std::string& out, const Node& node) {
  if (node.kind == Node::Kind::kList) {
    out += '[';
    for (const Node& item : node.children) {
      if (out.back() != '[') out += ',';
      append_value(out, item);
    }
    out += ']';
  } else if (node.kind == Node::Kind::kObject || !node.attributes.empty()) {
    out += '{';
    append_members(out, node);
    out += '}';
  } else if (node.kind == Node::Kind::kNumber) {
    out += node.text;
  } else {
    contract::append_json_string(out, node.text);
  }
}

}  // namespace

Result<Node> read_json(std::string_view text) {
  const auto malformed = [] {
    return fail(Code::kInvalidArgument, "malformed_body",
                "The body is no JSON object that is understood here.");
  };
  thread_local simdjson::dom::parser parser(kMaxDocumentBytes);
  element value;
  Node root{.kind = Node::Kind::kObject};
  if (text.size() > kMaxDocumentBytes ||
      parser.parse(text.data(), text.size()).get(value) != simdjson::SUCCESS)
    return malformed();
  if (!value.is_object() || !Builder().fill(root, value, 0)) return malformed();
  return root;
}

std::string write_json(const Node& root) {
  std::string out;
  append_value(out, root);
  return out;
}

}  // namespace micropay::eureka
