// The HTTP edge: bytes of a connection as one request, in one piece and in two, which must mean the same;
// then what the gateway does before a handler: route, path, query string, body, headers.
#include "libs/contract/etag.h"
#include "libs/http/request_parser.h"

#include "fuzz/target.h"
#include "libs/base/check.h"
#include "services/gateway/request_reader.h"

namespace micropay::fuzz {
namespace {

constexpr size_t kMaxBody = 4096;

// What libs/http/connection.cc does with what arrives, without the sockets.
struct Incoming {
  std::string buffer;
  HeadScanner scanner;
  RequestHead head;
  BodyReader body;
  bool has_head = false;
  bool refused = false;

  bool done() const { return has_head && body.done(); }

  void feed(std::string_view bytes) {
    buffer += bytes;
    if (!has_head && !refused) take_head();
    if (!has_head || refused) return;
    std::string_view rest = buffer;
    refused = body.feed(rest, head.request.body).has_value();
    buffer.erase(0, buffer.size() - rest.size());
  }

  void take_head() {
    size_t length = 0;
    refused = scanner.scan(buffer, {}, length).has_value();
    if (refused || length == 0) return;
    refused = parse_head(std::string_view(buffer).substr(0, length), {}, head).has_value();
    buffer.erase(0, length);
    has_head = !refused;
    if (has_head) body.start(head, kMaxBody);
  }
};

void check_same(const Incoming& a, const Incoming& b) {
  CHECK(a.refused == b.refused);
  if (a.refused) return;
  CHECK(a.done() == b.done());
  if (!a.done()) return;
  const HttpRequest &one = a.head.request, &two = b.head.request;
  CHECK(one.method == two.method && one.target == two.target && one.path == two.path);
  CHECK(one.query == two.query && one.body == two.body && one.keep_alive == two.keep_alive);
  CHECK(one.headers.size() == two.headers.size() && a.buffer == b.buffer);
  CHECK(one.body.size() <= kMaxBody && one.path.starts_with(one.path == "*" ? '*' : '/'));
}

const gateway::Router& router() {
  static const auto& made = *new gateway::Router(contract::model().methods());
  return made;
}

void read(const HttpRequest& request) {
  (void)gateway::check_content(request);
  if (auto headers = gateway::read_command_headers(request); headers && headers->if_match != 0)
    CHECK(contract::parse_etag(contract::format_etag(headers->if_match)) == headers->if_match);
  const gateway::RouteMatch match = router().match(request.method, request.path);
  if (match.route == nullptr) return;
  auto found = gateway::read_request(match, request);
  CHECK(found || !found.error().reason.empty());
}

void run(std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t cut = static_cast<unsigned char>(bytes[0]) * bytes.size() / 256;
  bytes.remove_prefix(1);
  Incoming whole, halves, drops;
  whole.feed(bytes);
  halves.feed(bytes.substr(0, cut));
  if (cut < bytes.size()) halves.feed(bytes.substr(cut));
  for (size_t i = 0; i < bytes.size() && bytes.size() < 512; ++i) drops.feed(bytes.substr(i, 1));
  check_same(whole, halves);
  if (bytes.size() < 512) check_same(whole, drops);
  if (!whole.refused && whole.done()) read(whole.head.request);
}

const Register kRegistered("request", run);

}  // namespace
}  // namespace micropay::fuzz
