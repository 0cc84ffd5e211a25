#include "libs/rpc/dispatch.h"

#include "libs/base/ids.h"
#include "libs/contract/message_ids.h"
#include "libs/contract/validate.h"
#include "libs/runtime/access.h"

namespace micropay::rpc {
namespace {

constexpr std::string_view kGateway = "gateway", kOperator = "operator";

constexpr uint32_t kMostRepeats = 20;  // each costs what the call costs

// Reads by key alone. What else is asked for (a balance of the past) has to be looked for.
bool quick(const contract::Method& method, const google::protobuf::Message& request) {
  return contract::names_record_only(method, request) && !method.list && !method.options.on_engine() &&
         method.options.media_field().empty();
}

// When the newest record that the request names was made; 0: none.
Time newest_record(const google::protobuf::Message& request) {
  Time newest = 0;
  contract::each_id(request, [&](std::string_view id) {
    newest = std::max(newest, uuid_time(*parse_uuid(id)));
    return true;
  });
  return newest;
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
    : engine_(engine),
      clock_(clock),
      longest_wait_(options.longest_wait),
      workers_(options.query_threads, options.max_queued_queries) {
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
    return contract::validate(*inbound.command.request);
  }();
  if (!checked) return inbound.command.done({.result = std::unexpected(checked.error())});
  if (!engine_.watermarks().cover(inbound.command.after) && wait(inbound)) return;
  auto kept = std::make_shared<Inbound>(std::move(inbound));
  if (method.query && !quick(method, *kept->command.request)) return run_later(std::move(kept));
  carry_out(kept);
}

// A record that somebody has seen is somewhere; one of this very second may not be known here yet. A refusal
// has changed nothing, so the call is made again when more is known. `this` may be gone when an answer comes;
// then nobody waits any more.
void Dispatch::carry_out(const std::shared_ptr<Inbound>& inbound) {
  Command command = inbound->command;
  Watermarks& watermarks = engine_.watermarks();
  command.done = [this, inbound, &watermarks, &clock = clock_, longest = longest_wait_,
                  known = watermarks.told()](Answer answer) {
    const bool missed = !answer.result && answer.result.error().code == Code::kNotFound;
    if (missed && inbound->repeats < kMostRepeats) {
      const Duration left = longest - (clock.now() - newest_record(*inbound->command.request));
      const auto again = [this, inbound] {
        ++inbound->repeats;
        repeats_.add();
        run_later(inbound);
      };
      if (left > 0 && left <= longest * 2 &&
          watermarks.wait_for_more(known, std::min(clock.monotonic() + left, inbound->deadline), again))
        return;
    }
    inbound->command.done(std::move(answer));
  };
  attempt(std::move(command));
}

// Whose record it is may be known only now.
void Dispatch::attempt(Command command) {
  command.judge_owner = true;
  if (!command.method->query) return engine_.submit(std::move(command));
  if (const auto owned = engine_.authorize(*command.method, command.principal, *command.request); !owned)
    return command.done({.result = std::unexpected(owned.error())});
  command.done({.result = engine_.query(*command.method, command.principal, *command.request),
                .status = command.method->success});
}

// Until the engine has taken in what the caller has seen of others, which is a matter of milliseconds, or
// until it is likelier that something is broken. False: too many wait, and it goes on as it is.
bool Dispatch::wait(const Inbound& inbound) {
  const Time began = clock_.monotonic();
  waits_.add();
  const bool waits =
      engine_.watermarks().wait_for(inbound.command.after, std::min(began + longest_wait_, inbound.deadline),
                                    [this, began, waiting = std::make_shared<Inbound>(inbound)](bool known) {
                                      wait_seconds_.observe(clock_.monotonic() - began);
                                      if (!known) waits_in_vain_.add();
                                      run_later(waiting);
                                    });
  if (!waits) waits_in_vain_.add();
  return waits;
}

void Dispatch::run_later(std::shared_ptr<Inbound> waiting) {
  const bool queued = workers_.run([this, waiting] {
    if (clock_.monotonic() < waiting->deadline) carry_out(waiting);  // else it has been told
  });
  if (queued) return;
  waiting->command.done({.result = std::unexpected(Error{.code = Code::kUnavailable,
                                                         .reason = "overloaded",
                                                         .detail = "Too much is queued: try again shortly.",
                                                         .retry_after_s = 1})});
}

}  // namespace micropay::rpc
