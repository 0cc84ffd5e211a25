// Whether every service has taken in each event of the others that it has handlers for, once and in order, as
// far as its watermarks say. What a service hears becomes part of its own log as it is, so this is a
// comparison of logs: of each pair of services, partition by partition, the events that the one emitted with
// those that the other took in. 32 bytes of memory an event emitted, 8 for each time that it was heard.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/cluster/heard_events.h"
#include "contracts/runtime.pb.h"
#include "libs/base/keyed_hash.h"
#include "libs/store/tick_packing.h"

namespace micropay::app {

class HeardCheck {
 public:
  HeardCheck(const std::vector<Service>& services, uint32_t partitions);

  // Every event of a service's log, in order; log after log.
  void event(const std::string& service, const Envelope& event);
  void watermark(const std::string& service, const ConsumerRecord& record);
  // Every record of a service's log, in order: since when it hears what.
  void record(const std::string& service, const TickRecord& record);
  // Its log went on while the others were read: who has heard more of it than was read heard it right.
  void went_on(const std::string& service) { at(service).went_on = true; }

  struct Outcome {
    uint64_t heard = 0;    // taken in, by all together
    uint64_t waiting = 0;  // emitted, and not taken in yet
    std::string problem;   // the first one
    std::string first_waiting;
  };
  Outcome compare() const;

  // The events that a service emitted into a partition of its topic, in order.
  struct Emitted {
    uint64_t id;  // hash
    uint64_t position;
    const contract::Event* type;
  };
  const std::vector<Emitted>& emitted(const std::string& service, uint32_t partition) const;
  uint64_t hash(std::string_view id) const { return hash_(id); }
  uint32_t partitions() const { return partitions_; }

 private:
  struct Partition {
    std::vector<uint64_t> ids;  // hashes, as they were taken in
    uint64_t watermark = 0;     // position in the source's log
  };
  struct Participant {
    std::string name;
    HeardEvents hears;
    bool went_on = false;
    std::vector<std::vector<Emitted>> emitted;              // by partition
    std::map<std::string, std::vector<Partition>> heard{};  // by source
    uint64_t foreign = 0;                                   // events of a service that it does not hear
    using Place = std::pair<std::string, uint32_t>;         // source and partition
    std::map<Place, uint64_t> taken_to{};                   // while its log is read
    std::map<std::string, std::map<Place, uint64_t>>
        began{};  // by type: what it had taken of all places before
    bool hears_since(const Emitted& event, const Place& place) const;
  };
  Participant& at(const std::string& service);
  void compare(const Participant& consumer, const Participant& source, uint32_t partition,
               Outcome& outcome) const;

  const uint32_t partitions_;
  const KeyedHash hash_;
  std::vector<Participant> participants_;
};

}  // namespace micropay::app
