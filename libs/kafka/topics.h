// The topics of a service: "<service>-events" and, for records that nobody can read, "<service>-events-dlt".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/kafka/settings.h"

namespace micropay::kafka {

std::string topic_of(const KafkaSettings& settings, std::string_view service);
std::string service_of(const KafkaSettings& settings, std::string_view topic);  // empty: of none
std::string dead_letter_topic_of(std::string_view topic);

// Makes those that are not there, with the settings' partitions, replication and retention, and looks at the
// others: kFailedPrecondition topic_partitions when one has another number of partitions, since then a key
// would be in another place; its detail says what to do. kUnavailable while no broker answers within
// `timeout`.
Result<void> make_topics(const KafkaSettings& settings, const std::vector<std::string>& services,
                         Duration timeout = 10 * kSecond);

// Removes these topics with all that they hold, and makes them again, empty. Its dead letters stay.
// kUnavailable when that is not done within `timeout`: call it again.
Result<void> make_anew(const KafkaSettings& settings, const std::vector<std::string>& services,
                       Duration timeout = kMinute);

struct TopicInfo {
  std::string name;
  uint32_t partitions = 0;
};
// All topics of the platform's services that there are.
Result<std::vector<TopicInfo>> event_topics(const KafkaSettings& settings, Duration timeout = 10 * kSecond);

}  // namespace micropay::kafka
