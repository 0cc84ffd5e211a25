// What the topics of services end with, read from outside: joins no group, and looks at the last records of
// each partition only. For comparing topics with the logs that they carry.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/kafka/consumed.h"
#include "libs/kafka/settings.h"

namespace micropay::kafka {

struct TopicEnd {
  uint64_t low = 0, high = 0;  // offsets: of the first record that there is, and behind the last
  // The newest event among the last records that this version can read; positions of the source's log.
  struct Last {
    uint64_t position = 0;
    std::string id;
  };
  std::optional<Last> event = {};
  uint64_t place = 0;  // the highest position that a record says it stands at, readable or not

  bool never_written() const { return high == 0; }
};
using TopicEnds = std::map<Partition, TopicEnd>;

// Of every partition of the topics of these services; a topic that is not there has none. kUnavailable while
// no broker answers within `timeout`.
Result<TopicEnds> topic_ends(const KafkaSettings& settings, const std::vector<std::string>& services,
                             Duration timeout = 20 * kSecond);

}  // namespace micropay::kafka
