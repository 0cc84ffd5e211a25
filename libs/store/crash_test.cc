// A process that is killed at any moment: what it was told is committed is there, and the tables follow.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::letter_key;
using test::put;

EmbeddedOptions options_of(const std::string& folder) {
  return {
      .folder = folder, .cache_rows = 100, .segment_bytes = 256 << 10, .apply_interval = 3 * kMillisecond};
}

// Commits until it is killed and tells each acknowledged tick through the pipe.
[[noreturn]] void commit_forever(const std::string& folder, int pipe) {
  test::CountingProjector projector;
  auto store = EmbeddedStore::open(options_of(folder), contract::model(), &projector);
  if (!store) ::_exit(3);
  test::TickMaker ticks((*store)->end());
  for (;;) {
    uint64_t number = (*store)->end().tick + 1;
    std::string detail(number % 40 * 100, 'x');
    if (!(*store)->commit(
            ticks.next({put(letter(number, {.detail = detail})), put(letter(0, {.detail = detail}))}, 3)))
      ::_exit(4);
    if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(5);
  }
}

// The last tick that was acknowledged before the kill.
uint64_t run_and_kill(const std::string& folder, uint64_t ticks) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    commit_forever(folder, ends[1]);
  }
  ::close(ends[1]);
  uint64_t number = 0, acknowledged = 0;
  for (uint64_t count = 0; ::read(ends[0], &number, sizeof number) == sizeof number; ++count) {
    acknowledged = number;
    if (count == ticks) ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
  return acknowledged;
}

TEST(Crash, WhatWasAcknowledgedIsThereAfterAKill) {
  test::ScratchFolder folder;
  uint64_t end = 0;
  for (uint64_t ticks : {0, 1, 7, 60, 350}) {
    uint64_t acknowledged = run_and_kill(folder.at("data"), ticks);
    ASSERT_GE(acknowledged, end);
    test::CountingProjector projector;
    auto opened = EmbeddedStore::open(options_of(folder.at("data")), contract::model(), &projector);
    ASSERT_TRUE(opened) << opened.error().detail;
    EmbeddedStore& store = **opened;
    end = store.end().tick;
    EXPECT_GE(end, acknowledged);
    EXPECT_LE(end, acknowledged + 1);
    EXPECT_EQ(store.end().next_position, end * 3 + 1);
    for (uint64_t number = 1; number <= end; ++number) {
      Row row = store.get(test::table<DeadLetter>(), letter_key(number));
      ASSERT_NE(row, nullptr) << number;
      EXPECT_EQ(static_cast<const DeadLetter&>(*row).detail().size(), number % 40 * 100);
    }
    std::string tables = test::dump(store);
    opened->reset();
    test::ScratchFolder rebuilt;
    std::filesystem::copy(folder.at("data"), rebuilt.at("data"), std::filesystem::copy_options::recursive);
    std::filesystem::remove(rebuilt.at("data") + "/state.db");
    opened = EmbeddedStore::open(options_of(rebuilt.at("data")), contract::model(), &projector);
    ASSERT_TRUE(opened) << opened.error().detail;
    EXPECT_EQ(test::dump(**opened), tables);
  }
}

}  // namespace
}  // namespace micropay
