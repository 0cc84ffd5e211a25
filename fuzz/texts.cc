// The small texts of the API: times, durations, amounts, ids, addresses, entity tags, what a client accepts,
// formats. What reads is written as
// text that reads as the same value.
#include "fuzz/target.h"
#include "libs/base/base64url.h"
#include "libs/base/check.h"
#include "libs/base/host_port.h"
#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/base/time.h"
#include "libs/contract/etag.h"
#include "libs/contract/formats.h"
#include "libs/http/accept.h"
#include "services/gateway/entity_tags.h"

namespace micropay::fuzz {
namespace {

void run(std::string_view text) {
  if (auto time = parse_time(text)) {
    CHECK(parse_time(format_time(*time)) == time);
    CHECK(start_of_month(*time) <= start_of_day(*time) && start_of_day(*time) <= *time);
  }
  if (auto duration = parse_duration(text)) CHECK(parse_duration(format_duration(*duration)) == duration);
  for (int exponent = 0; exponent <= 4; ++exponent) {
    auto minor = parse_minor(text, exponent);
    if (!minor) continue;
    std::string written;
    append_minor(written, *minor, exponent);
    CHECK(parse_minor(written, exponent) == minor);
  }
  if (auto uuid = parse_uuid(text)) CHECK(parse_uuid(format_uuid(*uuid)) == uuid);
  if (auto etag = contract::parse_etag(text))
    CHECK(contract::parse_etag(contract::format_etag(*etag)) == etag);
  if (auto address = parse_host_port(text)) {
    const bool v6 = address->host.find(':') != address->host.npos;
    const auto again =
        parse_host_port(fmt::format("{}{}{}:{}", v6 ? "[" : "", address->host, v6 ? "]" : "", address->port));
    CHECK(again && again->host == address->host && again->port == address->port);
  }
  if (auto bytes = from_base64url(text)) CHECK(to_base64url(*bytes) == text);
  for (const char* type : {"application/json", "text/html"}) CHECK(media_weight(text, type) <= 1000);
  CHECK(coding_weight(text, "gzip") <= 1000);
  const std::string tag = contract::format_etag(1);
  CHECK(!gateway::none_match_names(text, tag) || text.find('*') != text.npos || text.find(tag) != text.npos);
  CHECK(!gateway::if_match_names(text, 1) || gateway::none_match_names_version(text, 1));
  if (contract::is_email(text)) CHECK(text.find('@') != text.npos && text.size() <= 254);
  if (contract::is_date(text)) CHECK(parse_time(text).has_value());
  (void)contract::is_url(text);
  (void)contract::is_language(text);
}

const Register kRegistered("texts", run);

}  // namespace
}  // namespace micropay::fuzz
