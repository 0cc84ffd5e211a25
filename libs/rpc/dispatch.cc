#include "libs/rpc/dispatch.h"

#include "libs/contract/validate.h"
#include "libs/runtime/access.h"

namespace micropay::rpc {
namespace {

constexpr std::string_view kGateway = "gateway", kOperator = "operator";

bool quick(const contract::Method& method) {
  return method.verb == "GET" && !method.list && !method.options.on_engine() &&
         method.options.media_field().empty();
}

}  // namespace

Result<void> admit(const contract::Method& method, const std::vector<std::string>& callers,
                   Principal& principal) {
  const auto is = [&](std::string_view name) { return std::ranges::count(callers, name) > 0; };
  if (!method.verb.empty()) {
    if (is(kGateway) && principal.kind != Principal::Kind::kSystem) return {};
  } else if (is(kOperator) || std::ranges::any_of(method.options.callers(), is)) {
    principal = system_principal();
    return {};
  }
  return fail(
      Code::kPermissionDenied, "caller_not_allowed",
      fmt::format("{} may not call {}{}", callers.empty() ? "A caller without a name" : callers.front(),
                  method.name, method.verb.empty() ? "" : " so"));
}

Dispatch::Dispatch(Engine& engine, const Clock& clock, const Options& options)
    : engine_(engine), clock_(clock), workers_(options.query_threads, options.max_queued_queries) {
  workers_.start();
  for (const Service& service : engine.services()) {
    for (const contract::Method* method : service.contract->methods) {
      methods_.emplace("/" + method->full_name, method);
      std::string name = method->full_name.substr(0, method->full_name.find('/'));
      if (std::ranges::count(services_, name) > 0) continue;
      services_.push_back(std::move(name));
      short_names_.push_back(service.name);
    }
  }
}

const contract::Method* Dispatch::method(std::string_view path) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : found->second;
}

std::string_view Dispatch::short_name(std::string_view service) const {
  const auto at = std::ranges::find(services_, service);
  return at == services_.end() ? std::string_view() : short_names_[size_t(at - services_.begin())];
}

void Dispatch::call(Inbound inbound) {
  const contract::Method& method = *inbound.command.method;
  const auto checked = [&]() -> Result<void> {
    TRY(admit(method, inbound.callers, inbound.command.principal));
    TRY(check_access(method, inbound.command.principal));
    TRY(contract::validate(*inbound.command.request));
    return engine_.authorize(method, inbound.command.principal, *inbound.command.request);
  }();
  if (!checked) return inbound.command.done({.result = std::unexpected(checked.error())});
  if (method.query) return query(std::move(inbound));
  engine_.submit(std::move(inbound.command));
}

void Dispatch::query(Inbound inbound) {
  const contract::Method& method = *inbound.command.method;
  if (quick(method)) {
    auto row = engine_.query(method, inbound.command.principal, *inbound.command.request);
    return inbound.command.done({.result = std::move(row), .status = method.success});
  }
  auto waiting = std::make_shared<Inbound>(std::move(inbound));
  const bool queued = workers_.run([this, waiting] {
    if (clock_.monotonic() >= waiting->deadline) return;  // it has been told
    const Command& asked = waiting->command;
    asked.done({.result = engine_.query(*asked.method, asked.principal, *asked.request),
                .status = asked.method->success});
  });
  if (queued) return;
  waiting->command.done({.result = std::unexpected(Error{.code = Code::kUnavailable,
                                                         .reason = "overloaded",
                                                         .detail = "Too much is queued: try again shortly.",
                                                         .retry_after_s = 1})});
}

}  // namespace micropay::rpc
