// What to make of the records of one partition, one after another: the next event, one that came before, one
// that is ahead of an event that is missing, or no event at all. Each event says which one was before it in
// its partition (ce_previous), so none is passed over: when a broker refuses one and takes those behind it,
// these are ahead, are left out, and come again behind the missing one, since it is published again and all
// after it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libs/kafka/event_message.h"

namespace micropay::kafka {

struct Reading {
  enum class Kind : uint8_t { kNext, kRepeated, kAhead, kPoison };
  Kind kind = Kind::kPoison;
  std::shared_ptr<const EventRecord> event;  // of kNext; and of others, when it could be read
  uint64_t position = 0;                     // 0: not known
  Error error;                               // of kPoison
  bool loose = false;                        // unreadable, and does not say what was before it
};

class PartitionReader {
 public:
  // `last`: position of the event taken last; none: not known, whatever comes first is the next, unless it is
  // at the beginning of the partition.
  PartitionReader(std::string service, std::optional<uint64_t> last)
      : service_(std::move(service)), last_(last) {}
  Reading read(const EventMessage& message, uint64_t offset);
  // It was taken (or, when it is poison, put aside): what is behind it may come.
  void taken(const Reading& reading);
  // Events were deleted before they were taken: whatever comes first is the next.
  void begin_anywhere() { last_.reset(); }

 private:
  std::string service_;  // that the topic is of
  std::optional<uint64_t> last_;
  // Positions of loose ones. Where such a record says that it stands is nothing to go by, since anybody can
  // write that: events behind it are not taken for older ones. But it may be an event of ours, which the next
  // one says was before it.
  std::set<uint64_t> passed_;
  static constexpr size_t kMostPassed = 16;
};

}  // namespace micropay::kafka
