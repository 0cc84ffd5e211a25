// A service is a name and a list of handlers; the runtime reads the list and does the rest.
//
//   Service service{"payment"};
//   service.command(create_payment);          // Result<Payment>(Context&, const CreatePaymentRequest&)
//   service.query(get_payment);               // Result<Payment>(QueryContext&, const GetPaymentRequest&)
//   service.on(assess_risk_when_reserved);    // Result<void>(Context&, const AccountBalanceReserved&), in
//   the same tick service.follow(tell_the_payee);           // the same form, behind the hot path, in log
//   order service.project(keep_history);            // the same form; writes projection tables only, emits
//   nothing service.project_all(append_to_trail);     // Result<void>(Context&, const EventRecord&), every
//   event service.prepare(hash_password);           // Result<PasswordHash>(QueryContext&, const
//   CreateUserRequest&), on a worker service.on_timer(expire);                 // Result<void>(Context&,
//   const ReservationExpiry&) service.effect(provider, on_outcome);     // see effects below
//   service.seed(create_system_accounts);     // Result<void>(Context&), once, at the service's first start
//
// An event goes to on() or follow() once, from the service's first start on, and one service has one such
// handler of an event. Which method, event or table a handler is for follows from its message type. Lambdas
// may be given as well.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/runtime/context.h"
#include "libs/runtime/effect.h"

namespace micropay {

struct Service {
  using Message = google::protobuf::Message;
  struct CommandHandler {
    const contract::Method* method = nullptr;
    std::function<Result<MessagePtr>(Context&, const Message&)> handle;
    std::function<Result<MessagePtr>(QueryContext&, const Message&)> prepare;  // may be empty
  };
  struct QueryHandler {
    const contract::Method* method = nullptr;
    std::function<Result<MessagePtr>(QueryContext&, const Message&)> handle;
  };
  struct EventHandler {
    const contract::Event* event = nullptr;  // null: every event
    std::function<Result<void>(Context&, const EventRecord&)> handle;
  };
  struct TimerHandler {
    const google::protobuf::Descriptor* type = nullptr;
    std::function<Result<void>(Context&, const Message&)> handle;
  };
  struct EffectHandler {
    const google::protobuf::Descriptor* type = nullptr;
    EffectPolicy policy;
    std::function<AnyOutcome(const Message&, std::string_view key, bool poll)> perform;
    std::function<Result<void>(Context&, const Message& request, const AnyOutcome&)> on_outcome;
  };

  explicit Service(std::string name);

  std::string name;
  const contract::Service* contract = nullptr;
  std::vector<CommandHandler> commands;
  std::vector<QueryHandler> queries;
  std::vector<EventHandler> reactions;    // in the tick
  std::vector<EventHandler> followers;    // behind the hot path, may emit
  std::vector<EventHandler> projections;  // behind the hot path, on the applier
  // Count it up with every change of a projection that makes other rows of the same events: a data folder
  // whose rows another version made gets them anew at its next start.
  uint64_t projection_version = 0;
  std::vector<TimerHandler> timers;
  std::vector<EffectHandler> effects;
  std::vector<std::function<Result<void>(Context&)>> seeds;

  template <typename F>
  void command(F handler) {
    add_command(std::function{std::move(handler)});
  }
  template <typename F>
  void query(F handler) {
    add_query(std::function{std::move(handler)});
  }
  template <typename F>
  void prepare(F handler) {
    add_prepare(std::function{std::move(handler)});
  }
  template <typename F>
  void on(F handler) {
    reactions.push_back(event_handler(std::function{std::move(handler)}));
  }
  template <typename F>
  void follow(F handler) {
    followers.push_back(event_handler(std::function{std::move(handler)}));
  }
  template <typename F>
  void project(F handler) {
    projections.push_back(event_handler(std::function{std::move(handler)}));
  }
  template <typename F>
  void project_all(F handler) {
    projections.push_back({nullptr, std::move(handler)});
  }
  template <typename F>
  void on_timer(F handler) {
    add_timer(std::function{std::move(handler)});
  }
  template <typename F>
  void seed(F handler) {
    seeds.push_back(std::move(handler));
  }
  // on_outcome: Result<void>(Context&, const Request&, const Outcome<Response>&). It is called for kDone,
  // kFailed and, once per effect, for kUnknown (so that people can be told); later again with what became
  // known.
  template <typename Request, typename Response>
  void effect(const std::shared_ptr<Effect<Request, Response>>& outside,
              Result<void> (*on_outcome)(Context&, const Request&, const Outcome<Response>&),
              EffectPolicy policy = {});

