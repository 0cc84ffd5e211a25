#include "libs/runtime/testing.h"

#include "libs/base/ids.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay {

Principal user_principal(std::string user_id, std::initializer_list<Role> roles) {
  Principal principal{.kind = Principal::Kind::kUser, .user_id = std::move(user_id)};
  for (const Role role : roles) principal.role_bits |= contract::role_bit(role);
  return principal;
}

std::shared_ptr<const EventRecord> foreign_event(const google::protobuf::Message& message, uint64_t position,
                                                 Time time, const std::string& actor) {
  const contract::Event& type = *contract::model().event(message.GetDescriptor());
  auto record = std::make_shared<EventRecord>();
  record->type = &type;
  std::shared_ptr<google::protobuf::Message> copy(message.New());
  copy->CopyFrom(message);
  Envelope& envelope = record->envelope;
  envelope.set_position(position);
  envelope.set_id(derived_uuid(fmt::format("given {} {}", type.service->name, position)));
  envelope.set_type(type);
  envelope.set_time(time);
  envelope.set_key(contract::field_text(message, *type.key));
  envelope.set_actor(actor);
  envelope.set_correlation_id("given");
  envelope.set_causation_id("given");
  record->message = std::move(copy);
  return record;
}

struct World::Impl {
  ManualClock clock;
  std::unique_ptr<Projector> projector;
  std::unique_ptr<Store> store;
  std::unique_ptr<Engine> engine;
  std::vector<std::shared_ptr<const EventRecord>> history;
  size_t told = 0;
  std::map<std::string, uint64_t> positions;  // of injected events, by source
  std::set<size_t> injected;                  // indexes into history
  bool injecting = false;
};

World::World(std::vector<Service> services, uint64_t seed) : impl_(std::make_unique<Impl>()) {
  impl_->projector = Engine::make_projector(services);
  impl_->store = make_memory_store(contract::model(), impl_->projector.get());
  impl_->engine =
      std::make_unique<Engine>(EngineOptions{.seed = seed}, *impl_->store, impl_->clock, std::move(services));
  impl_->engine->on_committed([this](const auto& events) {
    for (size_t i = 0; i < events.size(); ++i) {
      if (impl_->injecting && i == 0) impl_->injected.insert(impl_->history.size()), impl_->injecting = false;
      impl_->history.push_back(events[i]);
    }
  });
  const auto opened = impl_->engine->open();
  CHECK(opened.has_value());
  impl_->told = impl_->history.size();
}

World::~World() = default;

void World::inject(const contract::Event& type, const google::protobuf::Message& event,
                   const std::string& actor) {
  const auto record = foreign_event(event, ++impl_->positions[type.service->name], impl_->clock.now(), actor);
  settle();
  impl_->injecting = true;
  impl_->engine->deliver(record);
  settle();
  impl_->engine->deliver(record);  // the second time it must do nothing
  settle();
}

Answer World::call_any(const contract::Method& method, const google::protobuf::Message& request,
                       Principal principal, std::string key) {
  std::shared_ptr<google::protobuf::Message> copy(request.New());
  copy->CopyFrom(request);
  Command command{.method = &method, .request = std::move(copy), .principal = std::move(principal)};
  command.idempotency_key = std::move(key);
  return impl_->engine->call(std::move(command));
}

Types World::events() {
  Types types;
  for (; impl_->told < impl_->history.size(); ++impl_->told)
    if (!impl_->injected.contains(impl_->told)) types.push_back(impl_->history[impl_->told]->type->type);
  return types;
}

void World::advance(Duration duration) {
  settle();
  const Time end = impl_->clock.now() + duration;
  while (true) {
    const Time due = std::max(impl_->engine->next_due(), impl_->clock.now() + kMillisecond);
    if (due > end) break;
    impl_->clock.advance(due - impl_->clock.now());
    settle();
  }
  impl_->clock.advance(end - impl_->clock.now());
  settle();
}

void World::settle() { impl_->engine->settle(); }
Engine& World::engine() { return *impl_->engine; }
Store& World::store() { return *impl_->store; }
ManualClock& World::clock() { return impl_->clock; }
const std::vector<std::shared_ptr<const EventRecord>>& World::history() { return impl_->history; }

}  // namespace micropay
