// DIR/keys.json: signing keys as private JSON Web Keys (RFC 8037) with "created", "not_before" and "retired".
// Written whole, beside the old one, and renamed over it; a process that changes it holds a lock on the
// folder. Errors: keys_unavailable, with what to do in the detail.
#pragma once

#include "libs/security/keys.h"

namespace micropay::key_file {

// Held while it lives, against other processes.
class Lock {
 public:
  explicit Lock(int file) : file_(file) {}
  Lock(Lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Lock& operator=(Lock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~Lock();

 private:
  int file_;
};

// Makes the folder when it is not there.
Result<Lock> lock(const std::string& folder);
bool exists(const std::string& folder);
// Differs after each write; zeros when there is no file.
std::array<int64_t, 3> version(const std::string& folder);
Result<std::vector<SigningKey>> read(const std::string& folder);
Result<void> write(const std::string& folder, const std::vector<SigningKey>& keys);

}  // namespace micropay::key_file
