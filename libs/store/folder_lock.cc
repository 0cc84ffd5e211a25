// Locking of the data folder.
#include "libs/store/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "libs/store/log_file.h"

namespace micropay {

Result<FolderLock> FolderLock::take(const std::string& folder) {
  std::error_code error;
  bool made = std::filesystem::create_directories(folder, error);
  if (error) return storage_error("cannot make", folder, error.value());
  if (made) ::chmod(folder.c_str(), 0700);  // balances and personal data are in it
  std::string path = folder + "/LOCK";
  FolderLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.fd_ < 0) {
    if (errno == EACCES || errno == EROFS || errno == EPERM)
      return fail(
          Code::kFailedPrecondition, "data_read_only",
          fmt::format("{} cannot be written: {}; give this user the right, or another folder with --data",
                      folder, std::error_code(errno, std::generic_category()).message()));
    return storage_error("cannot open", path, errno);
  }
  char text[32] = {};
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    ssize_t size = ::pread(lock.fd_, text, sizeof text - 1, 0);
    std::string pid(text, size > 0 ? static_cast<size_t>(size) : 0);
    while (pid.ends_with('\n')) pid.pop_back();
    auto in_use =
        fail(Code::kFailedPrecondition, "data_in_use",
             fmt::format("{} is used by process {}; stop it first, or choose another folder with --data",
                         folder, pid));
    in_use.error().extensions = {{"pid", pid}};
    return in_use;
  }
  std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.fd_, 0) != 0 || ::pwrite(lock.fd_, pid.data(), pid.size(), 0) < 0)
    return storage_error("cannot write", path, errno);
  return lock;
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace micropay
