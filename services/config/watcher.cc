#include "services/config/watcher.h"

#include <pthread.h>

#include <chrono>

#include "libs/base/log.h"
#include "libs/base/metrics.h"

namespace micropay::config {
namespace {

constexpr size_t kMaxLabels = 32;

}  // namespace

Watcher::Watcher(Backend& backend, Duration interval, std::function<void(const Changed&)> on_changed)
    : backend_(backend), interval_(interval), on_changed_(std::move(on_changed)) {
  seen_.try_emplace("");
}

void Watcher::start() {
  stopped_ = false;
  thread_ = std::thread([this] { run(); });
}

void Watcher::stop() {
  {
    std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Watcher::watch(const std::string& label) {
  std::scoped_lock lock(mutex_);
  if (seen_.size() < kMaxLabels) seen_.try_emplace(label);
}

void Watcher::look_now() {
  {
    std::scoped_lock lock(mutex_);
    asked_ = true;
  }
  wake_.notify_all();
}

void Watcher::run() {
  pthread_setname_np(pthread_self(), "config-watcher");
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    asked_ = false;
    lock.unlock();
    look();
    lock.lock();
    wake_.wait_for(lock, std::chrono::microseconds(interval_), [this] { return stopped_ || asked_; });
  }
}

void Watcher::look() {
  static Counter& failures =
      counter("micropay_config_refresh_failures_total", "Looks for changes that failed");
  const auto refreshed = backend_.refresh();
  if (!refreshed) {
    failures.add();
    if (std::exchange(up_, false))
      log_warn("config.refresh_failed", "The repository cannot be reached; what is here is served",
               {{"reason", refreshed.error().reason}, {"error.message", refreshed.error().detail}});
  } else if (!std::exchange(up_, true)) {
    log_info("config.refreshed", "The repository can be reached again");
  }
  std::vector<std::string> labels;
  {
    std::scoped_lock lock(mutex_);
    for (const auto& [label, tree] : seen_) labels.push_back(label);
  }
  for (const std::string& label : labels) look_at(label);
}

void Watcher::look_at(const std::string& label) {
  static Counter& changes =
      counter("micropay_config_changes_total", "New versions of the settings that were noticed");
  const auto tree = backend_.tree(label);
  if (!tree) return;  // a label that went; the requests tell of the rest
  FileTreePtr before;
  {
    std::scoped_lock lock(mutex_);
    before = std::exchange(seen_[label], *tree);
  }
  if (!before || before->version == (*tree)->version) return;
  changes.add();
  Changed changed{.label = label.empty() ? backend_.default_label() : label,
                  .version = (*tree)->version,
                  .changes = changes_between(*before, **tree)};
  log_info("config.changed", "The settings have a new version",
           {{"label", changed.label}, {"version", changed.version}, {"changes", changed.changes.size()}});
  on_changed_(changed);
}

}  // namespace micropay::config
