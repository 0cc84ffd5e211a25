// A full disk, below the log and below the tables: commits say storage_full, reads go on, nothing is half
// done, and everything works again when there is space, without being opened anew.
#include <gtest/gtest.h>

#include "libs/base/log.h"
#include "libs/store/log_file_twin.h"
#include "libs/store/sqlite_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::letter_key;
using test::put;

struct FullDisk : testing::Test {
  SqliteDiskTwin tables;  // before any store
  std::shared_ptr<LogFolderTwin> log = std::make_shared<LogFolderTwin>();
  test::ScratchFolder scratch;
  test::CountingProjector projector;
  std::unique_ptr<EmbeddedStore> store;
  uint64_t kept = 0;

  FullDisk() {
    detail::log_level = LogLevel::kOff;
    open();
  }
  ~FullDisk() override { detail::log_level = LogLevel::kInfo; }

  void open() {
    store.reset();
    store = EmbeddedStore::open({.folder = scratch.at("data"),
                                 .cache_rows = 10,
                                 .segment_bytes = 256 << 10,
                                 .max_unapplied_bytes = 256 << 10,
                                 .apply_interval = kMillisecond,
                                 .log_files = log},
                                contract::model(), &projector)
                .value();
  }
  // Bytes that do not compress.
  static std::string noise(uint64_t seed, size_t bytes) {
    std::mt19937_64 random(seed);
    std::string text;
    while (text.size() < bytes) text += fmt::format("{:016x}", random());
    return text;
  }
  Result<void> commit(size_t bytes = 4'000) {
    auto done = store->commit(
        test::TickMaker(store->end()).next({put(letter(kept, {.detail = noise(kept, bytes)}))}, 1));
    if (done) ++kept;
    return done;
  }
  Error commit_until_full() {
    for (int i = 0; i < 10'000; ++i)
      if (auto done = commit(); !done) return done.error();
    return {};
  }
  // Whatever was committed is read, and nothing else.
  void expect_all_is_read() {
    EXPECT_EQ(store->end().tick, kept);
    for (uint64_t number = 0; number < kept; ++number)
      ASSERT_NE(store->get(test::table<DeadLetter>(), letter_key(number)), nullptr) << number;
    EXPECT_EQ(store->get(test::table<DeadLetter>(), letter_key(kept)), nullptr);
    EXPECT_EQ(store->read_events(1, 100'000)->size(), kept);
  }
  void expect_tables_are_right() {
    ASSERT_TRUE(store->catch_up());
    std::string before = test::dump(*store);
    auto expected = make_memory_store(contract::model(), &projector);
    for (uint64_t number = 0; number < kept; ++number)
      ASSERT_TRUE(expected->commit(test::TickMaker(expected->end()).next({put(*letter_of(number))}, 1)));
    EXPECT_EQ(before, test::dump(*expected));
  }
  std::shared_ptr<const DeadLetter> letter_of(uint64_t number) {
    return std::static_pointer_cast<const DeadLetter>(
        store->get(test::table<DeadLetter>(), letter_key(number)));
  }
};

TEST_F(FullDisk, BelowTheLog) {
  for (int round = 0; round < 3; ++round) {
    uint64_t capacity = 1 << 20;
    while (capacity < kept * 10'000) capacity *= 2;
    log->capacity = capacity;
    EXPECT_EQ(commit_until_full().reason, "storage_full");
    EXPECT_EQ(commit().error().reason, "storage_full");
    expect_all_is_read();
    expect_tables_are_right();
    log->capacity = UINT64_MAX;
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(commit());
    expect_all_is_read();
    if (round == 1) open();
  }
  expect_tables_are_right();
}

TEST_F(FullDisk, BelowTheTables) {
  for (int round = 0; round < 3; ++round) {
    tables.set_capacity(0);
    EXPECT_EQ(commit_until_full().reason, "storage_full");
    EXPECT_EQ(store->catch_up().error().reason, "storage_full");
    expect_all_is_read();
    tables.set_capacity(UINT64_MAX);
    ASSERT_TRUE(store->catch_up());
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(commit());
    expect_all_is_read();
    expect_tables_are_right();
    if (round == 1) open();
  }
}

// It starts on a full disk: what was acknowledged is read, writes wait for space.
TEST_F(FullDisk, AtAStart) {
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(commit());
  store.reset();
  log->capacity = 0;
  open();
  expect_all_is_read();
  expect_tables_are_right();
  EXPECT_EQ(commit_until_full().reason, "storage_full");
  log->capacity = UINT64_MAX;
  EXPECT_TRUE(commit());
  expect_all_is_read();
}

}  // namespace
}  // namespace micropay
