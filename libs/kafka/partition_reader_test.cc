// None is passed over: what a broker refused, what came twice, what is not ours.
#include "libs/kafka/partition_reader.h"

#include <gtest/gtest.h>

#include "libs/kafka/kafka_twin.h"
#include "libs/kafka/key_partition.h"

namespace micropay::kafka {
namespace {

using test::initiated;
using Kind = Reading::Kind;

struct PartitionReaderTest : testing::Test {
  // Reads the event at the position, and takes it when it is next.
  Kind read(PartitionReader& reader, uint64_t position, uint64_t previous, uint64_t offset = 1) {
    const auto event = initiated(position, 1);
    const Reading reading = reader.read(writer.write(*event, previous), offset);
    if (reading.kind == Kind::kNext || reading.kind == Kind::kPoison) reader.taken(reading);
    return reading.kind;
  }
  EventWriter writer;
};

TEST_F(PartitionReaderTest, OneThatWasRefusedIsWaitedFor) {
  PartitionReader reader("payment", 10);
  EXPECT_EQ(read(reader, 12, 10), Kind::kNext);
  EXPECT_EQ(read(reader, 17, 15), Kind::kAhead);  // 15 was refused
  EXPECT_EQ(read(reader, 18, 17), Kind::kAhead);
  EXPECT_EQ(read(reader, 15, 0), Kind::kNext);  // published again, by one who does not know what was before
  EXPECT_EQ(read(reader, 17, 15), Kind::kNext);
  EXPECT_EQ(read(reader, 18, 17), Kind::kNext);
}

TEST_F(PartitionReaderTest, RepetitionsAreSeen) {
  PartitionReader reader("payment", 10);
  EXPECT_EQ(read(reader, 10, 8), Kind::kRepeated);
  EXPECT_EQ(read(reader, 12, 10), Kind::kNext);
  EXPECT_EQ(read(reader, 10, 0), Kind::kRepeated);
  EXPECT_EQ(read(reader, 12, 10), Kind::kRepeated);
  EXPECT_EQ(read(reader, 13, 12), Kind::kNext);
}

TEST_F(PartitionReaderTest, BeginsWhereThePartitionDoes) {
  PartitionReader at_beginning("payment", {});
  EXPECT_EQ(read(at_beginning, 17, 15, 0), Kind::kAhead);
  EXPECT_EQ(read(at_beginning, 15, 0, 1), Kind::kNext);
  PartitionReader behind_deleted("payment", {});
  EXPECT_EQ(read(behind_deleted, 17, 15, 400), Kind::kNext);
  EXPECT_EQ(read(behind_deleted, 19, 18, 401), Kind::kAhead);
  behind_deleted.begin_anywhere();
  EXPECT_EQ(read(behind_deleted, 19, 18, 402), Kind::kNext);
}

TEST_F(PartitionReaderTest, AnEventThatCannotBeReadHasItsPlace) {
  PartitionReader reader("payment", 10);
  const auto event = initiated(12, 1);
  EventMessage damaged = writer.write(*event, 10);
  damaged.value = "damaged";
  const Reading reading = reader.read(damaged, 1);
  EXPECT_EQ(reading.kind, Kind::kPoison);
  EXPECT_EQ(reading.error.reason, "unreadable_event");
  EXPECT_EQ(reading.position, 12u);
  reader.taken(reading);
  EXPECT_EQ(reader.read(damaged, 2).kind, Kind::kRepeated);
  EXPECT_EQ(read(reader, 13, 12), Kind::kNext);
}

// A record of a foreign schema under our headers, at a position far ahead: what came behind it was taken for
// events that had been there before, and lost.
TEST_F(PartitionReaderTest, WhereAnUnreadableOneSaysItStandsMovesNothing) {
  for (const std::optional<uint64_t> last : {std::optional<uint64_t>(10), std::optional<uint64_t>()}) {
    PartitionReader reader("payment", last);
    const auto event = initiated(1'000'000, 1);
    EventMessage foreign = writer.write(*event);
    foreign.value = "foreign";
    const Reading reading = reader.read(foreign, 5);
    EXPECT_EQ(reading.kind, Kind::kPoison);
    reader.taken(reading);
    EXPECT_EQ(reader.read(foreign, 6).kind, Kind::kRepeated);
    EXPECT_EQ(read(reader, 12, last ? 10 : 0, 7), Kind::kNext);
    EXPECT_EQ(read(reader, 13, 12, 8), Kind::kNext);
  }
}

// It may have been one of ours: the first that an instance published.
TEST_F(PartitionReaderTest, ALooseOneMayHaveBeenBeforeTheNext) {
  PartitionReader reader("payment", 10);
  const auto event = initiated(12, 1);
  EventMessage damaged = writer.write(*event);
  damaged.value = "damaged";
  reader.taken(reader.read(damaged, 1));
  EXPECT_EQ(read(reader, 15, 14), Kind::kAhead);
  EXPECT_EQ(read(reader, 13, 12), Kind::kNext);
  EXPECT_EQ(read(reader, 14, 13), Kind::kNext);
}

TEST_F(PartitionReaderTest, WhatIsNotOursHasNoPlace) {
  PartitionReader reader("account", 10);
  const auto event = initiated(99, 1);
  const Reading reading = reader.read(writer.write(*event, 10), 1);
  EXPECT_EQ(reading.kind, Kind::kPoison);
  EXPECT_EQ(reading.error.reason, "foreign_source");
  EXPECT_EQ(reading.position, 0u);
  reader.taken(reading);
  EXPECT_EQ(reader.read({.key = "x", .value = "y", .headers = {}}, 2).kind, Kind::kPoison);
}

// The values of the test of Kafka's own clients.
TEST(KeyPartition, IsThatOfKafka) {
  const std::pair<const char*, int32_t> cases[] = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107}};
  for (const auto& [key, hash] : cases) EXPECT_EQ(int32_t(murmur2(key)), hash) << key;
  EXPECT_EQ(key_partition("abc", 8), 479470107u % 8);
}

}  // namespace
}  // namespace micropay::kafka
