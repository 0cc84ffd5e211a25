// The VFS: every call goes on to the real file; writes and syncs are also kept here. Only what the store uses
// is there: no memory mapping of the database (xFetch).
#include "libs/store/sqlite_twin.h"

#include <sqlite3.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "libs/base/check.h"

namespace micropay {
namespace {
constexpr uint64_t kSector = 512;
}

struct TwinFile {
  sqlite3_file base;  // first: SQLite knows this part
  SqliteDiskTwin* twin;
  std::shared_ptr<SqliteDiskTwin::Content>* content;  // null: a file that no crash has to keep (sorting)
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  static TwinFile& of(sqlite3_file* file) { return *reinterpret_cast<TwinFile*>(file); }

  int write(const char* bytes, uint64_t size, uint64_t offset) {
    std::lock_guard lock(twin->mutex_);
    if (twin->stopped_) return SQLITE_IOERR_WRITE;
    if (content != nullptr) {
      std::string& present = (*content)->present;
      if (present.size() < offset + size && twin->used() > twin->capacity_) return SQLITE_FULL;
      if (present.size() < offset + size) present.resize(offset + size);
      std::memcpy(present.data() + offset, bytes, size);
      for (uint64_t at = offset / kSector; at * kSector < offset + size; ++at)
        (*content)->unsynced.insert(at);
    }
    return real()->pMethods->xWrite(real(), bytes, static_cast<int>(size),
                                    static_cast<sqlite3_int64>(offset));
  }

  int truncate(uint64_t size) {
    std::lock_guard lock(twin->mutex_);
    if (twin->stopped_) return SQLITE_IOERR_TRUNCATE;
    if (content != nullptr) (*content)->present.resize(size);
    return real()->pMethods->xTruncate(real(), static_cast<sqlite3_int64>(size));
  }

  // The real file is not synced: no machine stops here, and it would take its time.
  int sync() {
    std::lock_guard lock(twin->mutex_);
    if (++twin->syncs_ >= twin->stop_at_) twin->stopped_ = true;
    if (twin->stopped_) return SQLITE_IOERR_FSYNC;
    if (content == nullptr || twin->lies_) return SQLITE_OK;
    (*content)->durable = (*content)->present;
    (*content)->unsynced.clear();
    (*content)->named = true;
    return SQLITE_OK;
  }
};

namespace {

using File = sqlite3_file;
using Long = sqlite3_int64;
TwinFile& twin(File* file) { return TwinFile::of(file); }
File* real(File* file) { return twin(file).real(); }
const sqlite3_io_methods* methods(File* file) { return real(file)->pMethods; }

int close_file(File* file) {
  delete twin(file).content;
  return methods(file)->xClose(real(file));
}

const sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = [](File* file, void* to, int size,
                Long at) { return methods(file)->xRead(real(file), to, size, at); },
    .xWrite =
        [](File* file, const void* from, int size, Long at) {
          return twin(file).write(static_cast<const char*>(from), static_cast<uint64_t>(size),
                                  static_cast<uint64_t>(at));
        },
    .xTruncate = [](File* file, Long size) { return twin(file).truncate(static_cast<uint64_t>(size)); },
    .xSync = [](File* file, int) { return twin(file).sync(); },
    .xFileSize = [](File* file, Long* size) { return methods(file)->xFileSize(real(file), size); },
    .xLock = [](File* file, int level) { return methods(file)->xLock(real(file), level); },
    .xUnlock = [](File* file, int level) { return methods(file)->xUnlock(real(file), level); },
    .xCheckReservedLock = [](File* file,
                             int* held) { return methods(file)->xCheckReservedLock(real(file), held); },
    .xFileControl = [](File* file, int what,
                       void* with) { return methods(file)->xFileControl(real(file), what, with); },
    .xSectorSize = [](File* file) { return methods(file)->xSectorSize(real(file)); },
    .xDeviceCharacteristics = [](File* file) { return methods(file)->xDeviceCharacteristics(real(file)); },
    .xShmMap =
        [](File* file, int region, int size, int extend, void volatile** at) {
          return methods(file)->xShmMap(real(file), region, size, extend, at);
        },
    .xShmLock = [](File* file, int offset, int count,
                   int flags) { return methods(file)->xShmLock(real(file), offset, count, flags); },
    .xShmBarrier = [](File* file) { methods(file)->xShmBarrier(real(file)); },
    .xShmUnmap = [](File* file, int remove) { return methods(file)->xShmUnmap(real(file), remove); },
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

}  // namespace

struct SqliteDiskTwin::Vfs : sqlite3_vfs {
  SqliteDiskTwin* twin;
  sqlite3_vfs* real;

