#include "libs/http/accept.h"

#include <algorithm>

#include "libs/http/message.h"

namespace micropay {
namespace {

constexpr uint32_t kWhole = 1000;

// Up to the next `end` outside quotes; takes it away, without blanks around it.
std::string_view take(std::string_view& text, char end) {
  size_t at = 0;
  for (bool quoted = false; at < text.size() && (quoted || text[at] != end); ++at) {
    if (text[at] == '"') quoted = !quoted;
    else if (quoted && text[at] == '\\' && at + 1 < text.size()) ++at;
  }
  std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!part.empty() && blank(part.front())) part.remove_prefix(1);
  while (!part.empty() && blank(part.back())) part.remove_suffix(1);
  return part;
}

// "0.75", "1", ".5"; a weight that is none counts as the whole.
uint32_t weight_of(std::string_view text) {
  uint32_t value = 0, unit = kWhole;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return kWhole;
    if (point) value += (unit /= 10) * uint32_t(c - '0');
    else value = std::min(value * 10 + uint32_t(c - '0') * kWhole, kWhole);
  }
  return text.empty() ? kWhole : std::min(value, kWhole);
}

struct Preference {
  std::string_view what;
  uint32_t weight = kWhole;
};

Preference take_preference(std::string_view& list) {
  std::string_view item = take(list, ',');
  Preference preference{.what = take(item, ';')};
  while (!item.empty()) {
    std::string_view parameter = take(item, ';');
    const std::string_view name = take(parameter, '=');
    if (equals_ignoring_case(name, "q")) preference.weight = weight_of(parameter);
  }
  return preference;
}

// 0: another type; the more specific, the more.
int fit(std::string_view range, std::string_view type) {
  if (range == "*/*" || range == "*") return 1;  // "*" is what old clients send
  if (equals_ignoring_case(range, type)) return 3;
  const std::string_view kind = type.substr(0, type.find('/') + 1);
  return range.size() == kind.size() + 1 && range.ends_with("/*") &&
                 equals_ignoring_case(range.substr(0, kind.size()), kind)
             ? 2
             : 0;
}

}  // namespace

uint32_t media_weight(std::string_view accept, std::string_view type) {
  if (accept.find_first_not_of(" \t,") == accept.npos) return kWhole;
  int best = 0;
  uint32_t weight = 0;
  while (!accept.empty()) {
    const Preference each = take_preference(accept);
    const int fits = fit(each.what, type);
    if (fits == 0 || fits < best) continue;
    weight = fits > best ? each.weight : std::max(weight, each.weight);
    best = fits;
  }
  return weight;
}

uint32_t coding_weight(std::string_view accept_encoding, std::string_view coding) {
  uint32_t any = 0;
  while (!accept_encoding.empty()) {
    const Preference each = take_preference(accept_encoding);
    if (equals_ignoring_case(each.what, coding)) return each.weight;
    if (each.what == "*") any = each.weight;
  }
  return any;
}

}  // namespace micropay
