// A world for tests of services: the real engine on the memory store, a clock that stands until it is moved,
// effects performed on the spot. Give it one service and the events of its neighbours, or all services for a
// whole flow.
//
//   World world({payment_service(settings)});
//   world.given(account_created);                               // an event of a neighbour; delivered twice,
//   acts once Result<Payment> payment = world.call<Payment>(request, user("…")); EXPECT_EQ(world.events(),
//   (Types{"payment.initiated"}));    // emitted since the last call of events() world.advance(16 * kMinute);
//   // timers that are due fire
#pragma once

#include "libs/runtime/engine.h"

namespace micropay {

using Types = std::vector<std::string>;

Principal user_principal(std::string user_id, std::initializer_list<Role> roles = {USER});

// An event as it comes from another process: its `position` in that one's log.
std::shared_ptr<const EventRecord> foreign_event(const google::protobuf::Message& message, uint64_t position,
                                                 Time time, const std::string& actor = "system");

class World {
 public:
  explicit World(std::vector<Service> services, uint64_t seed = 1);
  ~World();

  // An event of a service that is not part of this world (or is): delivered twice, then the engine settles.
  template <typename E>
  void given(const E& event, const std::string& actor = "system") {
    inject(*contract::model().event_of<E>(), event, actor);
  }
  template <typename Response, typename Request>
  Result<Response> call(const Request& request, Principal principal = system_principal(),
                        std::string key = {}) {
    return cast<Response>(
        call_any(*contract::model().method_of<Request>(), request, std::move(principal), std::move(key))
            .result);
  }
  template <typename Request>
  Answer call_answer(const Request& request, Principal principal = system_principal(), std::string key = {}) {
    return call_any(*contract::model().method_of<Request>(), request, std::move(principal), std::move(key));
  }
  template <typename Response, typename Request>
  Result<Response> query(const Request& request, const Principal& principal = system_principal()) {
    return cast<Response>(engine().query(*contract::model().method_of<Request>(), principal, request));
  }
  // The row as it is stored; key fields as text.
  template <typename T, typename... Key>
  const T* find(const Key&... key) {
    const contract::Table& table = *contract::model().table_of<T>();
    kept_.push_back(store().get(table, detail::encode_key(table, {std::string_view(key)...})));
    return static_cast<const T*>(kept_.back().get());
  }
  Types events();  // types emitted since the last call, without those given
  template <typename E>
  std::vector<E> all() {  // every event of this type so far
    std::vector<E> found;
    for (const auto& event : history())
      if (event->type->descriptor == E::descriptor()) found.push_back(static_cast<const E&>(*event->message));
    return found;
  }
  void advance(Duration duration);  // moves the clock and fires what is due, step by step
  void settle();
  Engine& engine();
  Store& store();
  ManualClock& clock();
  const std::vector<std::shared_ptr<const EventRecord>>& history();

 private:
  void inject(const contract::Event& type, const google::protobuf::Message& event, const std::string& actor);
  Answer call_any(const contract::Method& method, const google::protobuf::Message& request,
                  Principal principal, std::string key);
  template <typename Response>
  static Result<Response> cast(Result<Row> row) {
    if (!row) return std::unexpected(std::move(row).error());
    return static_cast<const Response&>(**row);
  }
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<Row> kept_;
};

}  // namespace micropay
