// By the rules of java.util.Properties.load: logical lines, escapes, three kinds of separator.
#include "services/config/rules/properties_file.h"

#include <algorithm>
#include <charconv>

namespace micropay::config {
namespace {

constexpr size_t kMaxValues = 20'000;

bool blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

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

class Reader {
 public:
  Reader(std::string_view path, std::string_view text) : path_(path), text_(text) {}

  Result<std::vector<Document>> read() {
    std::vector<Document> documents(1);
    size_t values = 0;
    while (next_line()) {
      if (line_.front() == '#' || line_.front() == '!') {
        if (line_.substr(1) == "---") documents.emplace_back();
        continue;
      }
      join_continued();
      Property property;
      size_t at = 0;
      TRY(take_key(property.key, at));
      TRY(unescape(std::string_view(logical_).substr(at), property.value.text));
      auto& all = documents.back().properties;
      if (++values > kMaxValues) return malformed("more values than settings have");
      std::erase_if(all,
                    [&](const Property& earlier) { return earlier.key == property.key; });  // the last wins
      all.push_back(std::move(property));
    }
    std::erase_if(documents, [](const Document& document) { return document.properties.empty(); });
    return documents;
  }

 private:
  std::unexpected<Error> malformed(std::string_view what) const {
    return fail(Code::kInternal, "settings_malformed", fmt::format("{}:{}: {}", path_, number_, what));
  }

  // The next natural line that is not blank, without blanks before it.
  bool next_line() {
    while (!text_.empty()) {
      take_natural();
      if (!line_.empty()) return true;
    }
    return false;
  }
  void take_natural() {
    const size_t end = std::min(text_.find_first_of("\r\n"), text_.size());
    line_ = text_.substr(0, end);
    text_.remove_prefix(text_.substr(end).starts_with("\r\n") ? end + 2 : std::min(end + 1, text_.size()));
    ++number_;
    while (!line_.empty() && blank(line_.front())) line_.remove_prefix(1);
  }
  static bool continued(std::string_view line) {
    const size_t last = line.find_last_not_of('\\');
    return (line.size() - (last == line.npos ? 0 : last + 1)) % 2 == 1;
  }
  void join_continued() {
    logical_ = line_;
    while (continued(logical_)) {
      logical_.pop_back();
      if (text_.empty()) break;
      take_natural();
      logical_ += line_;
    }
  }

  Result<void> take_key(std::string& key, size_t& at) const {
    const std::string_view line = logical_;
    while (at < line.size() && line[at] != '=' && line[at] != ':' && !blank(line[at]))
      at += line[at] == '\\' ? 2 : 1;
    at = std::min(at, line.size());
    TRY(unescape(line.substr(0, at), key));
    const auto skip_blanks = [&] {
      while (at < line.size() && blank(line[at])) ++at;
    };
    skip_blanks();
    if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
    skip_blanks();
    return {};
  }

  Result<void> unescape(std::string_view text, std::string& out) const {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      if (c == 'u') {
        TRY(unicode(text, i, out));
      } else {
        out += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
      }
    }
    return {};
  }

  // From the u of an escape to its last digit; a pair of surrogates is one character.
  Result<void> unicode(std::string_view text, size_t& at, std::string& out) const {
    uint32_t code = 0;
    if (!hex4(text, at + 1, code)) return malformed("\\u needs four hexadecimal digits");
    at += 4;
    uint32_t low = 0;
    if (code >= 0xD800 && code < 0xDC00 && text.substr(at + 1).starts_with("\\u") &&
        hex4(text, at + 3, low) && low >= 0xDC00 && low < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      at += 6;
    }
    if (code >= 0xD800 && code < 0xE000) return malformed("half of a surrogate pair");
    append_utf8(out, code);
    return {};
  }
  static bool hex4(std::string_view text, size_t at, uint32_t& code) {
    if (at + 4 > text.size()) return false;
    const char* end = text.data() + at + 4;
    return std::from_chars(text.data() + at, end, code, 16).ptr == end;
  }

  std::string_view path_;
  std::string_view text_;
  std::string_view line_;
  std::string logical_;
  size_t number_ = 0;
};

void append_escaped(std::string& out, std::string_view text, bool key) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool syntax = c == '\\' || (key && (c == '=' || c == ':' || c == ' ')) ||
                        (i == 0 && (c == ' ' || (key && (c == '#' || c == '!'))));
    if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else if (c == '\t') out += "\\t";
    else if (c == '\f') out += "\\f";
    else if (syntax) (out += '\\') += c;
    else out += c;
  }
}

}  // namespace

Result<std::vector<Document>> read_properties(std::string_view path, std::string_view content) {
  return Reader(path, content).read();
}

std::string write_properties(const std::vector<Property>& properties) {
  std::string out;
  for (const Property& property : properties) {
    append_escaped(out, property.key, true);
    out += ": ";
    append_escaped(out, property.value.text, false);
    out += '\n';
  }
  return out;
}

}  // namespace micropay::config
