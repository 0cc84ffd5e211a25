// The embedded store as a folder: who may open it, what a rebuild, a reader and a backup see.
#include "libs/store/embedded.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "contracts/audit.pb.h"
#include "libs/store/sql_tables.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

namespace fs = std::filesystem;
using test::letter;
using test::letter_key;
using test::put;

struct Folder {
  test::ScratchFolder scratch;
  test::CountingProjector projector;
  EmbeddedOptions options{.folder = scratch.at("data"), .segment_bytes = 1 << 20};

  Result<std::unique_ptr<EmbeddedStore>> open() {
    return EmbeddedStore::open(options, contract::model(), &projector);
  }
  // Ticks of three rows and two events.
  static void commit(Store& store, uint64_t count) {
    test::TickMaker ticks(store.end());
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t number = store.end().tick;
      auto done = store.commit(ticks.next({put(letter(number)), put(letter(number / 2, {.detail = "second"})),
                                           test::erase(letter(number / 3))},
                                          2));
      ASSERT_TRUE(done) << done.error().detail;
    }
  }
};

TEST(Embedded, IsOpenedOnce) {
  Folder folder;
  auto first = folder.open();
  ASSERT_TRUE(first);
  auto second = folder.open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "data_in_use");
  EXPECT_EQ(second.error().extensions[0].second, std::to_string(::getpid()));
  first->reset();
  EXPECT_TRUE(folder.open());
}

TEST(Embedded, RefusesTablesOfANewerFormat) {
  Folder folder;
  folder.open()->reset();
  auto connection = SqlConnection::open(folder.options.folder + "/state.db", SqlConnection::Mode::kWrite);
  ASSERT_TRUE((*connection)->exec("UPDATE micropay_note SET value=99 WHERE name='format'"));
  connection->reset();
  EXPECT_EQ(folder.open().error().reason, "newer_format");
}

TEST(Embedded, NamesTheCureForDamagedTables) {
  Folder folder;
  {
    auto store = *folder.open();
    Folder::commit(*store, 5);
  }
  std::ofstream(folder.options.folder + "/state.db") << std::string(8'192, 'x');
  auto opened = folder.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().reason, "tables_damaged");
  fs::remove(folder.options.folder + "/state.db");
  EXPECT_TRUE(folder.open());
}

// A log that lost its acknowledged end is not taken for one with a torn tail when the tables know better.
TEST(Embedded, NoticesALogThatIsShorterThanTheTables) {
  Folder folder;
  {
    auto store = *folder.open();
    Folder::commit(*store, 5);
  }
  std::string segment = folder.options.folder + "/log/00000001.log";
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(fs::file_size(segment)) - 4'000);
  file.put('\x55');
  file.close();
  EXPECT_EQ(folder.open().error().reason, "log_damaged");
}

