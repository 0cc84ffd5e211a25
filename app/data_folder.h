// Data folders on disk, as commands see them: is it one, copying one, a scratch folder.
#pragma once

#include <functional>
#include <string>

#include "libs/base/error.h"

namespace micropay::app {

// Error no_data_folder when there is no log in it.
Result<void> require_data_folder(const std::string& folder);
// Missing, or without any entry.
bool empty_folder(const std::string& folder);
// Without symbolic links and dots, also of what does not exist yet.
std::string absolute_path(const std::string& path);

// Error target_in_source when one of two folders lies in the other, or they are one, whatever links and
// mounts lead there: a copy would copy itself, or take its source away. `target` and its DIR.partial need not
// exist.
Result<void> check_apart(const std::string& source, const std::string& target);

// Lets `fill` make a folder beside `to`, and gives it the name when it is whole and on the disk, so that what
// a crash leaves behind is never taken for it: that is DIR.partial, and the next attempt replaces it.
// Errors: target_not_empty, copy_failed, those of `fill`.
Result<void> make_folder(const std::string& to, const std::function<Result<void>(const std::string&)>& fill);

// Copies regular files, but not the lock, the control socket and SQLite's journals. A link to a folder is
// refused: what is behind it would be missing. Error: copy_failed.
Result<void> copy_data_folder(const std::string& from, const std::string& to);
// The files that belong to a data folder beside log and tables: the signing keys.
Result<void> copy_side_files(const std::string& from, const std::string& to);

// A new folder below TMPDIR that goes with this object.
class ScratchFolder {
 public:
  static Result<ScratchFolder> make();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace micropay::app
