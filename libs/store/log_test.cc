// The log by itself: order, rotation, torn tails, damage, full disks, crashes with a seed.
#include <gtest/gtest.h>

#include "libs/store/checksum.h"
#include "libs/store/log_file_twin.h"
#include "libs/store/log_segment.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::put;
using test::TickMaker;

constexpr char kFirst[] = "00000001.log";

struct TestLog {
  std::shared_ptr<LogFolderTwin> folder = std::make_shared<LogFolderTwin>();
  TickLogOptions options{.segment_bytes = 64 << 10, .first_bytes = 64 << 10, .prepare_in_background = false};
  std::unique_ptr<TickLog> log;
  TickEncoder encoder;
  TickMaker ticks;

  Result<void> open() {
    log.reset();
    log = TRY(TickLog::open(folder, options));
    ticks = TickMaker(log->end());
    return {};
  }
  // Bytes that does not compress, so that records have the size that a test wants.
  static DeadLetter noisy(size_t bytes, uint64_t seed) {
    std::mt19937_64 random(seed);
    DeadLetter row = letter(1);
    while (row.payload().size() < bytes) *row.mutable_payload() += static_cast<char>(random());
    return row;
  }
  Result<void> append(size_t bytes = 100, size_t events = 1) {
    TickMaker before = ticks;
    Tick tick = ticks.next({put(noisy(bytes, log->end().tick))}, events);
    RecordHeader header;
    auto done = log->append(header, TRY(encoder.encode(tick, header)));
    if (!done) ticks = before;
    return done;
  }
  std::vector<uint64_t> read(uint64_t from = 1) {
    std::vector<uint64_t> found;
    auto read = log->read(from, [&](const RecordHeader& header, std::string_view stored) {
      TickRecord record;
      EXPECT_TRUE(decode_record(header, stored, record));
      found.push_back(record.tick);
      return true;
    });
    EXPECT_TRUE(read) << read.error().detail;
    return found;
  }
};

std::string extension(const Error& error, std::string_view name) {
  for (const auto& [key, value] : error.extensions)
    if (key == name) return value;
  return {};
}

