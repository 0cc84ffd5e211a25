// yaml-cpp throws; here it ends.
#include "services/config/rules/yaml_file.h"

#include <yaml-cpp/yaml.h>

#include <unordered_set>

namespace micropay::config {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxValues = 20'000;

// An alias may lead back to where it stands, or unfold to billions of values: depth and count cut both.
class Flattener {
 public:
  explicit Flattener(Document& document) : document_(document) {}

  void add(const YAML::Node& node, const std::string& key, size_t depth) {
    if (depth > kMaxDepth || ++nodes_ > kMaxValues)
      throw YAML::Exception(node.Mark(), "more or deeper than settings are");
    if (node.IsMap()) return add_map(node, key, depth);
    if (node.IsSequence()) return add_list(node, key, depth);
    PropertyValue value;
    // The tag of a plain scalar is "?", of a quoted one "!".
    if (node.IsScalar())
      value = node.Tag() == "?" ? typed_scalar(node.Scalar()) : PropertyValue{.text = node.Scalar()};
    put(key, std::move(value), node);
  }

 private:
  void add_map(const YAML::Node& node, const std::string& key, size_t depth) {
    for (const auto& entry : node) {
      if (entry.first.IsScalar() && entry.first.Scalar() == "<<") continue;
      if (!entry.first.IsScalar()) throw YAML::Exception(entry.first.Mark(), "a key must be a scalar");
      const std::string& name = entry.first.Scalar();
      add(entry.second,
          key.empty()             ? name
          : name.starts_with('[') ? key + name
                                  : key + "." + name,
          depth + 1);
    }
    if (const YAML::Node base = node["<<"]) merge(base, key, depth);
  }

  // What is merged in is weaker than what stands there: its keys come second and are dropped when known.
  void merge(const YAML::Node& base, const std::string& key, size_t depth) {
    const bool outer = std::exchange(merging_, true);
    if (base.IsSequence()) {
      for (const auto& one : base) add_map(one, key, depth + 1);
    } else {
      add(base, key, depth + 1);
    }
    merging_ = outer;
  }

  void add_list(const YAML::Node& node, const std::string& key, size_t depth) {
    size_t index = 0;
    for (const auto& item : node) add(item, fmt::format("{}[{}]", key, index++), depth + 1);
    if (index == 0) put(key, {}, node);
  }

  void put(const std::string& key, PropertyValue value, const YAML::Node& node) {
    if (seen_.insert(key).second) return void(document_.properties.push_back({key, std::move(value)}));
    if (!merging_) throw YAML::Exception(node.Mark(), key + " is given a second time");
  }

  Document& document_;
  std::unordered_set<std::string> seen_;
  size_t nodes_ = 0;
  bool merging_ = false;
};

}  // namespace

Result<std::vector<Document>> read_yaml(std::string_view path, std::string_view content) {
  std::vector<Document> documents;
  try {
    for (const YAML::Node& root : YAML::LoadAll(std::string(content))) {
      if (root.IsNull()) continue;
      if (!root.IsMap()) throw YAML::Exception(root.Mark(), "expected a map of settings at the top");
      Flattener(documents.emplace_back()).add(root, "", 0);
    }
  } catch (const YAML::Exception& error) {
    return fail(Code::kInternal, "settings_malformed",
                fmt::format("{}:{}: {}", path, error.mark.line + 1, error.msg));
  }
  return documents;
}

}  // namespace micropay::config
