#include "libs/kafka/partition_reader.h"

namespace micropay::kafka {

Reading PartitionReader::read(const EventMessage& message, uint64_t offset) {
  Reading reading;
  std::optional<Place> place;
  auto read = read_event(message, contract::model());
  if (read && read->event->envelope.service() != service_)
    read = fail(Code::kInvalidArgument, "foreign_source", "the topic is of another service", "ce_source");
  if (read) {
    reading.event = std::move(read->event);
    place = {.position = reading.event->envelope.position(), .previous = read->previous};
  } else {
    reading.error = std::move(read.error());
    place = place_of(message, service_);
  }
  if (!place) return reading;  // of somebody else: it has no place among the events
  reading.position = place->position;
  reading.loose = !reading.event && place->previous == 0;
  if (reading.loose) {
    const bool before = passed_.contains(place->position) || (last_ && place->position <= *last_);
    if (before) reading.kind = Reading::Kind::kRepeated;
    return reading;
  }
  if (!last_) last_ = offset == 0 ? 0 : place->position - 1;
  if (place->position <= *last_) reading.kind = Reading::Kind::kRepeated;
  else if (place->previous > *last_ && !passed_.contains(place->previous))
    reading.kind = Reading::Kind::kAhead;
  else if (reading.event) reading.kind = Reading::Kind::kNext;
  return reading;
}

void PartitionReader::taken(const Reading& reading) {
  if (reading.position == 0) return;
  if (!reading.loose) {
    last_ = reading.position;
    passed_.erase(passed_.begin(), passed_.upper_bound(reading.position));
    return;
  }
  passed_.insert(reading.position);
  if (passed_.size() > kMostPassed) passed_.erase(passed_.begin());
}

}  // namespace micropay::kafka
