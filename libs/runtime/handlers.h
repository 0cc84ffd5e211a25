// Which handler is for what: the services' lists turned round, built once.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/runtime/service.h"

namespace micropay {

struct Reaction {
  const Service* service;
  const Service::EventHandler* handler;
};

class Handlers {
 public:
  explicit Handlers(const std::vector<Service>& services);

  struct CommandEntry {
    const Service* service = nullptr;
    const Service::CommandHandler* handler = nullptr;
  };
  struct QueryEntry {
    const Service* service = nullptr;
    const Service::QueryHandler* handler = nullptr;
  };
  const CommandEntry* command(const contract::Method& method) const;
  const QueryEntry* query(const contract::Method& method) const;
  const std::vector<Reaction>& reactions(const contract::Event& event) const {
    return find(reactions_, event);
  }
  const std::vector<Reaction>& followers(const contract::Event& event) const {
    return find(followers_, event);
  }
  // Handlers of one service for one event, reactions and followers alike.
  std::vector<Reaction> of_service(const contract::Event& event, std::string_view service) const;
  const std::pair<const Service*, const Service::TimerHandler*>* timer(std::string_view type) const;
  const std::pair<const Service*, const Service::EffectHandler*>* effect(std::string_view type) const;
  std::vector<const Service*> following() const;  // services with followers
  bool runs(std::string_view service) const { return names_.contains(service); }

 private:
  using ByEvent = std::unordered_map<const contract::Event*, std::vector<Reaction>>;
  static const std::vector<Reaction>& find(const ByEvent& map, const contract::Event& event);

  std::unordered_map<const contract::Method*, CommandEntry> commands_;
  std::unordered_map<const contract::Method*, QueryEntry> queries_;
  ByEvent reactions_, followers_;
  std::unordered_map<std::string_view, std::pair<const Service*, const Service::TimerHandler*>> timers_;
  std::unordered_map<std::string_view, std::pair<const Service*, const Service::EffectHandler*>> effects_;
  std::vector<const Service*> following_;
  std::set<std::string_view> names_;
};

// Of the types of events that a service follows: says whether a record of what it followed is about the same
// ones. 0: it follows nothing.
uint64_t follows_digest(const Service& service);
// The name of the ConsumerRecord that says since when, in its own log, a service hears this type of others'
// events, or with "*" all of them.
std::string hearing_of(std::string_view service, std::string_view type);

}  // namespace micropay
