#include "app/follow_check.h"

#include "libs/contract/model.h"
#include "libs/runtime/handlers.h"

namespace micropay::app {

FollowCheck::FollowCheck(const std::vector<Service>& services)
    : table_(name_of(contract::model().table_of<ConsumerRecord>()->sql_name)) {
  for (const Service& service : services) {
    if (service.followers.empty()) continue;
    Follower follower{.service = service.name, .digest = follows_digest(service), .types = {}};
    for (const auto& handler : service.followers) follower.types.insert(&name_of(handler.event->type));
    followers_.push_back(std::move(follower));
  }
}

// The places first: what a tick has followed was committed before it, and its own events are followed later.
void FollowCheck::take(const TickRecord& record) {
  for (const TickRecord::Change& change : record.changes) {
    if (change.table != &table_ || change.erased) continue;
    ConsumerRecord next;
    if (!next.ParseFromArray(change.row.data(), int(change.row.size()))) continue;
    for (Follower& follower : followers_)
      if (follower.service == next.service()) take_place(follower, next, record);
  }
  for (const Envelope& event : record.events)
    for (Follower& follower : followers_)
      if (follower.at && follower.types.contains(&event.type())) follower.waiting.push_back(event.position());
}

void FollowCheck::take_place(Follower& follower, const ConsumerRecord& next, const TickRecord& record) {
  const bool goes_on = follower.at && follower.at->began() == next.began() &&
                       follower.at->follows() == next.follows() && next.followed() >= follower.at->followed();
  if (!goes_on) begin(follower, next, record);
  uint64_t passed = 0;
  for (; !follower.waiting.empty() && follower.waiting.front() < next.position(); ++passed)
    follower.waiting.pop_front();
  if (follower.at && next.position() < follower.at->position())
    blame(fmt::format("{} went back from event {} to {}, in tick {}", follower.service,
                      follower.at->position(), next.position(), record.tick));
  follower.at = next;
  if (!follower.counts) return;
  if (goes_on) follower.counted += passed, followed_ += passed;
  if (follower.counted != next.followed())
    blame(fmt::format("{} followed {} events of the {} that are for it from event {} to before {} (tick {})",
                      follower.service, next.followed(), follower.counted, next.began(), next.position(),
                      record.tick));
}

// Its first record, or the first of these types: written where it stands, before anything that it would have
// to hear.
void FollowCheck::begin(Follower& follower, const ConsumerRecord& next, const TickRecord& record) {
  follower.counts = next.follows() == follower.digest;
  follower.counted = 0;
  if (next.began() == 0) return;  // as versions wrote it that did not count
  const bool at_once = next.began() == next.position() && next.followed() == 0;
  if (!at_once || (!follower.at && next.position() != record.first_position))
    blame(
        fmt::format("where {} begins was written down in tick {}, when it had followed something: what was "
                    "committed before event {} may have been missed",
                    follower.service, record.tick, next.position()));
}

uint64_t FollowCheck::waiting() const {
  uint64_t count = 0;
  for (const Follower& follower : followers_) count += follower.waiting.size();
  return count;
}

}  // namespace micropay::app
