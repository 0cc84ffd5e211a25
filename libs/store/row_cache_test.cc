// The row cache: dirty rows stay, clean ones go, late fills are refused.
#include "libs/store/row_cache.h"

#include <gtest/gtest.h>

#include "libs/store/store_twin.h"
#include "libs/store/tick_packing.h"

namespace micropay {
namespace {

using test::letter;
using test::letter_key;

const size_t kTables = contract::model().tables().size();
const contract::Table& letters() { return test::table<DeadLetter>(); }
Row row(uint64_t number, const char* detail = "") {
  return std::make_shared<const DeadLetter>(letter(number, {.detail = detail}));
}
void put(RowCache& cache, const std::string& key, const Row& row, uint64_t tick) {
  const auto bytes = std::make_shared<const std::string>(row ? row_bytes(*row) : std::string());
  cache.put({.table = &letters(), .key = key, .row = *bytes, .erased = row == nullptr}, row, bytes, tick);
}
std::string detail(const Row& row) { return static_cast<const DeadLetter&>(*row).detail(); }

TEST(RowCache, KeepsDirtyRowsWhateverTheirNumber) {
  RowCache cache(16, kTables);
  for (uint64_t i = 0; i < 1'000; ++i) put(cache, letter_key(i), row(i), 1);
  for (uint64_t i = 0; i < 1'000; ++i) EXPECT_TRUE(cache.find(letters(), letter_key(i)).known) << i;
  EXPECT_EQ(cache.size(), 1'000u);
}

TEST(RowCache, DropsCleanRowsBeyondItsSize) {
  RowCache cache(160, kTables);
  for (uint64_t i = 0; i < 1'000; ++i) put(cache, letter_key(i), row(i), 1);
  for (uint64_t i = 0; i < 1'000; ++i) cache.find(letters(), letter_key(i));
  for (uint64_t i = 0; i < 1'000; ++i) cache.applied(letters(), letter_key(i), 1);
  EXPECT_LE(cache.size(), 160u);
  EXPECT_GE(cache.size(), 100u);
}

TEST(RowCache, ANewRowIsKeptAsItsBytesUntilItIsRead) {
  RowCache cache(160, kTables);
  const Row first = row(1, "first"), second = row(1, "second");
  put(cache, letter_key(1), first, 1);
  EXPECT_EQ(first.use_count(), 1);
  const Row read = cache.find(letters(), letter_key(1)).row;
  ASSERT_NE(read, nullptr);
  EXPECT_NE(read, first);
  EXPECT_EQ(detail(read), "first");
  EXPECT_EQ(cache.find(letters(), letter_key(1)).row, read) << "made once";
  put(cache, letter_key(1), second, 2);
  EXPECT_EQ(cache.find(letters(), letter_key(1)).row, second) << "what is written again is kept as it is";
  cache.applied(letters(), letter_key(1), 2);
  EXPECT_EQ(cache.find(letters(), letter_key(1)).row, second);
}

TEST(RowCache, ARowThatChangesOftenStays) {
  RowCache cache(160, kTables);
  cache.fill(letters(), letter_key(1), row(1), cache.find(letters(), letter_key(1)));
  for (uint64_t tick = 1; tick <= 2; ++tick) {
    put(cache, letter_key(1), row(1), tick);
    cache.applied(letters(), letter_key(1), tick);
    EXPECT_EQ(cache.size(), 1u);
  }
}

TEST(RowCache, ARowThatNobodyReadLeavesWhenItIsApplied) {
  RowCache cache(160, kTables);
  for (uint64_t i = 0; i < 10; ++i) put(cache, letter_key(i), row(i), 1);
  EXPECT_TRUE(cache.find(letters(), letter_key(3)).known);
  for (uint64_t i = 0; i < 10; ++i) cache.applied(letters(), letter_key(i), 1);
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_TRUE(cache.find(letters(), letter_key(3)).known);
  EXPECT_FALSE(cache.find(letters(), letter_key(4)).known);
}

// Ids are ordered by time, so the id of something new need not be looked for.
TEST(RowCache, AKeyBeyondTheNewestIsAbsent) {
  RowCache cache(160, kTables);
  const auto key = [](uint8_t time) {
    std::string bytes(16, '\1');
    bytes[7] = char(time);
    return bytes;
  };
  const auto absent = [&](uint8_t time) {
    const RowCache::Lookup found = cache.find(letters(), key(time));
    return found.known && found.row == nullptr;
  };
  EXPECT_FALSE(absent(5));  // nothing is said of the table yet
  cache.set_newest(letters(), {});
  EXPECT_TRUE(absent(5));
  cache.set_newest(letters(), key(3));
  EXPECT_FALSE(absent(2));
  EXPECT_FALSE(absent(3));
  EXPECT_TRUE(absent(4));
  put(cache, key(7), row(7), 1);
  EXPECT_FALSE(absent(7));
  cache.note_stored(letters(), key(7));
  cache.applied(letters(), key(7), 1);
  EXPECT_FALSE(absent(6));
  EXPECT_FALSE(absent(7));
  EXPECT_TRUE(absent(8));
  cache.note_stored(letters(), key(1));
  EXPECT_TRUE(absent(8));
  EXPECT_FALSE(absent(7));
  for (const std::string& greatest : {std::string(16, '\xff'), std::string(3, '\xff')}) {
    cache.note_stored(letters(), greatest);
    EXPECT_FALSE(cache.find(letters(), greatest).known);
  }
}

TEST(RowCache, RowsThatAreUsedOutliveOthers) {
  RowCache cache(160, kTables);
  for (uint64_t i = 0; i < 2'000; ++i) {
    RowCache::Lookup missed = cache.find(letters(), letter_key(i));
    cache.fill(letters(), letter_key(i), row(i), missed);
    cache.find(letters(), letter_key(0));
  }
  EXPECT_TRUE(cache.find(letters(), letter_key(0)).known);
  // Where rows lie differs from process to process, and with it which of the others is still there.
  EXPECT_LE(cache.size(), 160u);
}

TEST(RowCache, AChangeSinceTheAppliedTickStaysDirty) {
  RowCache cache(16, kTables);
  put(cache, letter_key(1), row(1, "old"), 1);
  put(cache, letter_key(1), row(1, "new"), 2);
  cache.applied(letters(), letter_key(1), 1);
  for (uint64_t i = 10; i < 500; ++i) {
    put(cache, letter_key(i), row(i), 1);
    cache.applied(letters(), letter_key(i), 1);
  }
  RowCache::Lookup found = cache.find(letters(), letter_key(1));
  ASSERT_TRUE(found.known);
  EXPECT_EQ(detail(found.row), "new");
}

TEST(RowCache, AnErasedRowIsKnownUntilItsErasureIsApplied) {
  RowCache cache(16, kTables);
  put(cache, letter_key(1), nullptr, 3);
  EXPECT_TRUE(cache.find(letters(), letter_key(1)).known);
  EXPECT_EQ(cache.find(letters(), letter_key(1)).row, nullptr);
  cache.applied(letters(), letter_key(1), 3);
  EXPECT_FALSE(cache.find(letters(), letter_key(1)).known);
}

TEST(RowCache, AFillThatComesTooLateIsRefused) {
  RowCache cache(1'600, kTables);
  RowCache::Lookup missed = cache.find(letters(), letter_key(1));
  put(cache, letter_key(1), row(1, "new"), 1);
  cache.fill(letters(), letter_key(1), row(1, "old"), missed);
  EXPECT_EQ(detail(cache.find(letters(), letter_key(1)).row), "new");

  // It came and went while somebody read the tables: an erasure, applied.
  missed = cache.find(letters(), letter_key(2));
  put(cache, letter_key(2), nullptr, 1);
  cache.applied(letters(), letter_key(2), 1);
  cache.fill(letters(), letter_key(2), row(2, "old"), missed);
  EXPECT_FALSE(cache.find(letters(), letter_key(2)).known);

  // A projection wrote it meanwhile.
  missed = cache.find(letters(), letter_key(3));
  cache.refresh(letters(), letter_key(3), row(3, "new"));
  cache.fill(letters(), letter_key(3), row(3, "old"), missed);
  EXPECT_FALSE(cache.find(letters(), letter_key(3)).known);
}

TEST(RowCache, RefreshReplacesWhatIsThereOnly) {
  RowCache cache(16, kTables);
  cache.refresh(letters(), letter_key(1), row(1, "new"));
  EXPECT_FALSE(cache.find(letters(), letter_key(1)).known);
  cache.fill(letters(), letter_key(1), row(1, "old"), cache.find(letters(), letter_key(1)));
  cache.refresh(letters(), letter_key(1), row(1, "new"));
  EXPECT_EQ(detail(cache.find(letters(), letter_key(1)).row), "new");
  cache.refresh(letters(), letter_key(1), nullptr);
  EXPECT_FALSE(cache.find(letters(), letter_key(1)).known);
}

}  // namespace
}  // namespace micropay
