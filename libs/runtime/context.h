// What a handler is given: its own tables, the time, ids, and ways to say what follows. Nothing else reaches
// a handler, so a test or the simulator owns its whole world.
//
//   Result<Payment> create_payment(Context& ctx, const CreatePaymentRequest& request) {
//     const Wallet& payer = TRY(ctx.table<Wallet>().get(request.payer_account_id()));
//     TRY(rules::check_new_payment(payer, request.amount(), ctx.now()));
//     Payment& payment = ctx.table<Payment>().insert(new_payment(ctx.new_id(), request, ctx.now()));
//     ctx.emit(initiated(payment));
//     return payment;
//   }
//
// An error returned by a handler undoes everything this input changed, emitted, asked for, and nothing else.
#pragma once

#include <string>

#include "libs/base/check.h"
#include "libs/base/time.h"
#include "libs/runtime/principal.h"
#include "libs/runtime/tables.h"
#include "libs/store/event_window.h"

namespace micropay {

// What the runtime does for a query: its rows, and the log.
class QueryHost : public TableReader {
 public:
  virtual Result<EventWindow::Events> read_events(uint64_t position, size_t limit) = 0;
};

// Given to queries and preparations: a snapshot, no writing.
class QueryContext {
 public:
  QueryContext(QueryHost& host, const Principal& principal, Time now, const contract::Service& service)
      : host_(host), principal_(principal), now_(now), service_(service) {}
  Time now() const { return now_; }
  const Principal& principal() const { return principal_; }
  template <typename T>
  ReadTable<T> table() {
    return {host_, own(detail::table_of<T>())};
  }
  // The log as far as this service hears it, for projections that keep positions instead of copies;
  // `stretch` events are read at once.
  EventWindow events(size_t stretch) {
    return EventWindow([this](uint64_t from, size_t limit) { return host_.read_events(from, limit); },
                       stretch);
  }

 private:
  const contract::Table& own(const contract::Table& table) const;  // CHECKs ownership
  QueryHost& host_;
  const Principal& principal_;
  Time now_;
  const contract::Service& service_;
};

struct EffectOptions {
  std::string target;  // breaker and concurrency limit are per target; empty: the service's name
};

// What the runtime does for a context: one implementation in the engine, one for projections.
class ContextHost : public TableWriter {
 public:
  virtual std::string new_id() = 0;
  virtual std::string random_bytes(size_t count) = 0;
  virtual void emit(const contract::Event& type, MutableRow message) = 0;
  virtual std::string request_effect(const google::protobuf::Message& request,
                                     const EffectOptions& options) = 0;
  virtual void set_timer(std::string_view key, Time due, const google::protobuf::Message& timer) = 0;
  virtual void cancel_timer(std::string_view type, std::string_view key) = 0;
  virtual void keep_changes() = 0;
};

class Context {
 public:
  struct Input {
    const contract::Service* service = nullptr;
    const Principal* principal = nullptr;
    Time now = 0;
    std::string_view correlation_id;
    const Envelope* envelope = nullptr;                   // of the event that is handled, else null
    const google::protobuf::Message* prepared = nullptr;  // what the command's preparation answered
  };
  Context(ContextHost& host, const Input& input) : host_(host), input_(input) {}

  Time now() const { return input_.now; }
  std::string new_id() { return host_.new_id(); }  // UUIDv7
  std::string random_bytes(size_t count) { return host_.random_bytes(count); }
  const Principal& principal() const { return *input_.principal; }
  std::string_view correlation_id() const { return input_.correlation_id; }
  const Envelope& envelope() const {
    CHECK(input_.envelope);
    return *input_.envelope;
  }

  template <typename T>
  Table<T> table() {
    return {host_, own(detail::table_of<T>())};
  }
  template <typename E>
  void emit(E event) {
    static const contract::Event* type = contract::model().event_of<E>();
    host_.emit(*type, std::make_shared<E>(std::move(event)));
  }
  // Asks for something outside to be done after this tick is durable; the outcome comes back as an input.
  // Returns its id.
  template <typename R>
  std::string perform(const R& request, const EffectOptions& options = {}) {
    return host_.request_effect(request, options);
  }
  // One timer per message type and key; setting it again moves it.
  template <typename M>
  void set_timer(std::string_view key, Time due, const M& timer) {
    host_.set_timer(key, due, timer);
  }
  template <typename M>
  void cancel_timer(std::string_view key) {
    host_.cancel_timer(M::descriptor()->name(), key);
  }
  // What this input did so far stays although an error is returned: a failed sign-in is counted, and refused.
  void keep_changes() { host_.keep_changes(); }
  template <typename M>
  const M& prepared() const {
    CHECK(input_.prepared && input_.prepared->GetDescriptor() == M::descriptor());
    return static_cast<const M&>(*input_.prepared);
  }

 private:
  const contract::Table& own(const contract::Table& table) const;  // CHECKs ownership
  ContextHost& host_;
  const Input& input_;
};

}  // namespace micropay