  static Vfs& of(sqlite3_vfs* vfs) { return *static_cast<Vfs*>(vfs); }

  static int open(sqlite3_vfs* self, const char* name, File* file, int flags, int* out) {
    Vfs& vfs = of(self);
    TwinFile& opened = TwinFile::of(file);
    opened.twin = vfs.twin;
    opened.content = nullptr;
    opened.base.pMethods = nullptr;
    int code = vfs.real->xOpen(vfs.real, name, opened.real(), flags, out);
    if (code != SQLITE_OK) return code;
    opened.base.pMethods = &kMethods;
    if (name == nullptr || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) == 0)
      return code;
    std::lock_guard lock(vfs.twin->mutex_);
    auto [at, added] = vfs.twin->files_.try_emplace(name);
    if (added) at->second = std::make_shared<Content>(found_on_disk(name));
    opened.content = new std::shared_ptr<Content>(at->second);
    return code;
  }

  static Content found_on_disk(const char* name) {
    std::ifstream file(name, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    return {.present = bytes, .durable = bytes, .unsynced = {}, .named = !bytes.empty()};
  }

  static int remove(sqlite3_vfs* self, const char* name, int sync) {
    Vfs& vfs = of(self);
    std::lock_guard lock(vfs.twin->mutex_);
    if (vfs.twin->stopped_) return SQLITE_IOERR_DELETE;
    vfs.twin->files_.erase(name);
    return vfs.real->xDelete(vfs.real, name, sync);
  }
};

SqliteDiskTwin::SqliteDiskTwin() : vfs_(std::make_unique<Vfs>()) {
  sqlite3_vfs* usual = sqlite3_vfs_find(nullptr);
  CHECK(usual != nullptr);
  *static_cast<sqlite3_vfs*>(vfs_.get()) =
      *usual;  // what is not replaced does not look at its first argument
  vfs_->twin = this;
  vfs_->real = usual;
  vfs_->pNext = nullptr;
  vfs_->zName = "micropay-twin";
  vfs_->szOsFile = static_cast<int>(sizeof(TwinFile)) + usual->szOsFile;
  vfs_->xOpen = Vfs::open;
  vfs_->xDelete = Vfs::remove;
  CHECK(sqlite3_vfs_register(vfs_.get(), 1) == SQLITE_OK);
}

SqliteDiskTwin::~SqliteDiskTwin() {
  sqlite3_vfs_unregister(vfs_.get());
  sqlite3_vfs_register(vfs_->real, 1);
}

void SqliteDiskTwin::stop_at(uint64_t syncs) {
  std::lock_guard lock(mutex_);
  stop_at_ = syncs_ + syncs;
}

void SqliteDiskTwin::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
}

void SqliteDiskTwin::lie(bool lies) {
  std::lock_guard lock(mutex_);
  lies_ = lies;
}

void SqliteDiskTwin::set_capacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

uint64_t SqliteDiskTwin::used() const {
  uint64_t bytes = 0;
  for (const auto& [name, content] : files_) bytes += content->present.size();
  return bytes;
}

uint64_t SqliteDiskTwin::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

uint64_t SqliteDiskTwin::torn() const {
  std::lock_guard lock(mutex_);
  return torn_;
}

void SqliteDiskTwin::crash(const std::string& from, const std::string& to, std::mt19937_64& random,
                           bool torn) {
  std::lock_guard lock(mutex_);
  for (const auto& [name, content] : files_) {
    if (!name.starts_with(from + "/")) continue;
    if (!content->named && random() % 2 == 0) continue;  // not even the name has reached the disk
    const std::string& present = content->present;
    std::string disk = content->durable;
    if (disk.size() > present.size() && random() % 2 == 0) disk.resize(present.size());
    for (uint64_t sector : content->unsynced) {
      uint64_t at = sector * kSector, fate = random() % 3;
      if (at >= present.size()) continue;
      size_t whole = std::min<uint64_t>(kSector, present.size() - at);
      size_t count = fate == 0 ? 0 : torn && fate == 1 ? random() % whole : whole;
      if (count < whole) ++torn_;
      if (count == 0) continue;
      if (disk.size() < at + whole) disk.resize(at + whole);
      std::memcpy(disk.data() + at, present.data() + at, count);
    }
    std::ofstream(to + name.substr(from.size()), std::ios::binary) << disk;
  }
  stopped_ = false;
  stop_at_ = UINT64_MAX;
}

}  // namespace micropay
