// The log's files on a real file system.
#include "libs/store/log_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "libs/base/check.h"

namespace micropay {

std::unexpected<Error> storage_error(std::string_view what, const std::string& path, int error_number) {
  bool full = error_number == ENOSPC || error_number == EDQUOT;
  return fail(Code::kUnavailable, full ? "storage_full" : "storage_failed",
              fmt::format("{} {}: {}", what, path, std::strerror(error_number)));
}

void BlockBuffer::Free::operator()(char* data) const { std::free(data); }

void BlockBuffer::grow(size_t bytes) {
  if (bytes <= capacity_) return;
  size_t capacity = align_block(std::max(bytes, capacity_ * 2));
  auto* data = static_cast<char*>(std::aligned_alloc(kLogBlock, capacity));
  CHECK(data != nullptr);
  if (capacity_ > 0) std::memcpy(data, data_.get(), capacity_);
  data_.reset(data);
  capacity_ = capacity;
}

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class RealFile final : public LogFile {
 public:
  RealFile(std::string path, Descriptor reading, Descriptor writing)
      : path_(std::move(path)), reading_(std::move(reading)), writing_(std::move(writing)) {}

  Result<void> write_at(uint64_t offset, std::string_view blocks) override {
    CHECK(offset % kLogBlock == 0 && blocks.size() % kLogBlock == 0);
    while (!blocks.empty()) {
      ssize_t written = ::pwrite(writing_.get(), blocks.data(), blocks.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0 && errno == EINVAL && leave_direct()) continue;
      if (written <= 0) return storage_error("cannot write", path_, written == 0 ? ENOSPC : errno);
      blocks.remove_prefix(static_cast<size_t>(written));
      offset += static_cast<uint64_t>(written);
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(writing_.get()) != 0) return storage_error("cannot sync", path_, errno);
    return {};
  }

  Result<size_t> read_at(uint64_t offset, char* to, size_t bytes) const override {
    size_t done = 0;
    while (done < bytes) {
      ssize_t got = ::pread(reading_.get(), to + done, bytes - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return storage_error("cannot read", path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  Result<uint64_t> size() const override {
    struct stat stat{};
    if (::fstat(reading_.get(), &stat) != 0) return storage_error("cannot stat", path_, errno);
    return static_cast<uint64_t>(stat.st_size);
  }

  Result<void> resize(uint64_t bytes) override {
    if (::ftruncate(writing_.get(), static_cast<off_t>(bytes)) != 0)
      return storage_error("cannot resize", path_, errno);
    return {};
  }

  Result<void> reserve(uint64_t bytes) override {
    int error = ::posix_fallocate(writing_.get(), 0, static_cast<off_t>(bytes));
    if (error == 0 || error == EOPNOTSUPP || error == EINVAL) return {};  // then it grows as it is written
    return storage_error("cannot reserve space for", path_, error);
  }

 private:
  // Some file systems (tmpfs) take O_DIRECT at open or not at all, others refuse the write.
  bool leave_direct() {
    int flags = ::fcntl(writing_.get(), F_GETFL);
    return (flags & O_DIRECT) != 0 && ::fcntl(writing_.get(), F_SETFL, flags & ~O_DIRECT) == 0;
  }

  std::string path_;
  Descriptor reading_, writing_;
};

class RealFolder final : public LogFolder {
 public:
  explicit RealFolder(std::string path) : path_(std::move(path)) {}

  Result<std::vector<std::string>> list() const override {
    DIR* folder = ::opendir(path_.c_str());
    if (folder == nullptr) return storage_error("cannot read", path_, errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(folder)) {
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(folder);
    std::ranges::sort(names);
    return names;
  }

  Result<std::unique_ptr<LogFile>> open(const std::string& name, Mode mode) override {
    std::string path = path_ + "/" + name;
    int create = mode == Mode::kCreate ? O_CREAT | O_TRUNC : 0;
    Descriptor writing;
    if (mode != Mode::kRead) {
      writing = Descriptor(::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC | create, 0600));
      if (writing.get() < 0 && errno == EINVAL)
        writing = Descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC | create, 0600));
      if (writing.get() < 0) return storage_error("cannot open", path, errno);
    }
    Descriptor reading(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (reading.get() < 0) return storage_error("cannot open", path, errno);
    return std::make_unique<RealFile>(std::move(path), std::move(reading), std::move(writing));
  }

  Result<void> remove(const std::string& name) override {
    std::string path = path_ + "/" + name;
    if (::unlink(path.c_str()) != 0) return storage_error("cannot remove", path, errno);
    return {};
  }

  Result<void> sync() override {
    Descriptor folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0 || ::fsync(folder.get()) != 0) return storage_error("cannot sync", path_, errno);
    return {};
  }

 private:
  std::string path_;
};

}  // namespace

std::shared_ptr<LogFolder> make_log_folder(std::string path) {
  return std::make_shared<RealFolder>(std::move(path));
}

}  // namespace micropay
