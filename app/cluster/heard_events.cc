#include "app/cluster/heard_events.h"

#include <algorithm>

namespace micropay::app {

HeardEvents::HeardEvents(const Service& service) : own_(service.contract) {
  for (const auto* list : {&service.reactions, &service.followers, &service.projections})
    for (const Service::EventHandler& handler : *list)
      if (handler.event == nullptr) all_ = true;
      else types_.push_back(handler.event);
  std::ranges::sort(types_);
  for (const contract::Event* event : contract::model().events())
    if (has(event) && std::ranges::find(sources_, event->service) == sources_.end())
      sources_.push_back(event->service);
}

bool HeardEvents::has(const contract::Event* type) const {
  return type != nullptr && type->service != own_ && (all_ || std::ranges::binary_search(types_, type));
}

}  // namespace micropay::app
