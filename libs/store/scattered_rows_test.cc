// Rows whose keys are digests: found by their places in memory, also after a restart, and each key once.
#include <gtest/gtest.h>

#include <filesystem>

#include "contracts/runtime.pb.h"
#include "libs/base/ids.h"
#include "libs/store/key_places.h"
#include "libs/store/tables_twin.h"

namespace micropay {
namespace {

using test::put;

const contract::Table& keys() { return test::table<IdempotencyRecord>(); }
std::string id(uint64_t number) { return derived_uuid(fmt::format("key {}", number)); }
std::string key(uint64_t number) { return *keys().encode_key({id(number)}); }
IdempotencyRecord record(uint64_t number, std::string_view detail = "") {
  IdempotencyRecord record;
  record.set_key(id(number));
  record.set_fingerprint(number);
  record.set_detail(std::string(detail));
  return record;
}

TEST(KeyPlaces, FindWhatWasAddedAndNothingElse) {
  KeyPlaces places;
  constexpr uint32_t kRows = 100'000;
  for (uint32_t i = 1; i <= kRows; ++i) places.add(KeyPlaces::hash_of(key(i)), i);
  std::vector<KeyPlaces::Place> found;
  size_t others = 0;
  for (uint32_t i = 1; i <= kRows; ++i) {
    places.find(KeyPlaces::hash_of(key(i)), found);
    ASSERT_NE(std::ranges::find(found, i), found.end());
    others += found.size() - 1;
    others += places.may_have(key(kRows + i));
  }
  EXPECT_LT(others, 100u) << "places too many";
  EXPECT_LT(places.bytes(), kRows * 22u);
}

TEST(KeyPlaces, OfTheSameHashAreFoundInTheirOrder) {
  KeyPlaces places;
  for (uint32_t i = 1; i <= 100; ++i) places.add(7, i);
  std::vector<KeyPlaces::Place> found;
  places.find(7, found);
  ASSERT_EQ(found.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(found));
}

struct ScatteredRows : test::TablesTest {
  Result<void> write(uint64_t from, uint64_t to, std::string_view detail = "", bool commit = true) {
    TRY(tables->begin());
    for (uint64_t i = from; i < to; ++i) {
      std::string bytes;
      record(i, detail).SerializeToString(&bytes);
      TRY(tables->put(keys(), key(i), bytes));
    }
    if (commit) return tables->commit();
    tables->roll_back();
    return {};
  }
  std::string detail_of(uint64_t number) {
    const Row row = tables->get(keys(), key(number)).value();
    return row == nullptr ? "none" : static_cast<const IdempotencyRecord&>(*row).detail();
  }
  uint64_t scanned() {
    uint64_t rows = 0;
    const auto read = tables->scan_values(keys(), [&rows](const auto&) { return ++rows > 0; });
    EXPECT_TRUE(read) << read.error().detail;
    return rows;
  }
  std::string scan_problem() {
    const auto read = tables->scan_values(keys(), [](const auto&) { return true; });
    return read ? "none" : read.error().reason;
  }
};

TEST_F(ScatteredRows, AreFoundAlsoAfterARestart) {
  constexpr uint64_t kRows = 3 * ScatteredPlaces::kNoted + 10;
  for (uint64_t from = 0; from < kRows; from += 1'000)
    ASSERT_TRUE(write(from, std::min(from + 1'000, kRows), "first"));
  for (int turn = 0; turn < 2; ++turn) {
    for (uint64_t i = 0; i < kRows; i += 7) ASSERT_EQ(detail_of(i), "first") << i;
    for (uint64_t i = kRows; i < kRows + 1'000; ++i) ASSERT_EQ(detail_of(i), "none") << i;
    EXPECT_EQ(scanned(), kRows);
    reopen();
  }
  EXPECT_EQ(tables->places()->of(keys()).noted, 3 * ScatteredPlaces::kNoted)
      << "the rest is read from the rows";
}

TEST_F(ScatteredRows, AreReplacedAndErasedWhereTheyLie) {
  ASSERT_TRUE(write(0, 5'000, "first"));
  ASSERT_TRUE(write(0, 10, "second"));
  ASSERT_TRUE(tables->begin() && tables->erase(keys(), key(3)) && tables->erase(keys(), key(9'999)) &&
              tables->commit());
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(detail_of(2), "second");
    EXPECT_EQ(detail_of(3), "none");
    EXPECT_EQ(detail_of(10), "first");
    EXPECT_EQ(scanned(), 4'999u);
    reopen();
  }
  ASSERT_TRUE(write(3, 4, "third"));
  EXPECT_EQ(detail_of(3), "third");
  EXPECT_EQ(scanned(), 5'000u);
}

// The disk was full: the batch comes again.
TEST_F(ScatteredRows, OfATransactionThatFailedAreWrittenOnceTheSecondTime) {
  ASSERT_TRUE(write(0, 5'000, "first"));
  ASSERT_TRUE(write(5'000, 10'000, "second", false));
  EXPECT_EQ(detail_of(5'000), "none");
  ASSERT_TRUE(write(5'000, 10'000, "second"));
  ASSERT_TRUE(write(10'000, 10'100, "third"));
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(scanned(), 10'100u);
    EXPECT_EQ(detail_of(4'999), "first");
    EXPECT_EQ(detail_of(9'999), "second");
    EXPECT_EQ(detail_of(10'099), "third");
    reopen();
  }
}

// One key, one effect: a row that its key does not find is damage.
TEST_F(ScatteredRows, ThatAreNotFoundByTheirKeysAreNamedByAScan) {
  ASSERT_TRUE(write(0, 5'000));
  const auto damage = [&](const std::string& sql) {
    ASSERT_TRUE(tables->connection().exec("SAVEPOINT good;" + sql));
    auto places = tables->places();
    ASSERT_TRUE(tables->load_places(contract::model()));
    EXPECT_EQ(scan_problem(), "tables_damaged") << sql;
    ASSERT_TRUE(tables->connection().exec("ROLLBACK TO good; RELEASE good"));
    ASSERT_TRUE(tables->load_places(contract::model()));
    EXPECT_EQ(scan_problem(), "none");
  };
  damage("UPDATE runtime_idempotency SET key=randomblob(16) WHERE store_place=7");
  damage(
      "UPDATE runtime_idempotency SET key=(SELECT key FROM runtime_idempotency WHERE store_place=9) "
      "WHERE store_place=4999");
  damage(
      "UPDATE runtime_idempotency SET store_place=100000 WHERE store_place=7;"
      "UPDATE runtime_idempotency SET store_place=7 WHERE store_place=8");
}

TEST(Scattered, AreTheSameToEveryReaderOfAStore) {
  test::ScratchFolder folder;
  const auto open = [&] {
    return EmbeddedStore::open({.folder = folder.at("data"), .cache_rows = 10}, contract::model(), nullptr)
        .value();
  };
  auto store = open();
  test::TickMaker ticks;
  for (uint64_t i = 0; i < 300; ++i) ASSERT_TRUE(store->commit(ticks.next({put(record(i, "first"))})));
  ASSERT_TRUE(store->commit(ticks.next({put(record(7, "second"))})));
  for (int turn = 0; turn < 3; ++turn) {
    for (uint64_t i = 0; i < 400; ++i) {
      const Row row = store->get(keys(), key(i));
      ASSERT_EQ(row != nullptr, i < 300) << i;
      if (row != nullptr)
        ASSERT_EQ(static_cast<const IdempotencyRecord&>(*row).detail(), i == 7 ? "second" : "first") << i;
    }
    if (turn == 0) ASSERT_TRUE(store->catch_up());
    if (turn == 1) store.reset(), store = open();
  }
}

// Tables that an earlier version made are made anew.
TEST(Scattered, TablesOfAnOlderFormatAreMadeAnewFromTheLog) {
  test::ScratchFolder folder;
  const EmbeddedOptions options{.folder = folder.at("data")};
  {
    auto store = EmbeddedStore::open(options, contract::model(), nullptr).value();
    ASSERT_TRUE(store->commit(test::TickMaker().next({put(record(1, "kept"))})));
  }
  {
    auto connection = SqlConnection::open(folder.at("data/state.db"), SqlConnection::Mode::kWrite).value();
    ASSERT_TRUE(
        connection->exec("UPDATE micropay_note SET value=1 WHERE name='format';"
                         "DROP TABLE runtime_idempotency; CREATE TABLE runtime_idempotency(x)"));
  }
  for (const bool read_only : {true, false}) {
    EmbeddedOptions again = options;
    again.read_only = read_only;
    auto store = EmbeddedStore::open(again, contract::model(), nullptr);
    ASSERT_TRUE(store) << store.error().detail;
    EXPECT_NE((*store)->get(keys(), key(1)), nullptr);
    EXPECT_FALSE((*store)->open_notes().empty());
  }
}

// "There is no such row" could pay somebody twice; ending the process would end it again at its next start.
TEST(EmbeddedStore, ARowThatCannotBeReadIsNeitherAbsentNorTheEnd) {
  test::ScratchFolder folder;
  const EmbeddedOptions options{.folder = folder.at("data")};
  {
    auto store = EmbeddedStore::open(options, contract::model(), nullptr).value();
    ASSERT_TRUE(store->commit(test::TickMaker().next({put(record(1, "kept"))})));
    ASSERT_TRUE(store->catch_up());
  }
  auto store = EmbeddedStore::open(options, contract::model(), nullptr).value();
  auto connection = SqlConnection::open(folder.at("data/state.db"), SqlConnection::Mode::kWrite).value();
  ASSERT_TRUE(connection->exec("DROP TABLE runtime_idempotency"));
  EXPECT_THROW((void)store->get(keys(), key(1)), StoreUnavailable);
  EXPECT_EQ(store->get(keys(), key(2)), nullptr);
}

}  // namespace
}  // namespace micropay
