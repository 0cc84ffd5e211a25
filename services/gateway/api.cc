// The way of a request, from its route to the backend.
#include "services/gateway/api.h"

#include "libs/contract/etag.h"
#include "libs/runtime/access.h"
#include "services/gateway/access.h"
#include "services/gateway/answers.h"
#include "services/gateway/entity_tags.h"
#include "services/gateway/request_reader.h"

namespace micropay::gateway {
namespace {

constexpr uint32_t kUnsupportedMedia = 415, kMethodNotAllowed = 405;

// The engine compares If-Match itself when the request has the key of the record that the method answers.
bool names_its_record(const contract::Method& method) {
  if (method.resource == nullptr || method.resource->key.size() != 1) return false;
  return method.request->FindFieldByName(method.resource->key[0]->name()) != nullptr;
}

}  // namespace

Api::Api(const GatewaySettings& settings, Backend& backend, Callers& callers, RateGate& rates,
         const contract::Model& model)
    : backend_(backend),
      callers_(callers),
      rates_(rates),
      router_(model.methods()),
      cors_(settings.cors_origins) {}

// Sign-in and registration count for the address whoever asks, so that guessing from many accounts is slow,
// too.
bool Api::pass_limits(Exchange& exchange) {
  RateClass rate_class = exchange.match.route->method->options.rate();
  bool by_address = rate_class == AUTH || exchange.principal.user_id.empty();
  return rates_.take(exchange, rate_class,
                     by_address ? address_of(exchange.request().remote_address) : exchange.principal.user_id);
}

void Api::handle(const ExchangePtr& exchange) {
  const HttpRequest& request = exchange->request();
  exchange->headers = cors_.headers(request);
  if (!rates_.take_global(*exchange)) return;
  exchange->match = router_.match(request.method, request.path);
  if (exchange->match.route == nullptr) {
    const std::string& allowed = exchange->match.allowed;
    if (allowed.empty())
      return exchange->refuse(
          no_route(request.path, [this](std::string_view path) { return !router_.allowed(path).empty(); }));
    if (request.method == "OPTIONS") return exchange->finish(cors_.preflight(request, allowed));
    exchange->headers += "Allow: " + allowed + "\r\n";
    return exchange->refuse(kMethodNotAllowed,
                            {.reason = "method_not_allowed", .detail = "This route takes " + allowed + "."});
  }
  const contract::Method& method = *exchange->match.route->method;
  if (!method.query)
    if (auto refusal = backend_.refusal(method)) return exchange->refuse(*std::move(refusal));
  identify(exchange);
}

void Api::identify(const ExchangePtr& exchange) {
  const contract::Method& method = *exchange->match.route->method;
  const HttpRequest& request = exchange->request();
  const auto token = bearer_token(request);
  if (!token || !*token) return identified(exchange, without_token(method, request, token));
  if (auto known = callers_.known(**token))
    return identified(exchange, principal_of(method, request, *std::move(known)));
  callers_.ask(**token, exchange->responder().loop(), [this, exchange, &method](Result<Identity> identity) {
    guarded(*exchange,
            [&] { identified(exchange, principal_of(method, exchange->request(), std::move(identity))); });
  });
}

void Api::identified(const ExchangePtr& exchange, Result<Principal> principal) {
  const HttpRequest& request = exchange->request();
  const contract::Method& method = *exchange->match.route->method;
  if (!principal) {
    // Guessing tokens costs the address what a request of a user costs the user. That nobody can say whether
    // a token is good is no guess.
    if (principal.error().code == Code::kUnauthenticated &&
        !rates_.take(*exchange, method.options.rate(), address_of(request.remote_address)))
      return;
    return exchange->refuse(principal.error());
  }
  exchange->principal = *std::move(principal);
  if (!pass_limits(*exchange)) return;
  if (auto allowed = check_access(method, exchange->principal); !allowed)
    return exchange->refuse(allowed.error());
  if (method.options.media_field().empty() && !acceptable(*exchange, "application/json")) return;
  const RateClass refusals = method.options.refusals();
  if (refusals != STANDARD && !rates_.look(*exchange, refusals, exchange->principal.user_id)) return;
  if (auto error = check_content(request)) return exchange->refuse(kUnsupportedMedia, *error);
  auto read = read_request(exchange->match, request);
  if (!read) return exchange->refuse(read.error());
  exchange->fields = std::move(read->fields);
  if (method.query) query(exchange, std::move(read->message));
  else command(exchange, std::move(read->message));
}

Command Api::call_of(const Exchange& exchange, const contract::Method& method, MessagePtr message) const {
  return {.method = &method,
          .request = std::move(message),
          .principal = exchange.principal,
          .correlation_id = exchange.correlation_id(),
          .traceparent = exchange.traceparent()};
}

void Api::query(const ExchangePtr& exchange, MessagePtr message) {
  const contract::Method& method = *exchange->match.route->method;
  if (auto row = backend_.query_now(method, exchange->principal, *message)) {
    if (!*row) return exchange->refuse(row->error());
    return exchange->finish(query_response(*exchange, **row));
  }
  Command ask = call_of(*exchange, method, std::move(message));
  ask.done = [exchange](Answer answer) {
    if (!answer.result) return exchange->refuse(answer.result.error());
    exchange->finish(query_response(*exchange, *answer.result));
  };
  backend_.query(std::move(ask));
}

void Api::command(const ExchangePtr& exchange, MessagePtr message) {
  auto headers = read_command_headers(exchange->request());
  if (!headers) return exchange->refuse(headers.error());
  const contract::Method& method = *exchange->match.route->method;
  Command command = call_of(*exchange, method, std::move(message));
  command.idempotency_key = std::move(headers->idempotency_key);
  command.sent_digest = headers->sent_digest;
  command.respond_async = headers->respond_async;
  command.if_match = headers->if_match;
  Condition condition{.if_none_match = exchange->request().list_header("if-none-match")};
  if (!names_its_record(method)) condition.if_match = std::exchange(command.if_match, 0);
  if (condition.if_match == 0 && condition.if_none_match.empty()) return submit(exchange, std::move(command));
  submit_if(exchange, std::move(condition), std::move(command));
}

void Api::submit(const ExchangePtr& exchange, Command command) {
  command.done = [this, exchange](Answer answer) {
    const RateClass refusals = exchange->match.route->method->options.refusals();
    const bool refused = !answer.result && !answer.replayed &&
                         (answer.result.error().code == Code::kPaymentRequired ||
                          answer.result.error().code == Code::kNotFound);
    if (refused && refusals != STANDARD) rates_.count(refusals, exchange->principal.user_id);
    exchange->responder().make([exchange, answer = std::move(answer)] {
      return exchange->complete(command_response(*exchange, answer));
    });
  };
  backend_.submit(std::move(command));
}

// The GET of the path that a command was sent to.
Result<Command> Api::read_of(const Exchange& exchange) const {
  RouteMatch read = router_.match("GET", exchange.request().path);
  if (read.route == nullptr || read.route->method->list) {
    return fail(Code::kInvalidArgument, "if_match_unsupported",
                "Nothing is read at this path that If-Match could mean.", "If-Match");
  }
  const contract::Method& method = *read.route->method;
  MessagePtr message = method.make_request();
  TRY(read_path(read, *message));
  TRY(check_access(method, exchange.principal));
  return call_of(exchange, method, std::move(message));
}

// Of the record as it is; none: there is none.
std::optional<Error> Api::Condition::refusal(const Result<Row>& row) const {
  if (!row && (if_match != 0 || row.error().code != Code::kNotFound)) return row.error();
  if (!row) return {};
  const uint64_t digest = contract::etag_of(**row);
  if (if_match != 0 && digest != if_match)
    return Error{.code = Code::kPreconditionFailed,
                 .reason = "etag_mismatch",
                 .detail = "The record has changed since it was read: read it again."};
  if (!none_match_names_version(if_none_match, digest)) return {};
  return Error{.code = Code::kPreconditionFailed,
               .reason = "etag_matches",
               .detail = "The record is there as If-None-Match says, so nothing was done."};
}

// For "/users/me" and the like, and If-None-Match: what GET of the same path answers now is compared. The
// engine, which alone could do it in the tick, does not know which record that is; two writers within a
// millisecond may both pass.
void Api::submit_if(const ExchangePtr& exchange, Condition condition, Command command) {
  auto ask = read_of(*exchange);
  if (!ask && condition.if_match != 0) return exchange->refuse(ask.error());
  if (!ask) return submit(exchange, std::move(command));  // nothing is there that could match
  auto compare = [this, exchange, condition = std::move(condition)](const Result<Row>& row,
                                                                    Command&& changed) {
    if (auto refusal = condition.refusal(row)) return exchange->refuse(*refusal);
    submit(exchange, std::move(changed));
  };
  if (auto row = backend_.query_now(*ask->method, ask->principal, *ask->request))
    return compare(*row, std::move(command));
  ask->done = [compare, waiting = std::make_shared<Command>(std::move(command))](const Answer& answer) {
    compare(answer.result, std::move(*waiting));
  };
  backend_.query(*std::move(ask));
}

}  // namespace micropay::gateway