TEST(Checksum, IsXxh64) {
  EXPECT_EQ(xxh64(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(xxh64("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(xxh64("abc"), 0x44BC2CF5AD770999u);
  EXPECT_EQ(xxh64("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1u);
}

TEST(Log, KeepsTicksInOrderOverManySegments) {
  TestLog test;
  ASSERT_TRUE(test.open());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(test.append(static_cast<size_t>(i % 7) * 2'000, i % 3));
  EXPECT_GT(test.log->extents().size(), 5u);
  LogEnd end = test.log->end();
  EXPECT_EQ(test.read().size(), 200u);
  ASSERT_TRUE(test.open());
  EXPECT_EQ(test.log->end().tick, end.tick);
  EXPECT_EQ(test.log->end().next_position, end.next_position);
  std::vector<uint64_t> all = test.read();
  ASSERT_EQ(all.size(), 200u);
  for (uint64_t i = 0; i < 200; ++i) EXPECT_EQ(all[i], i + 1);
  EXPECT_EQ(test.read(137).front(), 137u);
  ASSERT_TRUE(test.append());
  EXPECT_EQ(test.read(200).back(), 201u);
}

TEST(Log, FindsEveryEventPosition) {
  TestLog test;
  ASSERT_TRUE(test.open());
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(test.append(10, i % 4));
  ASSERT_TRUE(test.open());  // old segments have no marks yet
  for (uint64_t position = 1; position < test.log->end().next_position; position += 7) {
    RecordHeader found;
    ASSERT_TRUE(test.log->read_position(position, [&](const RecordHeader& header, std::string_view) {
      found = header;
      return false;
    }));
    EXPECT_LE(found.first_position, position);
    EXPECT_GT(found.next_position(), position);
  }
}

TEST(Log, TakesARecordLargerThanASegment) {
  TestLog test;
  ASSERT_TRUE(test.open());
  ASSERT_TRUE(test.append());
  ASSERT_TRUE(test.append(300'000));
  ASSERT_TRUE(test.append());
  ASSERT_TRUE(test.open());
  EXPECT_EQ(test.read(), (std::vector<uint64_t>{1, 2, 3}));
}

// The last record was being written when the machine stopped: whatever part of it arrived, the others stay.
TEST(Log, CutsOffATornTailAtAnyByte) {
  TestLog test;
  ASSERT_TRUE(test.open());
  ASSERT_TRUE(test.append());
  ASSERT_TRUE(test.append(9'000));
  test.log.reset();
  const std::string whole = test.folder->bytes(kFirst);
  size_t record = kLogBlock, size = whole.size() - record;
  ASSERT_EQ(size, 3 * kLogBlock);
  for (size_t kept = 0; kept < 9'064; kept += kept < 70 ? 1 : 311) {
    for (bool zeros : {true, false}) {  // in zero-filled space, or at the end of the file
      std::string torn = whole.substr(0, record + kept);
      if (zeros) torn.resize(64 << 10);
      test.log.reset();
      test.folder = std::make_shared<LogFolderTwin>();  // what the last case left must not play along
      ASSERT_TRUE(test.folder->open(kFirst, LogFolder::Mode::kCreate));
      test.folder->bytes(kFirst) = torn;
      ASSERT_TRUE(test.open()) << kept;
      EXPECT_EQ(test.log->end().tick, 1u) << kept;
      EXPECT_EQ(test.folder->bytes(kFirst).find_first_not_of('\0', record), std::string::npos) << kept;
      ASSERT_TRUE(test.append(500)) << kept;
      ASSERT_TRUE(test.open()) << kept;
      EXPECT_EQ(test.read(), (std::vector<uint64_t>{1, 2})) << kept;
    }
  }
}

TEST(Log, LocatesAFlippedByte) {
  TestLog test;
  ASSERT_TRUE(test.open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(test.append(3'000));
  std::vector<TickLog::Extent> extents = test.log->extents();
  ASSERT_GT(extents.size(), 2u);
  test.log.reset();
  for (size_t segment = 0; segment < extents.size(); ++segment) {
    std::string& bytes = test.folder->bytes(extents[segment].name);
    const std::string whole = bytes;
    for (size_t offset : {20, 60, 100, 1'500, int(kLogBlock) + 8, int(kLogBlock) * 3 + 200}) {
      if (segment + 1 == extents.size() && offset + kLogBlock > bytes.size())
        continue;  // the last record: torn
      bytes = whole;
      bytes[offset] = static_cast<char>(bytes[offset] ^ 4);
      auto opened = test.open();
      auto read =
          opened ? test.log->read(1, [](const RecordHeader&, std::string_view) { return true; }) : opened;
      ASSERT_FALSE(read) << extents[segment].name << " " << offset;
      EXPECT_EQ(read.error().reason, "log_damaged");
      EXPECT_EQ(extension(read.error(), "segment"), extents[segment].name);
      EXPECT_EQ(extension(read.error(), "byte"), std::to_string(offset / kLogBlock * kLogBlock));
      EXPECT_NE(extension(read.error(), "tick"), "0");
    }
    bytes = whole;
  }
  ASSERT_TRUE(test.open());
  EXPECT_EQ(test.read().size(), 40u);
}

TEST(Log, NoticesAMissingSegmentAndAZeroedOne) {
  TestLog test;
  ASSERT_TRUE(test.open());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(test.append(3'000));
  test.log.reset();
  std::string second = test.folder->bytes("00000002.log");
  test.folder->bytes("00000002.log").replace(2 * kLogBlock, kLogBlock, std::string(kLogBlock, '\0'));
  ASSERT_TRUE(test.open());  // of older segments a start reads the first record only
  auto read = test.log->read(1, [](const RecordHeader&, std::string_view) { return true; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason, "log_damaged");
  EXPECT_EQ(extension(read.error(), "segment"), "00000002.log");
  EXPECT_EQ(extension(read.error(), "byte"), std::to_string(2 * kLogBlock));
  test.log.reset();
  test.folder->bytes("00000002.log").assign(second.size(), '\0');
  EXPECT_EQ(test.open().error().reason, "log_damaged");
  ASSERT_TRUE(test.folder->remove("00000002.log"));
  auto opened = test.open();
  EXPECT_EQ(opened.error().reason, "log_damaged");
  EXPECT_EQ(extension(opened.error(), "segment"), "00000002.log");
}

// A start over a log with a damaged byte was refused, and on the way out it cut the file to what it could
// read: every tick behind the damage was gone. A log that is refused stays as it is, byte for byte.
TEST(Log, ARefusedLogIsLeftAsItIs) {
  TestLog log;
  log.options.segment_bytes = log.options.first_bytes = 1 << 20;
  ASSERT_TRUE(log.open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(log.append());
  log.log.reset();
  const std::string whole = log.folder->bytes(kFirst);
  std::string damaged = whole;
  damaged[5 * kLogBlock + 100] ^= 1;
  log.folder->bytes(kFirst) = damaged;
  EXPECT_EQ(log.open().error().reason, "log_damaged");
  EXPECT_EQ(log.folder->bytes(kFirst), damaged);
  // Its last ticks are not readable, and somebody knows that they were written.
  damaged = whole;
  damaged[19 * kLogBlock + 100] ^= 1;
  log.folder->bytes(kFirst) = damaged;
  log.options.least_tick = 20;
  EXPECT_EQ(log.open().error().reason, "log_damaged");
  EXPECT_EQ(log.folder->bytes(kFirst), damaged);
  log.options.least_tick = 19;
  EXPECT_TRUE(log.open());
  EXPECT_EQ(log.log->end().tick, 19u);
}

// A copy that lost the end of an older file was opened, and only a reader of old events met the gap.
TEST(Log, NoticesAnOlderFileThatWasCutShort) {
  TestLog log;
  ASSERT_TRUE(log.open());
  while (log.log->extents().size() < 3) ASSERT_TRUE(log.append(6'000));
  log.log.reset();
  std::string whole = log.folder->bytes(kFirst);
  for (size_t lost : {kLogBlock, 3 * kLogBlock, whole.size() / 2, whole.size() - kLogBlock, size_t(1)}) {
    log.folder->bytes(kFirst).resize(whole.size() - lost);
    auto opened = log.open();
    ASSERT_FALSE(opened) << lost;
    EXPECT_EQ(opened.error().reason, "log_damaged");
    EXPECT_EQ(opened.error().extensions[0].second, kFirst);
  }
  log.folder->bytes(kFirst) = whole + std::string(5 * kLogBlock, '\0');  // not cut to its records yet
  EXPECT_TRUE(log.open());
}

// A whole later record lay where the first one was (a misdirected write): its checksum holds, so the log was
// opened, and began with that tick. Found by fuzz/log_file.cc.
TEST(Log, BeginsWithTheFirstTickOnly) {
  TestLog test;
  ASSERT_TRUE(test.open());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(test.append());
  test.log.reset();
  const std::string sound = test.folder->bytes(kFirst);
  std::string copied = sound;
  for (const std::string& damaged :
       {copied.replace(0, kLogBlock, sound, 2 * kLogBlock, kLogBlock), sound.substr(2 * kLogBlock)}) {
    test.folder->bytes(kFirst) = damaged;
    auto opened = test.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().reason, "log_damaged");
    EXPECT_EQ(extension(opened.error(), "byte"), "0");
    EXPECT_EQ(extension(opened.error(), "tick"), "1");
  }
}

TEST(Log, RefusesANewerFormat) {
  TestLog test;
  ASSERT_TRUE(test.open());
  ASSERT_TRUE(test.append());
  test.log.reset();
  std::string& bytes = test.folder->bytes(kFirst);
  bytes[4] = 9;
  uint64_t checksum = xxh64({bytes.data(), 56});
  std::memcpy(bytes.data() + 56, &checksum, 8);
  EXPECT_EQ(test.open().error().reason, "newer_format");
}

TEST(Log, SaysWhenTheDiskIsFullAndGoesOnWhenThereIsSpace) {
  TestLog test;
  test.folder->capacity = 256 << 10;
  ASSERT_TRUE(test.open());
  Result<void> done;
  int count = 0;
  while (done) {
    done = test.append(3'000);
    count += done.has_value();
    ASSERT_LT(count, 1'000);
  }
  EXPECT_EQ(done.error().reason, "storage_full");
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_EQ(test.append(3'000).error().reason, "storage_full");
  EXPECT_EQ(test.read().size(), static_cast<size_t>(count));
  test.folder->capacity = UINT64_MAX;
  ASSERT_TRUE(test.append(3'000));
  ASSERT_TRUE(test.open());
  EXPECT_EQ(test.read().size(), static_cast<size_t>(count) + 1);
}

TEST(Log, AFailedSyncLeavesNothingBehind) {
  TestLog test;
  ASSERT_TRUE(test.open());
  ASSERT_TRUE(test.append());
  test.folder->fail_sync = true;
  EXPECT_EQ(test.append(8'000).error().reason, "storage_failed");
  EXPECT_EQ(test.folder->bytes(kFirst).substr(kLogBlock, kHeaderBytes), std::string(kHeaderBytes, '\0'));
  test.folder->fail_sync = false;
  EXPECT_EQ(test.read().size(), 1u);
  ASSERT_TRUE(test.append(20));
  std::mt19937_64 random(1);
  auto disk = test.folder->crash(random, false);
  test.log.reset();
  test.folder = disk;
  ASSERT_TRUE(test.open());
  EXPECT_EQ(test.read().size(), 2u);
}

// A process that was killed after it had written and before it had synced: the next one sees the tick,
// answers for it, and then the power goes.
TEST(Log, WhatAKilledProcessLeftIsDurableOnceItWasRead) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    TestLog test;
    ASSERT_TRUE(test.open());
    ASSERT_TRUE(test.append());
    test.folder->stop_at_sync = true;
    EXPECT_FALSE(test.append(8'000));
    auto disk = test.folder->kill();
    test.log.reset();
    test.folder = disk;
    ASSERT_TRUE(test.open());
    ASSERT_EQ(test.log->end().tick, 2u);
    disk = test.folder->crash(random, true);
    test.log.reset();
    test.folder = disk;
    ASSERT_TRUE(test.open());
    EXPECT_EQ(test.log->end().tick, 2u) << "seed " << seed;
  }
}

// What append() acknowledged is there after any crash; what it did not is there whole or not at all.
TEST(Log, AcknowledgedTicksSurviveCrashes) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937_64 random(seed);
    TestLog test;
    for (int life = 0; life < 6; ++life) {
      auto opened = test.open();
      ASSERT_TRUE(opened) << opened.error().detail;
      uint64_t acknowledged = test.log->end().tick;
      for (uint64_t i = random() % 30; i > 0; --i) {
        ASSERT_TRUE(test.append(random() % 12'000));
        ++acknowledged;
      }
      // The next one is under way when the machine stops; half of the time the process first notices an
      // error.
      (random() % 2 == 0 ? test.folder->stop_at_sync : test.folder->fail_sync) = true;
      EXPECT_FALSE(test.append(random() % 12'000));
      auto disk = test.folder->crash(random, true);
      test.log.reset();
      test.folder = disk;
      opened = test.open();
      ASSERT_TRUE(opened) << opened.error().detail;
      std::vector<uint64_t> found = test.read();
      ASSERT_GE(found.size(), acknowledged);
      ASSERT_LE(found.size(), acknowledged + 1);
    }
  }
}

}  // namespace
}  // namespace micropay
