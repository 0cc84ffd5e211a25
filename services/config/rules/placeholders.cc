#include "services/config/rules/placeholders.h"

namespace micropay::config {
namespace {

constexpr size_t kMaxDepth = 8;  // of values that refer to values; a circle ends here
constexpr size_t kMaxBytes = 1 << 20;
constexpr size_t kMaxSteps = 10'000;

// The index of the brace that closes the one before `at`; npos when none does.
size_t closing(std::string_view text, size_t at) {
  size_t open = 1;
  for (; at < text.size(); ++at) {
    if (text.substr(at).starts_with("${")) ++open, ++at;
    else if (text[at] == '}' && --open == 0) return at;
  }
  return text.npos;
}

}  // namespace

struct Placeholders::Work {
  std::string out;
  size_t steps = 0;
  bool spent() const { return out.size() > kMaxBytes || steps > kMaxSteps; }
};

Placeholders::Placeholders(const std::vector<Property>& properties) {
  for (const Property& property : properties) values_.emplace(property.key, property.value.text);
}

std::string Placeholders::resolve(std::string_view text) const {
  if (text.find("${") == text.npos) return std::string(text);
  Work work;
  append(work, text, 0);
  return work.spent() ? std::string(text) : std::move(work.out);
}

void Placeholders::append(Work& work, std::string_view text, size_t depth) const {
  ++work.steps;
  while (!text.empty() && !work.spent()) {
    const size_t at = text.find("${");
    if (at == text.npos) break;
    if (at > 0 && text[at - 1] == '\\') {
      work.out.append(text.substr(0, at - 1)).append("${");
      text.remove_prefix(at + 2);
      continue;
    }
    const size_t end = closing(text, at + 2);
    if (end == text.npos) break;
    work.out.append(text.substr(0, at));
    const std::string_view inside = text.substr(at + 2, end - at - 2);
    if (!append_value(work, inside, depth)) work.out.append(text.substr(at, end + 1 - at));
    text.remove_prefix(end + 1);
  }
  work.out.append(text);
}

// False: there is neither a value nor another to take.
bool Placeholders::append_value(Work& work, std::string_view inside, size_t depth) const {
  if (depth == kMaxDepth) return false;
  if (const auto found = values_.find(inside); found != values_.end()) {
    append(work, found->second, depth + 1);
    return true;
  }
  const size_t colon = inside.find(':');
  if (colon == inside.npos) return false;
  const auto found = values_.find(inside.substr(0, colon));
  append(work, found == values_.end() ? inside.substr(colon + 1) : found->second, depth + 1);
  return true;
}

}  // namespace micropay::config
