// Data folders on disk. std::filesystem with error codes: nothing throws.
#include "app/data_folder.h"

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

namespace {

// Writes to a borrowed file (the repair of a torn end) are taken and dropped: later reads see zeros there.
class BorrowedFile final : public LogFile {
 public:
  explicit BorrowedFile(std::unique_ptr<LogFile> file) : file_(std::move(file)) {}
  Result<void> write_at(uint64_t, std::string_view) override { return {}; }
  Result<void> sync() override { return {}; }
  Result<size_t> read_at(uint64_t offset, char* to, size_t bytes) const override {
    return file_->read_at(offset, to, bytes);
  }
  Result<uint64_t> size() const override { return file_->size(); }
  Result<void> resize(uint64_t) override { return {}; }
  Result<void> reserve(uint64_t) override { return {}; }

 private:
  std::unique_ptr<LogFile> file_;
};

class BorrowedLog final : public LogFolder {
 public:
  BorrowedLog(const std::string& log, const std::string& scratch)
      : borrowed_(make_log_folder(log)), own_(make_log_folder(scratch)) {}

  Result<std::vector<std::string>> list() const override {
    std::vector<std::string> names = TRY(borrowed_->list());
    for (std::string& name : TRY(own_->list())) names.push_back(std::move(name));
    std::ranges::sort(names);
    return names;
  }
  Result<std::unique_ptr<LogFile>> open(const std::string& name, Mode mode) override {
    const std::vector<std::string> names = TRY(borrowed_->list());
    if (std::ranges::count(names, name) == 0) return own_->open(name, mode);
    return std::make_unique<BorrowedFile>(TRY(borrowed_->open(name, Mode::kRead)));
  }
  Result<void> remove(const std::string& name) override {
    const std::vector<std::string> names = TRY(borrowed_->list());
    return std::ranges::count(names, name) == 0 ? own_->remove(name) : Result<void>();
  }
  Result<void> sync() override { return {}; }

 private:
  std::shared_ptr<LogFolder> borrowed_, own_;
};

}  // namespace

std::shared_ptr<LogFolder> borrowed_log(const std::string& log, const std::string& scratch) {
  return std::make_shared<BorrowedLog>(log, scratch);
}

}  // namespace micropay::app