TEST(Embedded, DeletedTablesAreRebuiltEqual) {
  Folder folder;
  auto store = *folder.open();
  Folder::commit(*store, 700);
  std::string before = test::dump(*store);
  EXPECT_GT(before.size(), 50'000u);
  store.reset();
  fs::remove(folder.options.folder + "/state.db");
  size_t lines = 0;
  folder.options.progress = [&](const std::string&) { ++lines; };
  store = *folder.open();
  EXPECT_EQ(test::dump(*store), before);
  EXPECT_EQ(store->stats().applied_tick, 700u);
  EXPECT_GE(lines, 2u);  // what it begins, what it ended
}

// Of the service alone whose version is another; a reader says so, and the next start makes them anew.
TEST(Embedded, ProjectionsOfAnotherVersionAreMadeAnew) {
  Folder folder;
  auto store = *folder.open();
  Folder::commit(*store, 300);
  std::string before = test::dump(*store);
  store.reset();
  auto tables = *SqlTables::open(folder.options.folder + "/state.db", SqlConnection::Mode::kWrite);
  ASSERT_TRUE(tables->connection().exec("UPDATE audit_block SET last_hash = x'00'"));
  tables.reset();
  folder.projector.audit_version = 7;
  folder.options.read_only = true;
  EXPECT_EQ((*folder.open())->open_notes().size(), 1u);
  folder.options.read_only = false;
  size_t seen = folder.projector.seen;
  store = *folder.open();
  EXPECT_EQ(store->open_notes().size(), 1u);
  EXPECT_EQ(test::dump(*store), before);
  EXPECT_GT(folder.projector.seen, seen);
  store.reset();
  store = *folder.open();
  EXPECT_TRUE(store->open_notes().empty());
}

TEST(Embedded, MemoryDoesNotGrowWithTheTables) {
  Folder folder;
  folder.options.cache_rows = 160;
  auto store = *folder.open();
  test::TickMaker ticks;
  for (uint64_t i = 0; i < 20; ++i) {
    std::vector<RowChange> changes;
    changes.reserve(100);
    for (uint64_t row = 0; row < 100; ++row) changes.push_back(put(letter(i * 100 + row)));
    ASSERT_TRUE(store->commit(ticks.next(std::move(changes))));
  }
  ASSERT_TRUE(store->catch_up());
  EXPECT_LE(store->stats().cached_rows, 160u);
  for (uint64_t i = 0; i < 2'000; ++i)
    EXPECT_NE(store->get(test::table<DeadLetter>(), letter_key(i)), nullptr);
  EXPECT_LE(store->stats().cached_rows, 160u);
  store.reset();
  store = *folder.open();
  EXPECT_EQ(store->stats().cached_rows, 0u);
  Row first = store->get(test::table<DeadLetter>(), letter_key(1));
  EXPECT_EQ(store->get(test::table<DeadLetter>(), letter_key(1)), first);  // the same object: it was kept
}

TEST(Embedded, AnEmptyFolderAndALogWithoutTablesBothOpen) {
  Folder folder;
  auto store = *folder.open();
  EXPECT_EQ(store->end().tick, 0u);
  EXPECT_EQ(store->end().next_position, 1u);
  store.reset();
  store = *folder.open();
  Folder::commit(*store, 1);
  EXPECT_EQ(store->end().tick, 1u);
}

TEST(Embedded, ANewServiceGetsTheWholeLog) {
  Folder folder;
  folder.projector = test::CountingProjector({"payment"});
  auto store = *folder.open();
  Folder::commit(*store, 100);
  store.reset();
  EXPECT_EQ(folder.projector.seen, 200u);
  folder.projector = test::CountingProjector({"payment", "audit"});
  store = *folder.open();
  EXPECT_EQ(folder.projector.seen, 200u);  // for audit only
  std::string caught_up = test::dump(*store);
  Folder::commit(*store, 1);
  ASSERT_TRUE(store->catch_up());
  store.reset();
  store = *folder.open();
  EXPECT_EQ(folder.projector.seen, 202u);
  store.reset();
  // It was away for a while: it gets what it missed, and no more.
  folder.projector = test::CountingProjector({"payment"});
  store = *folder.open();
  Folder::commit(*store, 10);
  store.reset();
  folder.projector = test::CountingProjector({"payment", "audit"});
  store = *folder.open();
  EXPECT_EQ(folder.projector.seen, 20u);
  std::string after = test::dump(*store);
  store.reset();
  fs::remove(folder.options.folder + "/state.db");
  EXPECT_EQ(test::dump(**folder.open()), after);
}

TEST(Embedded, AReaderSeesAFolderInUseAndChangesNothing) {
  Folder folder;
  auto store = *folder.open();
  Folder::commit(*store, 50);
  ASSERT_TRUE(store->catch_up());
  Folder::commit(*store, 5);
  Folder reader;
  reader.options.folder = folder.options.folder;
  reader.options.read_only = true;
  std::string seen;
  {
    auto second = reader.open();
    ASSERT_TRUE(second) << second.error().detail;
    EXPECT_EQ((*second)->end().tick, 55u);
    seen = test::dump(**second);
    EXPECT_EQ((*second)->commit({.number = 56, .first_position = 111}).error().reason, "read_only");
  }
  EXPECT_EQ(seen, test::dump(*store));
  store.reset();
  auto times = [&] {
    std::vector<std::pair<std::string, uint64_t>> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder.options.folder))
      found.emplace_back(entry.path(), entry.is_regular_file() ? entry.file_size() : 0);
    std::ranges::sort(found);
    return found;
  };
  auto before = times();
  EXPECT_EQ(test::dump(**reader.open()), seen);  // at rest
  EXPECT_EQ(times(), before);
  reader.options.folder += "/nothing";
  EXPECT_EQ(reader.open().error().reason, "no_data");
}

TEST(Embedded, ReadsTheLogWithoutAStore) {
  Folder folder;
  auto store = *folder.open();
  Folder::commit(*store, 20);
  std::vector<uint64_t> ticks;
  uint64_t position = 0;
  ASSERT_TRUE(read_log(folder.options.folder, 11, [&](const TickRecord& record) {
    ticks.push_back(record.tick);
    for (const Envelope& event : record.events) position = event.position();
    return ticks.size() < 5;
  }));
  EXPECT_EQ(ticks, (std::vector<uint64_t>{11, 12, 13, 14, 15}));
  EXPECT_EQ(position, 30u);
}

TEST(Embedded, ABackupTakenWhileTicksGoOnIsADataFolder) {
  Folder folder;
  auto store = *folder.open();
  Folder::commit(*store, 300);
  std::atomic<bool> enough = false;
  std::thread busy([&] {
    while (!enough) Folder::commit(*store, 1);
  });
  Folder copy;
  double last = 0;
  auto done = store->backup(copy.options.folder, [&](double part) {
    EXPECT_GE(part, last);
    last = part;
  });
  enough = true;
  busy.join();
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(last, 1);
  EXPECT_EQ(store->backup(copy.options.folder, {}).error().reason, "target_not_empty");

  auto opened = copy.open();
  ASSERT_TRUE(opened) << opened.error().detail;
  uint64_t tick = (*opened)->end().tick;
  EXPECT_GE(tick, 300u);
  EXPECT_LE(tick, store->end().tick);
  // It is the state of its last tick, and it goes on as the original did.
  Folder::commit(**opened, store->end().tick - tick);
  EXPECT_EQ(test::dump(**opened), test::dump(*store));
}

}  // namespace
}  // namespace micropay
