// What both forms share: types of scalars, and the key that says which profiles a document is for.
#include "services/config/rules/document.h"

#include <algorithm>

#include "libs/http/message.h"
#include "services/config/rules/properties_file.h"
#include "services/config/rules/yaml_file.h"

namespace micropay::config {
namespace {

size_t digits(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  return end - at;
}

constexpr size_t kMaxNumber = 18;  // what is longer does not fit every reader's numbers: it stays text

// RFC 8259 §6.
bool is_json_number(std::string_view text) {
  if (text.size() > kMaxNumber) return false;
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t whole = digits(text, at);
  if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const size_t part = digits(text, at + 1);
    if (part == 0) return false;
    at += 1 + part;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent = digits(text, at);
    if (exponent == 0 || exponent > 2) return false;
    at += exponent;
  }
  return at == text.size();
}

constexpr std::string_view kOnProfile[] = {"spring.config.activate.on-profile", "spring.profiles"};

// The profiles of the document, from its own keys, which are not settings. A list means any of them.
void take_profiles(Document& document) {
  std::string expression;
  std::erase_if(document.properties, [&](const Property& property) {
    const std::string_view list = list_of(property.key);
    const std::string_view key = list.empty() ? std::string_view(property.key) : list;
    if (std::ranges::count(kOnProfile, key) == 0) return false;
    expression += (expression.empty() ? "" : ",") + property.value.text;
    return true;
  });
  document.on_profile = std::move(expression);
}

}  // namespace

PropertyValue typed_scalar(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return {PropertyValue::Kind::kBool, "true"};
  if (text == "false" || text == "False" || text == "FALSE") return {PropertyValue::Kind::kBool, "false"};
  if (is_json_number(text)) return {PropertyValue::Kind::kNumber, std::string(text)};
  return {PropertyValue::Kind::kText, std::string(text)};
}

Result<std::vector<Document>> read_documents(std::string_view path, std::string_view content) {
  if (content.size() > kMaxFileBytes)
    return fail(Code::kInternal, "settings_malformed",
                fmt::format("{}: larger than {} bytes", path, kMaxFileBytes));
  if (!is_utf8(content))
    return fail(Code::kInternal, "settings_malformed", fmt::format("{}: not UTF-8", path));
  auto documents =
      TRY(path.ends_with(".properties") ? read_properties(path, content) : read_yaml(path, content));
  for (Document& document : documents) take_profiles(document);
  return documents;
}

}  // namespace micropay::config
