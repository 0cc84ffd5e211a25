// DIR/LOCK: one process at a time writes a data folder. The kernel drops the lock with the process, however
// it ends; the file stays and holds the pid of who used it last.
#pragma once

#include <string>

#include "libs/base/error.h"

namespace micropay {

class FolderLock {
 public:
  // Makes the folder when it is not there. Errors: data_in_use (with the pid), data_read_only,
  // storage_failed.
  static Result<FolderLock> take(const std::string& folder);
  FolderLock() = default;
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace micropay
