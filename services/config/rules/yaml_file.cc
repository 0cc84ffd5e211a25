// yaml-cpp throws; here it ends.
#include "services/config/rules/yaml_file.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <unordered_set>

#include "libs/http/message.h"

namespace micropay::config {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxKeyBytes = 1'000;
constexpr size_t kMaxValues = 20'000;
constexpr size_t kMaxDocuments = 200;

// An alias may lead back to where it stands, or unfold to billions of values: depth and count cut both.
class Flattener {
 public:
  explicit Flattener(Document& document) : document_(document) {}

  void add(const YAML::Node& node, const std::string& key, size_t depth) {
    if (depth > kMaxDepth || ++nodes_ > kMaxValues)
      throw YAML::Exception(node.Mark(), "more or deeper than settings are");
    // A long key with many below it would be as many copies of it.
    if (key.size() > kMaxKeyBytes) throw YAML::Exception(node.Mark(), "a longer key than settings have");
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
      for (const auto& one : base) add_base(one, key, depth + 1);
    } else {
      add_base(base, key, depth + 1);
    }
    merging_ = outer;
  }

  // An anchor may hold an alias to itself: add() counts, and ends that.
  void add_base(const YAML::Node& base, const std::string& key, size_t depth) {
    if (!base.IsMap()) throw YAML::Exception(base.Mark(), "only a map can be merged in");
    add(base, key, depth);
  }

  void add_list(const YAML::Node& node, const std::string& key, size_t depth) {
    size_t index = 0;
    for (const auto& item : node) add(item, fmt::format("{}[{}]", key, index++), depth + 1);
    if (index == 0) put(key, {}, node);
  }

  void put(const std::string& key, PropertyValue value, const YAML::Node& node) {
    // yaml-cpp makes single bytes of the escapes \_ and \N.
    if (!is_utf8(value.text) || !is_utf8(key))
      throw YAML::Exception(node.Mark(), "an escape that is not understood");
    if (seen_.insert(key).second) return void(document_.properties.push_back({key, std::move(value)}));
    if (!merging_) throw YAML::Exception(node.Mark(), key + " is given a second time");
  }

  Document& document_;
  std::unordered_set<std::string> seen_;
  size_t nodes_ = 0;
  bool merging_ = false;
};

// Hears of everything and keeps nothing.
class Deaf final : public YAML::EventHandler {
  using Mark = YAML::Mark;
  using Anchor = YAML::anchor_t;
  using Text = std::string;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, Anchor) override {}
  void OnAlias(const Mark&, Anchor) override {}
  void OnScalar(const Mark&, const Text&, Anchor, const Text&) override {}
  void OnSequenceStart(const Mark&, const Text&, Anchor, Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const Text&, Anchor, Style) override {}
  void OnMapEnd() override {}
};

// YAML::Load reads the first document and passes over what follows; YAML::LoadAll makes endlessly many of
// text such as ",a". So each is taken for itself, and has to be all that there is.
YAML::Node load_one(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Deaf deaf;
  if (parser.HandleNextDocument(deaf) && parser.HandleNextDocument(deaf))
    throw YAML::Exception(YAML::Mark(), "text behind the end of a document");
  return YAML::Load(text);
}

// Where a line "---" begins a document; the line belongs to what it begins.
size_t next_document(std::string_view text) {
  for (size_t at = 0; (at = text.find("\n---", at)) != text.npos; ++at)
    if (at + 4 == text.size() || text[at + 4] == '\n' || text[at + 4] == '\r' || text[at + 4] == ' ')
      return at + 1;
  return text.size();
}

}  // namespace

Result<std::vector<Document>> read_yaml(std::string_view path, std::string_view content) {
  std::vector<Document> documents;
  size_t lines = 1;  // before the present document, which counts its own from 0
  try {
    while (!content.empty()) {
      const std::string_view text = content.substr(0, next_document(content));
      const YAML::Node root = load_one(std::string(text));
      if (!root.IsNull() && !root.IsMap())
        throw YAML::Exception(root.Mark(), "expected a map of settings at the top");
      if (documents.size() == kMaxDocuments)
        throw YAML::Exception(root.Mark(), "more documents than settings have");
      if (root.IsMap()) Flattener(documents.emplace_back()).add(root, "", 0);
      lines += size_t(std::ranges::count(text, '\n'));
      content.remove_prefix(text.size());
    }
  } catch (const YAML::Exception& error) {
    return fail(Code::kInternal, "settings_malformed",
                fmt::format("{}:{}: {}", path, lines + size_t(std::max(error.mark.line, 0)), error.msg));
  }
  return documents;
}

}  // namespace micropay::config
