// Test twin of the files below SQLite: a VFS over the usual one that remembers what was synced, so that the
// machine can stop at any moment and its disk be looked at: of what was written since a file's last sync,
// each sector is there, is not, or is torn. While it lives it is the VFS of every connection of this process.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>

struct sqlite3_vfs;

namespace micropay {

class SqliteDiskTwin {
 public:
  struct Content {
    std::string present;          // as the process sees it
    std::string durable;          // as the disk has it
    std::set<uint64_t> unsynced;  // sectors that differ
    bool named = false;           // the name is on the disk, too: it was synced once
  };

  SqliteDiskTwin();
  ~SqliteDiskTwin();

  // The machine stops at the so-many-th sync from now (1: the next): it fails, as does everything after it.
  void stop_at(uint64_t syncs);
  void stop();
  // What is found on the disk after the stop, written to a folder where it can be opened. The machine runs
  // again.
  void crash(const std::string& from, const std::string& to, std::mt19937_64& random, bool torn);
  // A disk that says it has synced and has not: what a twin must be able to catch.
  void lie(bool lies);
  // Files do not grow while all together have more bytes than this.
  void set_capacity(uint64_t bytes);
  uint64_t syncs() const;
  uint64_t torn() const;  // sectors that a crash dropped or tore

 private:
  friend struct TwinFile;
  struct Vfs;
  uint64_t used() const;
  bool stopped_ = false, lies_ = false;
  uint64_t capacity_ = UINT64_MAX;
  uint64_t syncs_ = 0, torn_ = 0, stop_at_ = UINT64_MAX;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Content>> files_;
  std::unique_ptr<Vfs> vfs_;
};

}  // namespace micropay
