// A directory: looked at with every request, read again only when a name, size or time of a file has changed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>

#include "libs/base/fnv.h"
#include "services/config/backend.h"
#include "services/config/rules/document.h"

namespace micropay::config {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 10;

struct Stamp {
  int64_t size = 0, seconds = 0, nanoseconds = 0;
  uint64_t inode = 0;
  bool operator==(const Stamp&) const = default;
};
using Stamps = std::map<std::string, Stamp>;  // by path below the root

std::unexpected<Error> unavailable(std::string detail) {
  return fail(Code::kUnavailable, "backend_unavailable", std::move(detail));
}

class DirectoryBackend final : public Backend {
 public:
  explicit DirectoryBackend(const std::string& folder) : folder_(folder) {}

  Result<FileTreePtr> tree(const std::string& label) override {
    std::scoped_lock lock(mutex_);
    TRY(read_if_changed());
    if (label.empty()) return all_;
    // Seldom more than a copy of pointers' worth: files are small, and who has labels mostly uses git.
    auto labelled = std::make_shared<FileTree>(*all_);
    const std::string prefix = label + "/";
    if (all_->files.lower_bound(prefix) != all_->files.end() &&
        all_->files.lower_bound(prefix)->first.starts_with(prefix))
      labelled->roots.insert(labelled->roots.begin(), prefix);
    return labelled;
  }
  std::string default_label() const override { return {}; }

 private:
  Result<Stamps> look() const;
  Result<void> add(Stamps& stamps, const fs::directory_entry& entry, const fs::path& root) const;
  Result<void> read_if_changed();

  const fs::path folder_;
  std::mutex mutex_;
  Stamps stamps_;
  FileTreePtr all_;
};

Result<void> DirectoryBackend::add(Stamps& stamps, const fs::directory_entry& entry,
                                   const fs::path& root) const {
  std::error_code error;
  const fs::path real = fs::canonical(entry.path(), error);
  if (error) return {};  // a link to nothing, or it is gone already
  const auto [at, rest] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  if (at != root.end()) return {};
  struct stat info{};
  if (::stat(real.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  if (stamps.size() == kMaxFiles)
    return fail(Code::kUnavailable, "backend_too_large", fmt::format("more than {} files", kMaxFiles));
  stamps[entry.path().lexically_relative(folder_).string()] = {info.st_size, info.st_mtim.tv_sec,
                                                               info.st_mtim.tv_nsec, info.st_ino};
  return {};
}

Result<Stamps> DirectoryBackend::look() const {
  std::error_code error;
  const fs::path root = fs::canonical(folder_, error);
  if (error) return unavailable(fmt::format("{}: {}", folder_.string(), error.message()));
  Stamps stamps;
  fs::recursive_directory_iterator at(folder_, error), end;
  for (; !error && at != end; at.increment(error)) {
    const bool hidden = at->path().filename().string().starts_with('.');
    if (hidden || at.depth() >= kMaxDepth) {
      at.disable_recursion_pending();
      if (hidden) continue;
    }
    TRY(add(stamps, *at, root));
  }
  if (error) return unavailable(fmt::format("{}: {}", folder_.string(), error.message()));
  return stamps;
}

Result<void> DirectoryBackend::read_if_changed() {
  Stamps now = TRY(look());
  if (all_ && now == stamps_) return {};
  auto tree = std::make_shared<FileTree>();
  tree->location = "file:" + folder_.string() + "/";
  size_t bytes = 0;
  uint64_t digest = kFnvBasis;
  for (const auto& [path, stamp] : now) {
    if (size_t(stamp.size) > kMaxFileBytes) continue;
    std::ifstream file(folder_ / path, std::ios::binary);
    std::string content(std::istreambuf_iterator<char>(file), {});
    if (!file.good() && !file.eof()) return unavailable(fmt::format("{} cannot be read", path));
    if ((bytes += content.size()) > kMaxTreeBytes)
      return fail(Code::kUnavailable, "backend_too_large", fmt::format("more than {} bytes", kMaxTreeBytes));
    digest = fnv1a(content, fnv1a(std::string_view("\0", 1), fnv1a(path, digest)));
    tree->files.emplace(path, std::move(content));
  }
  tree->version = fmt::format("{:016x}", digest);
  stamps_ = std::move(now);
  all_ = std::move(tree);
  return {};
}

}  // namespace

std::unique_ptr<Backend> directory_backend(const std::string& folder) {
  return std::make_unique<DirectoryBackend>(folder);
}

}  // namespace micropay::config
