// Notices that files changed: looks at every label that clients have asked for, at an interval and when it is
// told to. A thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "services/config/backend.h"
#include "services/config/rules/changes.h"

namespace micropay::config {

struct Changed {
  std::string label;    // as clients give it; the default one by its name
  std::string version;  // the new one
  std::vector<Change> changes;
};

class Watcher {
 public:
  // `on_changed` is called on the watcher's thread.
  Watcher(Backend& backend, Duration interval, std::function<void(const Changed&)> on_changed);
  ~Watcher() { stop(); }

  void start();
  void stop();
  void watch(const std::string& label);  // from now on; the first 32 labels are
  void look_now();                       // returns at once
  void look();                           // on the caller's thread: for tests

 private:
  void run();
  void look_at(const std::string& label);

  Backend& backend_;
  const Duration interval_;
  const std::function<void(const Changed&)> on_changed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, FileTreePtr> seen_;  // by label; guarded by mutex_
  bool stopped_ = true;                      // guarded by mutex_
  bool asked_ = false;                       // guarded by mutex_
  bool up_ = true;                           // of the thread
  std::thread thread_;
};

}  // namespace micropay::config
