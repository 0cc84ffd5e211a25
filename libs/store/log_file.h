// The files of the log behind a small interface, so that a simulator or a test can tear, drop or refuse
// writes. The real ones bypass the page cache (O_DIRECT) where the file system allows it: overwriting
// zero-filled space that way costs a fifth of a buffered append and fdatasync (decisions/0001). Errors:
// kUnavailable with storage_full or storage_failed. A LogFile's reads may come from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"

namespace micropay {

// Writes start, end and lie in memory at multiples of it.
constexpr size_t kLogBlock = 4096;
constexpr uint64_t align_block(uint64_t bytes) { return (bytes + kLogBlock - 1) / kLogBlock * kLogBlock; }

class LogFile {
 public:
  virtual ~LogFile() = default;
  virtual Result<void> write_at(uint64_t offset, std::string_view blocks) = 0;
  virtual Result<void> sync() = 0;  // what was written is durable when it returns
  virtual Result<size_t> read_at(uint64_t offset, char* to,
                                 size_t bytes) const = 0;  // fewer at the end of the file
  virtual Result<uint64_t> size() const = 0;
  virtual Result<void> resize(uint64_t bytes) = 0;
  // Takes space for the file to grow to `bytes`, or fails with storage_full and leaves it as it was.
  virtual Result<void> reserve(uint64_t bytes) = 0;
};

// The folder DIR/log.
class LogFolder {
 public:
  enum class Mode : uint8_t { kRead, kWrite, kCreate };
  virtual ~LogFolder() = default;
  virtual Result<std::vector<std::string>> list() const = 0;
  virtual Result<std::unique_ptr<LogFile>> open(const std::string& name, Mode mode) = 0;
  virtual Result<void> remove(const std::string& name) = 0;
  virtual Result<void> sync() = 0;  // names made and removed are durable when it returns
};

std::shared_ptr<LogFolder> make_log_folder(std::string path);

// The error of a failed system call.
std::unexpected<Error> storage_error(std::string_view what, const std::string& path, int error_number);

// Memory that may be handed to LogFile::write_at; grows, never shrinks.
class BlockBuffer {
 public:
  char* data() { return data_.get(); }
  size_t capacity() const { return capacity_; }
  void grow(size_t bytes);  // keeps the content

 private:
  struct Free {
    void operator()(char* data) const;
  };
  std::unique_ptr<char, Free> data_;
  size_t capacity_ = 0;
};

}  // namespace micropay
