#include "libs/runtime/handlers.h"

#include "libs/base/fnv.h"

namespace micropay {

Handlers::Handlers(const std::vector<Service>& services) {
  for (const Service& service : services) {
    for (const auto& command : service.commands) {
      CHECK(command.handle && "a preparation without its command");
      CHECK(commands_.emplace(command.method, CommandEntry{&service, &command}).second);
    }
    for (const auto& query : service.queries)
      CHECK(queries_.emplace(query.method, QueryEntry{&service, &query}).second);
    names_.insert(service.name);
    // An event that one of them could not take would come to both again.
    std::set<const contract::Event*> once;
    for (const auto& handler : service.reactions) {
      CHECK(once.insert(handler.event).second && "a service has one handler of an event, on() or follow()");
      reactions_[handler.event].push_back({&service, &handler});
    }
    for (const auto& handler : service.followers) {
      CHECK(once.insert(handler.event).second && "a service has one handler of an event, on() or follow()");
      followers_[handler.event].push_back({&service, &handler});
    }
    if (!service.followers.empty()) following_.push_back(&service);
    for (const auto& timer : service.timers)
      CHECK(timers_.emplace(timer.type->name(), std::pair{&service, &timer}).second);
    for (const auto& effect : service.effects)
      CHECK(effects_.emplace(effect.type->name(), std::pair{&service, &effect}).second);
  }
}

const Handlers::CommandEntry* Handlers::command(const contract::Method& method) const {
  const auto at = commands_.find(&method);
  return at == commands_.end() ? nullptr : &at->second;
}

const Handlers::QueryEntry* Handlers::query(const contract::Method& method) const {
  const auto at = queries_.find(&method);
  return at == queries_.end() ? nullptr : &at->second;
}

const std::vector<Reaction>& Handlers::find(const ByEvent& map, const contract::Event& event) {
  static const std::vector<Reaction> none;
  const auto at = map.find(&event);
  return at == map.end() ? none : at->second;
}

std::vector<Reaction> Handlers::of_service(const contract::Event& event, std::string_view service) const {
  std::vector<Reaction> found;
  for (const auto* map : {&reactions_, &followers_})
    for (const Reaction& reaction : find(*map, event))
      if (reaction.service->name == service) found.push_back(reaction);
  return found;
}

const std::pair<const Service*, const Service::TimerHandler*>* Handlers::timer(std::string_view type) const {
  const auto at = timers_.find(type);
  return at == timers_.end() ? nullptr : &at->second;
}

const std::pair<const Service*, const Service::EffectHandler*>* Handlers::effect(
    std::string_view type) const {
  const auto at = effects_.find(type);
  return at == effects_.end() ? nullptr : &at->second;
}

std::vector<const Service*> Handlers::following() const { return following_; }

uint64_t follows_digest(const Service& service) {
  std::set<std::string_view> types;
  for (const auto& handler : service.followers) types.insert(handler.event->type);
  uint64_t digest = types.empty() ? 0 : kFnvBasis;
  for (const std::string_view type : types) digest = fnv1a("\n", fnv1a(type, digest));
  return digest;
}

}  // namespace micropay
