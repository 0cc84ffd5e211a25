// config.changed on its way: from the config server, which notices new files, by the topic "config-events" to
// every process of a cluster, which then asks for its settings at once instead of at its next look.
//
//   ConfigAnnouncer announcer(kafka);   announcer.tell(changed);    // in the config server; never blocks
//   ConfigFollower follower(kafka, remote);   follower.start();     // in every other process
//
// Kafka away: announcements wait for it, a hundred at most, and processes go on looking by themselves
// (config_client.interval).
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "app/cluster/topic_feed.h"
#include "contracts/config.pb.h"
#include "libs/kafka/settings.h"
#include "libs/remote/remote_settings.h"
#include "services/config/watcher.h"

namespace micropay::kafka {
class Publisher;
}

namespace micropay::app {

class ConfigAnnouncer {
 public:
  explicit ConfigAnnouncer(kafka::KafkaSettings settings);
  ~ConfigAnnouncer();  // what is not published yet is left out
  void tell(const config::Changed& changed);

 private:
  void run();
  Result<void> publish(const ConfigChanged& change);
  Result<void> hand_over(const ConfigChanged& change);

  const kafka::KafkaSettings settings_;
  std::unique_ptr<kafka::Publisher> publisher_;  // of the thread
  uint64_t position_ = 0;                        // of the thread
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<ConfigChanged> waiting_;  // guarded by mutex_
  bool stopping_ = false;              // guarded by mutex_
  std::thread thread_;
};

class ConfigFollower {
 public:
  ConfigFollower(const kafka::KafkaSettings& settings, RemoteSettings& remote);
  void start() { feed_.start(); }

 private:
  void look(const gateway::EventBatch& events);
  RemoteSettings& remote_;
  TopicFeed feed_;
};

// Whether news of "*" or of these (names with commas, as a process asks for them) concern it.
bool concerns(std::string_view told, std::string_view own);

}  // namespace micropay::app
