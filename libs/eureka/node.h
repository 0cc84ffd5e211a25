// A small document: what Eureka's XML and its JSON have in common. XML attributes are JSON's "@name", text
// beside attributes is JSON's "$", an element that comes several times is JSON's list. Pure values.
//
//   Node root = TRY(read_json(body));        // or read_xml
//   const Node* instance = root.child("instance");
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/error.h"

namespace micropay::eureka {

struct Node {
  enum class Kind : uint8_t { kText, kNumber, kObject, kList };

  std::string name;
  Kind kind = Kind::kText;
  std::string text;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<Node> children;  // of an object its members, of a list its items, which have the list's name

  const Node* child(std::string_view name) const;         // the first; null when there is none
  std::string_view text_of(std::string_view name) const;  // of that child; empty when there is none
  std::string_view attribute(std::string_view name) const;

  // Writing: each returns the child that was added.
  Node& object(std::string name);
  Node& list(std::string name);
  Node& item();  // of a list
  void add(std::string name, std::string_view text);
  void add(std::string name, int64_t number);
};

// Both answer a nameless object whose children are the document's: one element for XML, the members for JSON.
// Limits: 4 MiB, 100,000 nodes, 20 levels, names of 256 bytes. Error: malformed_body.
// XML is a subset: elements, attributes, text, CDATA, comments, the five entities and character references;
// no document types, no processing instructions but <?xml …?>.
Result<Node> read_xml(std::string_view text);
Result<Node> read_json(std::string_view text);

// The first child of the root is the document's element; a name that XML does not allow is escaped as XStream
// does it ("_" as "__", "$" as "_-") when the parent is `metadata`.
std::string write_xml(const Node& root);
std::string write_json(const Node& root);

constexpr size_t kMaxDocumentBytes = 4 << 20;
constexpr size_t kMaxNodes = 100'000;
constexpr size_t kMaxLevels = 20;
constexpr size_t kMaxNameBytes = 256;

}  // namespace micropay::eureka
