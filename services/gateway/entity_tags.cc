#include "services/gateway/entity_tags.h"

#include <algorithm>

#include "libs/contract/etag.h"

namespace micropay::gateway {
namespace {

// The next of a list, W/ included; empty: no more.
std::string_view take_tag(std::string_view& list) {
  list.remove_prefix(std::min(list.find_first_not_of(" \t,"), list.size()));
  const size_t open = list.starts_with("W/") ? 2 : 0;
  const size_t close = open < list.size() && list[open] == '"' ? list.find('"', open + 1) : list.find(',');
  const size_t size = close == list.npos ? list.size() : std::min(close + 1, list.size());
  const std::string_view tag = list.substr(0, size);
  list.remove_prefix(size);
  return tag;
}

std::string_view opaque(std::string_view tag) {
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  return tag;
}

}  // namespace

bool none_match_names(std::string_view if_none_match, std::string_view etag) {
  if (if_none_match == "*") return true;
  while (!if_none_match.empty())
    if (opaque(take_tag(if_none_match)) == opaque(etag)) return true;
  return false;
}

bool none_match_names_version(std::string_view if_none_match, uint64_t digest) {
  return none_match_names(if_none_match, contract::format_etag(digest)) ||
         none_match_names(if_none_match, contract::format_etag(digest, true));
}

bool if_match_names(std::string_view if_match, uint64_t digest) {
  if (if_match == "*") return true;
  while (!if_match.empty())
    if (contract::parse_etag(take_tag(if_match)) == digest) return true;
  return false;
}

}  // namespace micropay::gateway
