// The twin of the log's files.
#include "libs/store/log_file_twin.h"

#include <cerrno>
#include <cstring>

#include "libs/base/check.h"

namespace micropay {

class LogFileTwin final : public LogFile {
 public:
  LogFileTwin(LogFolderTwin& folder, std::shared_ptr<LogFolderTwin::Content> content)
      : folder_(folder), content_(std::move(content)) {}

  Result<void> write_at(uint64_t offset, std::string_view blocks) override {
    std::lock_guard lock(folder_.mutex_);
    CHECK(offset % kLogBlock == 0 && blocks.size() % kLogBlock == 0);
    CHECK(reinterpret_cast<uintptr_t>(blocks.data()) % kLogBlock == 0);
    if (folder_.stopped_) return storage_error("write", "twin", EIO);
    std::string& present = content_->present;
    uint64_t end = offset + blocks.size();
    if (end > present.size()) {
      if (folder_.used() + end - present.size() > folder_.capacity)
        return storage_error("write", "twin", ENOSPC);
      present.resize(end);
    }
    std::memcpy(present.data() + offset, blocks.data(), blocks.size());
    for (uint64_t at = offset; at < end; at += kLogBlock) content_->unsynced.insert(at);
    return {};
  }

  Result<void> sync() override {
    std::lock_guard lock(folder_.mutex_);
    folder_.stopped_ = folder_.stopped_ || folder_.stop_at_sync;
    if (folder_.fail_sync || folder_.stopped_) return storage_error("sync", "twin", EIO);
    const std::string& present = content_->present;
    content_->durable.resize(present.size());
    for (const uint64_t at : content_->unsynced)  // all of it each time was the time of the crash tests
      if (at < present.size()) present.copy(content_->durable.data() + at, kLogBlock, at);
    content_->unsynced.clear();
    ++folder_.syncs;
    return {};
  }

  Result<size_t> read_at(uint64_t offset, char* to, size_t bytes) const override {
    std::lock_guard lock(folder_.mutex_);
    if (offset >= content_->present.size()) return size_t(0);
    size_t count = std::min<uint64_t>(bytes, content_->present.size() - offset);
    std::memcpy(to, content_->present.data() + offset, count);
    return count;
  }

  Result<uint64_t> size() const override {
    std::lock_guard lock(folder_.mutex_);
    return content_->present.size();
  }

  Result<void> resize(uint64_t bytes) override {
    std::lock_guard lock(folder_.mutex_);
    content_->present.resize(bytes);
    content_->durable.resize(bytes);
    return {};
  }

  Result<void> reserve(uint64_t bytes) override {
    std::lock_guard lock(folder_.mutex_);
    uint64_t more = bytes > content_->present.size() ? bytes - content_->present.size() : 0;
    if (folder_.used() + more > folder_.capacity) return storage_error("reserve", "twin", ENOSPC);
    return {};
  }

 private:
  LogFolderTwin& folder_;
  std::shared_ptr<LogFolderTwin::Content> content_;
};

uint64_t LogFolderTwin::used() const {
  uint64_t bytes = 0;
  for (const auto& [name, content] : files_) bytes += content->present.size();
  return bytes;
}

Result<std::vector<std::string>> LogFolderTwin::list() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  names.reserve(files_.size());
  for (const auto& [name, content] : files_) names.push_back(name);
  return names;
}

Result<std::unique_ptr<LogFile>> LogFolderTwin::open(const std::string& name, Mode mode) {
  std::lock_guard lock(mutex_);
  auto at = files_.find(name);
  if (mode == Mode::kCreate) at = files_.insert_or_assign(name, std::make_shared<Content>()).first;
  if (at == files_.end()) return storage_error("open", name, ENOENT);
  return std::make_unique<LogFileTwin>(*this, at->second);
}

Result<void> LogFolderTwin::remove(const std::string& name) {
  std::lock_guard lock(mutex_);
  files_.erase(name);
  return {};
}

std::shared_ptr<LogFolderTwin> LogFolderTwin::kill() const {
  std::lock_guard lock(mutex_);
  auto disk = std::make_shared<LogFolderTwin>();
  disk->capacity = capacity.load();
  for (const auto& [name, content] : files_) disk->files_.emplace(name, std::make_shared<Content>(*content));
  return disk;
}

std::shared_ptr<LogFolderTwin> LogFolderTwin::crash(std::mt19937_64& random, bool torn) const {
  std::lock_guard lock(mutex_);
  auto disk = std::make_shared<LogFolderTwin>();
  disk->capacity = capacity.load();
  for (const auto& [name, content] : files_) {
    std::string durable = content->durable;
    for (uint64_t at : content->unsynced) {
      uint64_t fate = random() % 3;
      size_t count = fate == 0 ? 0 : kLogBlock;
      if (torn && fate == 1) count = random() % kLogBlock;
      if (at + kLogBlock > content->present.size()) continue;
      if (durable.size() < at + kLogBlock) durable.resize(at + kLogBlock);
      std::memcpy(durable.data() + at, content->present.data() + at, count);
    }
    disk->files_.emplace(name, std::make_shared<Content>(Content{durable, durable, {}}));
  }
  return disk;
}

}  // namespace micropay
