// Query strings and percent-encoding: what was read, written again, reads as the same.
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/http/message.h"

namespace micropay::fuzz {
namespace {

void run(std::string_view bytes) {
  if (auto text = percent_decode(bytes, false)) {
    CHECK(is_utf8(*text));
    CHECK(percent_decode(percent_encode(*text), false) == *text);
    CHECK(percent_decode(percent_encode(*text), true) == *text);
  }
  if (is_utf8(bytes)) CHECK(percent_decode(percent_encode(bytes), true) == std::string(bytes));
  (void)has_token(bytes, "close");
  auto pairs = parse_query(bytes);
  if (!pairs) return;
  std::string written;
  for (const auto& [name, value] : *pairs)
    written += (written.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
  auto again = parse_query(written);
  CHECK(again && *again == *pairs);
}

const Register kRegistered("query", run);

}  // namespace
}  // namespace micropay::fuzz