 private:
  template <typename Request, typename Response>
  void add_command(std::function<Result<Response>(Context&, const Request&)> handler);
  template <typename Request, typename Response>
  void add_query(std::function<Result<Response>(QueryContext&, const Request&)> handler);
  template <typename Request, typename Prepared>
  void add_prepare(std::function<Result<Prepared>(QueryContext&, const Request&)> handler);
  template <typename Timer>
  void add_timer(std::function<Result<void>(Context&, const Timer&)> handler);
  template <typename E>
  EventHandler event_handler(std::function<Result<void>(Context&, const E&)> handler);
  CommandHandler& command_of(const google::protobuf::Descriptor* request);  // made when it is not there
  const contract::Method* method_of(const google::protobuf::Descriptor* request) const;
};

// ---- shims from typed to erased ----

template <typename Request, typename Response>
void Service::add_command(std::function<Result<Response>(Context&, const Request&)> handler) {
  command_of(std::remove_cvref_t<Request>::descriptor()).handle =
      [handler = std::move(handler)](Context& ctx, const Message& request) -> Result<MessagePtr> {
    return std::make_shared<Response>(TRY(handler(ctx, static_cast<const Request&>(request))));
  };
}

template <typename Request, typename Response>
void Service::add_query(std::function<Result<Response>(QueryContext&, const Request&)> handler) {
  queries.push_back(
      {method_of(std::remove_cvref_t<Request>::descriptor()),
       [handler = std::move(handler)](QueryContext& ctx, const Message& request) -> Result<MessagePtr> {
         return std::make_shared<Response>(TRY(handler(ctx, static_cast<const Request&>(request))));
       }});
}

template <typename Request, typename Prepared>
void Service::add_prepare(std::function<Result<Prepared>(QueryContext&, const Request&)> handler) {
  command_of(std::remove_cvref_t<Request>::descriptor()).prepare =
      [handler = std::move(handler)](QueryContext& ctx, const Message& request) -> Result<MessagePtr> {
    return std::make_shared<Prepared>(TRY(handler(ctx, static_cast<const Request&>(request))));
  };
}

template <typename Timer>
void Service::add_timer(std::function<Result<void>(Context&, const Timer&)> handler) {
  timers.push_back({std::remove_cvref_t<Timer>::descriptor(),
                    [handler = std::move(handler)](Context& ctx, const Message& timer) {
                      return handler(ctx, static_cast<const Timer&>(timer));
                    }});
}

template <typename E>
Service::EventHandler Service::event_handler(std::function<Result<void>(Context&, const E&)> handler) {
  return {contract::model().event_of<std::remove_cvref_t<E>>(),
          [handler = std::move(handler)](Context& ctx, const EventRecord& event) {
            return handler(ctx, static_cast<const E&>(*event.message));
          }};
}

template <typename Request, typename Response>
void Service::effect(const std::shared_ptr<Effect<Request, Response>>& outside,
                     Result<void> (*on_outcome)(Context&, const Request&, const Outcome<Response>&),
                     EffectPolicy policy) {
  using Kind = typename Outcome<Response>::Kind;
  effects.push_back(
      {Request::descriptor(), policy,
       [outside](const Message& request, std::string_view key, bool poll) {
         const auto& typed = static_cast<const Request&>(request);
         Outcome<Response> outcome = poll ? outside->poll(typed, key) : outside->perform(typed, key);
         return AnyOutcome{AnyOutcome::Kind(outcome.kind),
                           std::make_shared<Response>(std::move(outcome.response)), std::move(outcome.error)};
       },
       [on_outcome](Context& ctx, const Message& request, const AnyOutcome& outcome) {
         Outcome<Response> typed{Kind(outcome.kind), {}, outcome.error};
         if (outcome.response) typed.response = static_cast<const Response&>(*outcome.response);
         return on_outcome(ctx, static_cast<const Request&>(request), typed);
       }});
}

}  // namespace micropay
