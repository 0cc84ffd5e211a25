// Prepares the next segment of the log while the present one is used: space taken, filled with zeros, name
// durable, so that a commit only overwrites and never waits for the file system's own bookkeeping. Its thread
// also cuts finished segments to their length. Without the thread (a simulator) the same happens inside
// prepare().
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "libs/store/log_file.h"

namespace micropay {

struct PreparedSegment {
  std::string name;
  std::unique_ptr<LogFile> file;
  uint64_t bytes = 0;
};

// Fills [from, to) with zeros and syncs. `pause` is called between pieces and ends it early by returning
// false.
Result<void> fill_with_zeros(LogFile& file, uint64_t from, uint64_t to,
                             const std::function<bool()>& pause = {});

class SegmentPreparer {
 public:
  SegmentPreparer(LogFolder& folder, bool in_background);
  ~SegmentPreparer();  // removes what was prepared and not taken

  // Begins to prepare a segment; `finished` (may be null) is cut to `finished_bytes` first. On a full disk a
  // smaller segment is tried.
  void prepare(std::string name, uint64_t bytes, std::unique_ptr<LogFile> finished, uint64_t finished_bytes);
  // The prepared segment; waits when it is not done. An error (storage_full) leaves things so that the next
  // call tries again.
  Result<PreparedSegment> take();

 private:
  struct Job {
    std::string name;
    uint64_t bytes = 0;
    std::unique_ptr<LogFile> finished;
    uint64_t finished_bytes = 0;
  };
  void run();
  void carry_out(Job& job);
  Result<PreparedSegment> make(const std::string& name, uint64_t bytes);

  LogFolder& folder_;
  const bool in_background_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Job> job_;                        // to do
  std::optional<Result<PreparedSegment>> ready_;  // the last job's outcome
  bool stopping_ = false;
  std::string last_name_;
  uint64_t last_bytes_ = 0;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace micropay
