#include "app/simulator/handled.h"

#include "contracts/runtime.pb.h"
#include "libs/base/fnv.h"

namespace micropay::app {

uint64_t Handled::digest(std::string_view service, std::string_view event) {
  return fnv1a(event, fnv1a("/", fnv1a(service)));
}

void Handled::wrap(std::vector<Service>& services) {
  for (Service& service : services)
    for (auto* handlers : {&service.reactions, &service.followers})
      for (Service::EventHandler& handler : *handlers) {
        services_[handler.event].push_back(service.name);
        handler.handle = [this, name = service.name, inner = std::move(handler.handle)](
                             Context& ctx, const EventRecord& event) {
          auto result = inner(ctx, event);
          if (result) noted_.push_back(digest(name, event.envelope.id()));
          return result;
        };
      }
}

std::string Handled::durable(const Tick& tick) {
  std::string problem;
  if (const auto attempt = attempts_.find(tick.number); attempt != attempts_.end())
    for (const uint64_t taken : attempt->second)
      if (!done_.insert(taken).second)
        problem = fmt::format("an event went to its handler twice, in tick {}", tick.number);
  attempts_.clear();
  for (const auto& event : tick.events)
    if (const auto found = services_.find(event->type); found != services_.end())
      for (const std::string& service : found->second)
        expected_.push_back({digest(service, event->envelope.id()), service, event});
  return problem;
}

std::string Handled::missing() const {
  for (const Expected& one : expected_)
    if (!done_.contains(one.digest))
      return fmt::format("{} was never given {} {}", one.service, one.event->envelope.type(),
                         one.event->envelope.id());
  return {};
}

bool FirstTimes::take(const Tick& tick) {
  bool first = seen_.insert("tick").second;
  for (const auto& event : tick.events) first |= seen_.insert("event of " + event->envelope.service()).second;
  for (const RowChange& change : tick.changes) {
    if (change.table->service->name != "runtime") continue;
    std::string what = change.table->sql_name + (change.row == nullptr ? " ends" : "");
    if (change.table->descriptor == ConsumerRecord::descriptor() && change.row != nullptr) {
      const auto& record = static_cast<const ConsumerRecord&>(*change.row);
      what += (record.followed() != 0 ? " follows " : " ") +
              record.service().substr(0, record.service().find('/'));
      if (record.service().starts_with("hears:")) continue;  // part of the first tick
    }
    first |= seen_.insert(std::move(what)).second;
  }
  return first;
}

}  // namespace micropay::app
