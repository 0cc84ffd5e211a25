// What the store asks of the kernel, in which order: calls that no test twin has. This binary's own pwrite,
// fdatasync and fsync stand before those of the C library, note what they are asked, and pass it on.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "libs/store/log_segment.h"
#include "libs/store/store_twin.h"

namespace {

struct Call {
  enum Kind : uint8_t { kWrite, kSync } kind;
  std::string path;
  pid_t thread;
};

std::mutex mutex;
std::vector<Call> calls;  // guarded by mutex
std::atomic<bool> watching = false;

void note(Call::Kind kind, int fd) {
  if (!watching) return;
  char path[4096];
  const ssize_t size = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), path, sizeof path);
  const std::lock_guard lock(mutex);
  calls.push_back({kind, std::string(path, size > 0 ? size_t(size) : 0), ::gettid()});
}

}  // namespace

extern "C" ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  const ssize_t done = ::syscall(SYS_pwrite64, fd, data, bytes, offset);
  note(Call::kWrite, fd);
  return done;
}

extern "C" int fdatasync(int fd) {
  const int done = int(::syscall(SYS_fdatasync, fd));
  note(Call::kSync, fd);
  return done;
}

extern "C" int fsync(int fd) {
  const int done = int(::syscall(SYS_fsync, fd));
  note(Call::kSync, fd);
  return done;
}

namespace micropay {
namespace {

class Sync : public testing::Test {
 protected:
  void SetUp() override { watching = true; }
  void TearDown() override {
    watching = false;
    take();
  }
  static std::vector<Call> take() {
    const std::lock_guard lock(mutex);
    return std::exchange(calls, {});
  }
  // Asked for by anybody before now.
  static bool synced(const std::vector<Call>& calls, const std::string& path) {
    return std::ranges::any_of(
        calls, [&](const Call& call) { return call.kind == Call::kSync && call.path == path; });
  }

  test::ScratchFolder scratch_;
  const std::string folder_ = scratch_.at("data");
};

TEST_F(Sync, ACommitReturnsWhenWhatItWroteIsOnTheDisk) {
  auto store =
      EmbeddedStore::open({.folder = folder_, .segment_bytes = 64 << 10}, contract::model(), nullptr);
  ASSERT_TRUE(store) << store.error().detail;
  test::TickMaker ticks;
  std::set<std::string> segments;
  for (uint64_t i = 0; i < 60; ++i) {
    take();
    ASSERT_TRUE((*store)->commit(
        ticks.next({test::put(test::letter(i, {.detail = std::string(5'000, char(i))}))}, 2)));
    std::string unsynced, written;
    for (const Call& call : take()) {
      if (call.thread != ::gettid() || !call.path.ends_with(".log")) continue;
      if (call.kind == Call::kWrite) unsynced = written = call.path;
      else if (call.path == unsynced) unsynced.clear();
    }
    EXPECT_FALSE(written.empty()) << "a commit that wrote nothing";
    EXPECT_EQ(unsynced, "") << "acknowledged, and not synced";
    segments.insert(written);
  }
  EXPECT_GE(segments.size(), 1u);
}

TEST_F(Sync, ASegmentIsInItsFolderBeforeItIsUsed) {
  auto folder = make_log_folder(scratch_.path());
  auto log = TickLog::open(
      folder, {.segment_bytes = 16 << 10, .first_bytes = 16 << 10, .prepare_in_background = false});
  ASSERT_TRUE(log);
  test::TickMaker ticks;
  TickEncoder encoder;
  for (uint64_t i = 0; i < 30; ++i) {
    Tick tick = ticks.next({test::put(test::letter(i))}, 1);
    RecordHeader header;
    const auto record = encoder.encode(tick, header);
    ASSERT_TRUE(record);
    ASSERT_TRUE((*log)->append(header, *record));
  }
  EXPECT_GE((*log)->extents().size(), 3u);
  std::set<std::string> found;  // segments that the folder has for good
  std::string made;             // the last one that was filled
  for (const Call& call : take()) {
    if (call.path == scratch_.path() && call.kind == Call::kSync) found.insert(made);
    if (call.path.ends_with(".log") && call.kind == Call::kSync && !found.contains(call.path)) {
      EXPECT_TRUE(made != call.path) << call.path << " is used, and may not be found again";
      made = call.path;
    }
  }
  EXPECT_GE(found.size(), 3u);
}

TEST_F(Sync, ANewFolderIsThereForGoodWhenItIsOpen) {
  auto store = EmbeddedStore::open({.folder = folder_}, contract::model(), nullptr);
  ASSERT_TRUE(store) << store.error().detail;
  const auto asked = take();
  for (const std::string& path : {folder_ + "/log", folder_, scratch_.path()})
    EXPECT_TRUE(synced(asked, path)) << path;
}

TEST_F(Sync, WhatIsReadAtTheStartIsSyncedBeforeItIsAnsweredFor) {
  auto store = EmbeddedStore::open({.folder = folder_}, contract::model(), nullptr);
  ASSERT_TRUE(store);
  test::TickMaker ticks;
  ASSERT_TRUE((*store)->commit(ticks.next({test::put(test::letter(1))}, 1)));
  store->reset();
  take();
  store = EmbeddedStore::open({.folder = folder_}, contract::model(), nullptr);
  ASSERT_TRUE(store);
  EXPECT_TRUE(synced(take(), folder_ + "/log/00000001.log"));
}

TEST_F(Sync, ABackupIsOnTheDiskWhenItIsDone) {
  auto store = EmbeddedStore::open({.folder = folder_}, contract::model(), nullptr);
  ASSERT_TRUE(store);
  test::TickMaker ticks;
  ASSERT_TRUE((*store)->commit(ticks.next({test::put(test::letter(1))}, 1)));
  take();
  const std::string copy = scratch_.at("copy");
  ASSERT_TRUE((*store)->backup(copy, {}));
  const auto asked = take();
  for (const char* part : {"/log/00000001.log", "/log", ""}) EXPECT_TRUE(synced(asked, copy + part)) << part;
}

}  // namespace
}  // namespace micropay
