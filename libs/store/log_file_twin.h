// Test twin of the log's files: in memory, with what a disk may do. Writes that were not synced may be lost
// or torn by crash(); space may run out; a sync may fail. The same seed does the same.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "libs/store/log_file.h"

namespace micropay {

class LogFolderTwin final : public LogFolder {
 public:
  struct Content {
    std::string present;          // as the process sees it
    std::string durable;          // as the disk has it
    std::set<uint64_t> unsynced;  // blocks that differ
  };

  Result<std::vector<std::string>> list() const override;
  Result<std::unique_ptr<LogFile>> open(const std::string& name, Mode mode) override;
  Result<void> remove(const std::string& name) override;
  Result<void> sync() override { return {}; }

  // What is found on the disk when the machine stopped now: of each unsynced block the old content, the new
  // one, or
  // (`torn`) a mix. The process that still uses this folder no longer matters.
  std::shared_ptr<LogFolderTwin> crash(std::mt19937_64& random, bool torn) const;
  // What the next process finds when this one was killed and the machine goes on: everything that was
  // written, synced or not.
  std::shared_ptr<LogFolderTwin> kill() const;
  // Bytes of a file, for planting damage.
  std::string& bytes(const std::string& name) { return files_[name]->present; }

  // A test may set these while the store's threads write.
  std::atomic<uint64_t> capacity = UINT64_MAX;  // bytes of all files together
  std::atomic<bool> fail_sync = false;
  std::atomic<bool> stop_at_sync =
      false;  // the machine stops at the next sync, which fails, and all after it
  std::atomic<uint64_t> syncs = 0;

 private:
  friend class LogFileTwin;
  uint64_t used() const;
  bool stopped_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Content>> files_;
};

}  // namespace micropay
