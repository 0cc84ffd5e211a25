// Power loss under the whole embedded store: the log's disk and the tables' disk both drop or tear what was
// not synced, at a random moment, several times in a row. What was acknowledged is there, and the tables are
// what the log says. MICROPAY_TEST_SEED=N repeats one seed, MICROPAY_TEST_SEEDS=N runs so many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "libs/base/log.h"
#include "libs/store/log_file_twin.h"
#include "libs/store/sqlite_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

namespace fs = std::filesystem;
using test::letter;
using test::put;

constexpr uint64_t kSeeds = 25;
constexpr uint64_t kCrashes = 3;  // of one folder
constexpr uint64_t kRows = 60;    // the more ticks, the more often each is written anew

uint64_t number_of(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// A tick that anybody can make again: its rows follow from its number.
Tick tick_after(LogEnd end, uint64_t seed) {
  std::mt19937_64 random(seed * 1'000'003 + end.tick);
  std::vector<RowChange> changes;
  for (uint64_t i = random() % 5 + 1; i > 0; --i) {
    uint64_t number = random() % kRows;
    if (random() % 8 == 0) changes.push_back(test::erase(letter(number)));
    else
      changes.push_back(put(letter(number, {.detail = std::string(random() % 3'000, 'a' + random() % 26)})));
  }
  return test::TickMaker(end).next(std::move(changes), random() % 4);
}

struct Outcome {
  bool opened = false, whole = false;
  uint64_t torn_sectors = 0, ticks = 0;
};

class Machine {
 public:
  explicit Machine(uint64_t seed, bool lying = false) : seed_(seed), random_(seed), lying_(lying) {
    fs::create_directories(scratch_.at("0"));
    detail::log_level = LogLevel::kOff;  // each stop is an I/O error
  }
  ~Machine() { detail::log_level = LogLevel::kInfo; }

  // Runs until the power goes and looks at what is left.
  Outcome run_and_crash() {
    SqliteDiskTwin tables;
    tables.lie(lying_);
    std::string folder = scratch_.at(std::to_string(life_));
    uint64_t acknowledged = run(folder, tables);
    std::string next = scratch_.at(std::to_string(++life_));
    fs::create_directories(next);
    bool torn = random_() % 2 == 0;
    log_ = log_->crash(random_, torn);
    tables.crash(folder, next, random_, torn);
    Outcome outcome = look_at(next, acknowledged);
    outcome.torn_sectors = tables.torn();
    return outcome;
  }

 private:
  EmbeddedOptions options(const std::string& folder) {
    return {.folder = folder,
            .cache_rows = 100,
            .segment_bytes = 64 << 10,
            .apply_interval = Duration(random_() % 3) * kMillisecond,
            .checkpoint_bytes = random_() % 2 == 0 ? 16u << 10 : 256u << 10,
            .log_files = log_};
  }

  // The last tick that was acknowledged.
  uint64_t run(const std::string& folder, SqliteDiskTwin& tables) {
    if (random_() % 4 != 0) tables.stop_at(random_() % 40 + 1);
    test::CountingProjector projector;
    auto store = EmbeddedStore::open(options(folder), contract::model(), &projector);
    if (!store) return committed_;  // the power went while it opened
    uint64_t acknowledged = (*store)->end().tick;
    for (uint64_t left = random_() % 120; left > 0; --left) {
      if (left == 1 && random_() % 2 == 0) log_->stop_at_sync = true;
      if (!(*store)->commit(tick_after((*store)->end(), seed_))) break;
      acknowledged = (*store)->end().tick;
      if (random_() % 16 == 0) (void)(*store)->catch_up();
    }
    tables.stop();
    return committed_ = acknowledged;
  }

  Outcome look_at(const std::string& folder, uint64_t acknowledged) {
    Outcome outcome;
    test::CountingProjector projector, expected_projector;
    auto copy = log_->crash(random_, false);  // nothing is unsynced: a copy
    auto opened = EmbeddedStore::open(options(folder), contract::model(), &projector);
    EXPECT_TRUE(opened || lying_) << opened.error().reason << ": " << opened.error().detail;
    outcome.opened = opened.has_value();
    if (!opened) return outcome;
    uint64_t end = outcome.ticks = (*opened)->end().tick;
    EXPECT_GE(end, acknowledged);
    EXPECT_LE(end, acknowledged + 1);
    committed_ = end;
    auto expected = make_memory_store(contract::model(), &expected_projector);
    while (expected->end().tick < end) EXPECT_TRUE(expected->commit(tick_after(expected->end(), seed_)));
    outcome.whole = (*opened)->catch_up() && test::dump(**opened) == test::dump(*expected);
    EXPECT_EQ((*opened)->end().next_position, expected->end().next_position);
    opened->reset();
    log_ = copy;
    return outcome;
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const bool lying_;
  uint64_t life_ = 0, committed_ = 0;
  test::ScratchFolder scratch_;
  std::shared_ptr<LogFolderTwin> log_ = std::make_shared<LogFolderTwin>();
};

TEST(Power, WhatWasAcknowledgedIsThereWhenThePowerIsBack) {
  uint64_t first = number_of("MICROPAY_TEST_SEED", 1), seeds = number_of("MICROPAY_TEST_SEEDS", kSeeds);
  if (std::getenv("MICROPAY_TEST_SEED") != nullptr) seeds = 1;
  uint64_t torn = 0, ticks = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE(fmt::format("MICROPAY_TEST_SEED={}", seed));
    Machine machine(seed);
    for (uint64_t crash = 0; crash < kCrashes; ++crash) {
      Outcome outcome = machine.run_and_crash();
      ASSERT_TRUE(outcome.opened);
      ASSERT_TRUE(outcome.whole) << "the tables are not what the log says";
      torn += outcome.torn_sectors;
      ticks = std::max(ticks, outcome.ticks);
    }
  }
  fmt::print("{} crashes, {} sectors lost or torn, up to {} ticks\n", seeds * kCrashes, torn, ticks);
  EXPECT_TRUE(torn > 500 || seeds < kSeeds) << "nothing was tried";
}

// The machine that looks is able to see: a disk that syncs nothing leaves tables that are damaged or wrong.
TEST(Power, ADiskThatLiesIsFoundOut) {
  uint64_t wrong = 0;
  for (uint64_t seed = 1; seed <= kSeeds && wrong == 0; ++seed) {
    Machine machine(seed, true);
    Outcome outcome = machine.run_and_crash();
    if (!outcome.opened || !outcome.whole) ++wrong;
  }
  EXPECT_GT(wrong, 0u);
}

}  // namespace
}  // namespace micropay
