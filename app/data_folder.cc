// Data folders on disk. std::filesystem with error codes: nothing throws.
#include "app/data_folder.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>

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

}  // namespace

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
    if (each->is_directory(error)) {
      fs::create_directories(target, error);
      if (error) return copy_failed(target, error);
    } else if (each->is_regular_file(error) && !of_process(each->path())) {
      fs::copy_file(each->path(), target, error);
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
    fs::copy_file(each->path(), fs::path(to) / name, fs::copy_options::overwrite_existing, error);
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
