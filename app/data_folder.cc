// Data folders on disk. std::filesystem with error codes: nothing throws.
#include "app/data_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "libs/store/log_file.h"

namespace micropay::app {
namespace fs = std::filesystem;
namespace {

// Made anew by every process that uses the folder.
bool of_process(const fs::path& path) {
  const std::string name = path.filename();
  return name == "LOCK" || name == "control.sock" || name.ends_with("-shm");
}

std::unexpected<Error> copy_failed(const fs::path& path, const std::error_code& error) {
  return fail(Code::kUnavailable, "copy_failed",
              fmt::format("cannot copy {}: {}", path.string(), error.message()));
}

// The copy is on the disk when it returns.
void copy_to_disk(const fs::path& from, const fs::path& to, fs::copy_options options,
                  std::error_code& error) {
  fs::copy_file(from, to, options, error);
  const int file = error ? -1 : open(to.c_str(), O_RDONLY | O_CLOEXEC);
  if (!error && (file < 0 || fsync(file) != 0)) error.assign(errno, std::generic_category());
  if (file >= 0) close(file);
}

fs::path whole_of(const std::string& to) {
  fs::path whole = absolute_path(to);
  return whole.has_filename() ? whole : whole.parent_path();  // "backups/monday/"
}
std::string partial_of(const std::string& to) { return whole_of(to).string() + ".partial"; }

// Whether the folder is `outer` or lies in it: of any of its ancestors that exist the inode counts, so that
// links and bind mounts are seen through.
bool lies_in(const fs::path& folder, const fs::path& outer) {
  std::error_code error;
  for (fs::path at = folder;; at = at.parent_path()) {
    if (at == outer || fs::equivalent(at, outer, error)) return true;
    if (!at.has_relative_path()) return false;
  }
}

// Names made in it are on the disk when it returns.
Result<void> sync_names(const fs::path& folder) { return make_log_folder(folder)->sync(); }

}  // namespace

Result<void> check_apart(const std::string& source, const std::string& target) {
  const fs::path from = absolute_path(source), to = absolute_path(target);
  const fs::path partial = partial_of(target);
  const bool apart =
      !lies_in(to, from) && !lies_in(partial, from) && !lies_in(from, to) && !lies_in(from, partial);
  if (apart) return {};
  return fail(Code::kInvalidArgument, "target_in_source",
              fmt::format("{} and {} lie in each other; a copy needs a folder of its own", source, target));
}

Result<void> make_folder(const std::string& to, const std::function<Result<void>(const std::string&)>& fill) {
  if (!empty_folder(to))
    return fail(Code::kFailedPrecondition, "target_not_empty",
                fmt::format("{} is not empty; nothing is overwritten", to));
  const fs::path whole = whole_of(to);
  const std::string partial = partial_of(to);
  std::error_code error;
  fs::remove_all(partial, error);
  if (auto filled = fill(partial); !filled) {
    fs::remove_all(partial, error);
    return filled;
  }
  TRY(sync_names(partial));
  fs::remove(whole, error);  // an empty folder
  fs::rename(partial, whole, error);
  if (error) return copy_failed(whole, error);
  return sync_names(whole.parent_path());
}

Result<void> require_data_folder(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(folder, error))
    return fail(Code::kNotFound, "no_data_folder", fmt::format("the folder {} does not exist", folder),
                "--data");
  if (!fs::is_directory(fs::path(folder) / "log", error))
    return fail(Code::kNotFound, "no_data_folder", fmt::format("{} is no data folder: it has no log", folder),
                "--data");
  return {};
}

bool empty_folder(const std::string& folder) {
  std::error_code error;
  return !fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error));
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(fs::absolute(path, error), error);
  return error ? path : resolved.string();
}

Result<void> copy_data_folder(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::create_directories(to, error);
  if (error) return copy_failed(to, error);
  for (fs::recursive_directory_iterator each(from, error), end; !error && each != end;
       each.increment(error)) {
    const fs::path target = fs::path(to) / fs::relative(each->path(), from, error);
    if (each->is_symlink(error) && each->is_directory(error)) {
      return copy_failed(each->path(), std::make_error_code(std::errc::too_many_symbolic_link_levels));
    } else if (each->is_directory(error)) {
      fs::create_directories(target, error);
      if (error) return copy_failed(target, error);
    } else if (each->is_regular_file(error) && !of_process(each->path())) {
      copy_to_disk(each->path(), target, fs::copy_options::none, error);
      if (error) return copy_failed(target, error);
    }
  }
  if (error) return copy_failed(from, error);
  return {};
}

Result<void> copy_side_files(const std::string& from, const std::string& to) {
  std::error_code error;
  for (fs::directory_iterator each(from, error), end; !error && each != end; each.increment(error)) {
    const std::string name = each->path().filename();
    if (!each->is_regular_file(error) || of_process(each->path()) || name.starts_with("state.db")) continue;
    copy_to_disk(each->path(), fs::path(to) / name, fs::copy_options::overwrite_existing, error);
    if (error) return copy_failed(each->path(), error);
  }
  if (error) return copy_failed(from, error);
  return {};
}

Result<ScratchFolder> ScratchFolder::make() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "micropay-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr)
    return fail(
        Code::kUnavailable, "no_scratch_folder",
        fmt::format("cannot make {}: {}; set TMPDIR to a folder with space", path, std::strerror(errno)));
  return ScratchFolder(std::move(path));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace micropay::app
