// XML, the part of it that registries speak. Anything else is refused rather than guessed.
#include <algorithm>
#include <charconv>
#include <optional>

#include "libs/eureka/node.h"
#include "libs/http/message.h"

namespace micropay::eureka {
namespace {

bool space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool name_start(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || c >= 0x80;
}
bool name_char(unsigned char c) { return name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += char(code);
  } else if (code < 0x800) {
    out += char(0xC0 | code >> 6), out += char(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += char(0xE0 | code >> 12), out += char(0x80 | (code >> 6 & 0x3F)), out += char(0x80 | (code & 0x3F));
  } else {
    out += char(0xF0 | code >> 18), out += char(0x80 | (code >> 12 & 0x3F));
    out += char(0x80 | (code >> 6 & 0x3F)), out += char(0x80 | (code & 0x3F));
  }
}

// XML 1.0 §2.2.
bool is_character(uint32_t code) {
  return code == 0x9 || code == 0xA || code == 0xD || (code >= 0x20 && code <= 0xD7FF) ||
         (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::optional<Node> document() {
    Node root{.kind = Node::Kind::kObject};
    take("\xEF\xBB\xBF");
    if (take("<?xml") && !skip_past("?>")) return {};
    if (!skip_between()) return {};
    if (!text_.starts_with('<') || !element(root, 0)) return {};
    if (!skip_between() || !text_.empty()) return {};
    return root;
  }

 private:
  bool take(std::string_view what) {
    if (!text_.starts_with(what)) return false;
    text_.remove_prefix(what.size());
    return true;
  }
  void skip_space() {
    while (!text_.empty() && space(text_.front())) text_.remove_prefix(1);
  }
  bool skip_past(std::string_view what) {
    const size_t at = text_.find(what);
    if (at == text_.npos) return false;
    text_.remove_prefix(at + what.size());
    return true;
  }
  // Blanks and comments around the element.
  bool skip_between() {
    for (skip_space(); take("<!--"); skip_space())
      if (!skip_past("-->")) return false;
    return true;
  }

  bool name(std::string& out) {
    size_t end = 0;
    while (end < text_.size() && name_char(static_cast<unsigned char>(text_[end]))) ++end;
    if (end == 0 || end > kMaxNameBytes || !name_start(static_cast<unsigned char>(text_.front())))
      return false;
    out = text_.substr(0, end);
    text_.remove_prefix(end);
    return true;
  }

  // From behind the '&' to the ';'.
  bool reference(std::string& out) {
    static constexpr std::pair<std::string_view, char> kNamed[] = {
        {"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
    for (const auto& [named, character] : kNamed) {
      if (!take(named)) continue;
      out += character;
      return true;
    }
    if (!take("#")) return false;
    const int base = take("x") ? 16 : 10;
    uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(text_.data(), text_.data() + std::min<size_t>(text_.size(), 8), code, base);
    text_.remove_prefix(size_t(end - text_.data()));
    if (error != std::errc() || !is_character(code) || !take(";")) return false;
    append_utf8(out, code);
    return true;
  }

  // Characters and references up to `end`, which stays.
  bool characters(std::string& out, char end) {
    while (!text_.empty() && text_.front() != end) {
      const auto c = static_cast<unsigned char>(text_.front());
      if (c == '<' || (c < 0x20 && !space(char(c)))) return false;
      text_.remove_prefix(1);
      if (c != '&') out += char(c);
      else if (!reference(out)) return false;
    }
    return !text_.empty();
  }

  bool attributes(Node& node) {
    while (true) {
      skip_space();
      if (text_.empty()) return false;
      if (text_.front() == '>' || text_.front() == '/') return true;
      std::string key, value;
      if (!name(key) || !node.attribute(key).empty() || node.attributes.size() == 16) return false;
      skip_space();
      if (!take("=")) return false;
      skip_space();
      const char quote = text_.empty() ? '\0' : text_.front();
      if (quote != '"' && quote != '\'') return false;
      text_.remove_prefix(1);
      if (!characters(value, quote)) return false;
      text_.remove_prefix(1);
      node.attributes.emplace_back(std::move(key), std::move(value));
    }
  }

  // At a '<' that begins an element.
  bool element(Node& parent, size_t level) {
    if (level == kMaxLevels || ++nodes_ > kMaxNodes) return false;
    text_.remove_prefix(1);
    Node node;
    if (!name(node.name) || !attributes(node)) return false;
    if (!take("/>") && !(take(">") && content(node, level))) return false;
    if (!node.children.empty()) {  // blanks between elements are no text
      if (std::ranges::any_of(node.text, [](char c) { return !space(c); })) return false;
      node.text.clear();
      node.kind = Node::Kind::kObject;
    }
    parent.children.push_back(std::move(node));
    return true;
  }

  bool content(Node& node, size_t level) {
    while (true) {
      if (!characters(node.text, '<')) return false;
      if (take("</")) {
        std::string closed;
        if (!name(closed) || closed != node.name) return false;
        skip_space();
        return take(">");
      }
      if (take("<!--")) {
        if (!skip_past("-->")) return false;
      } else if (take("<![CDATA[")) {
        const size_t end = text_.find("]]>");
        if (end == text_.npos) return false;
        node.text += text_.substr(0, end);
        text_.remove_prefix(end + 3);
      } else if (!element(node, level + 1)) {
        return false;
      }
    }
  }

  std::string_view text_;
  size_t nodes_ = 0;
};

// XStream's escapes in the names of metadata, back: "__" is "_", "_-" is "$".
void unescape_name(std::string& name) {
  std::string plain;
  for (size_t i = 0; i < name.size(); ++i) {
    const char next = i + 1 < name.size() ? name[i + 1] : '\0';
    plain += name[i] == '_' && next == '-' ? '$' : name[i];
    if (name[i] == '_' && (next == '-' || next == '_')) ++i;
  }
  name = std::move(plain);
}

void unescape_metadata(Node& node) {
  for (Node& child : node.children) {
    if (node.name == "metadata") unescape_name(child.name);
    unescape_metadata(child);
  }
}

void append_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20 && !space(c)) out += ' ';  // XML has no way to say it
    else out += c;
  }
}

// A name that XML has no way to say (metadata's keys are anybody's) becomes one that it has.
std::string escaped_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '_') out += "__";
    else if (c == '$') out += "_-";
    else out += name_char(static_cast<unsigned char>(c)) && c != ':' ? c : '.';
  }
  if (out.empty() || !name_start(static_cast<unsigned char>(out.front()))) out.insert(0, "__");
  return out;
}

void append_element(std::string& out, const Node& node, bool in_metadata) {
  if (node.kind == Node::Kind::kList) {
    for (const Node& item : node.children) append_element(out, item, false);
    return;
  }
  const std::string name = in_metadata ? escaped_name(node.name) : node.name;
  (out += '<') += name;
  for (const auto& [key, value] : node.attributes) {
    (out += ' ') += key;
    out += "=\"";
    append_text(out, value);
    out += '"';
  }
  if (node.text.empty() && node.children.empty()) {
    out += "/>";
    return;
  }
  out += '>';
  append_text(out, node.text);
  for (const Node& child : node.children) append_element(out, child, node.name == "metadata");
  ((out += "</") += name) += '>';
}

}  // namespace

Result<Node> read_xml(std::string_view text) {
  auto root = text.size() <= kMaxDocumentBytes && is_utf8(text) ? Reader(text).document() : std::nullopt;
  if (!root)
    return fail(Code::kInvalidArgument, "malformed_body", "The body is no XML that is understood here.");
  unescape_metadata(*root);
  return *std::move(root);
}

std::string write_xml(const Node& root) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
  append_element(out, root.children.at(0), false);
  return out;
}

}  // namespace micropay::eureka
