// Packing: every tick comes back as it was, and bytes that are no tick are refused.
#include "libs/store/tick_packing.h"

#include <gtest/gtest.h>

#include <random>

#include "libs/base/ids.h"
#include "libs/base/varint.h"
#include "libs/store/log_record.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

std::string text_of(const Envelope& e) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", e.id(), e.type(), e.service(), e.time(), e.key(),
                     e.correlation_id(), e.causation_id(), e.traceparent(), e.actor(), e.data(),
                     e.position());
}

TickRecord packed(const Tick& tick) {
  std::string payload;
  std::vector<ChangePlace> places;
  pack_tick(tick, payload, places);
  TickRecord record;
  record.first_position = tick.first_position;
  record.time = tick.time;
  record.payload.assign(payload.begin(), payload.end());
  return record;
}

std::shared_ptr<EventRecord> event_with(const std::function<std::string()>& text, Time time,
                                        uint64_t position) {
  auto event = std::make_shared<EventRecord>();
  Envelope& e = event->envelope;
  e.set_id(text());
  e.set_type(position % 3 ? "payment.completed" : "somebody.else's");
  e.set_service(position % 3 ? "payment" : "elsewhere");
  e.set_time(time);
  e.set_key(text());
  e.set_correlation_id(text());
  e.set_causation_id(text());
  e.set_actor(text());
  e.set_traceparent(text());
  e.set_data(text());
  e.set_position(position);
  return event;
}

TEST(TickPacking, GivesBackEveryFieldOfEveryEvent) {
  std::mt19937_64 random(7);
  const std::string pool[] = {"",
                              "system",
                              derived_uuid("a"),
                              derived_uuid("b"),
                              "ABCDEF01-2345-6789-ABCD-EF0123456789",  // a UUID, but not in our form
                              std::string(36, 'x'),
                              std::string(1000, '\0'),
                              "\x01\x02"};
  for (int round = 0; round < 500; ++round) {
    Tick tick{.number = 9, .first_position = 40, .time = 1'700'000'000'000'000};
    for (uint64_t i = 0; i < random() % 8; ++i)
      tick.events.push_back(event_with([&] { return pool[random() % std::size(pool)]; },
                                       tick.time + int64_t(random() % 7) - 3, 40 + i));
    TickRecord record = packed(tick);
    ASSERT_TRUE(unpack_tick(record, tick.events.size()));
    for (size_t i = 0; i < tick.events.size(); ++i)
      ASSERT_EQ(text_of(record.events[i]), text_of(tick.events[i]->envelope));
    EXPECT_TRUE(record.changes.empty());
  }
}

TEST(TickPacking, GivesBackChangesAndErasures) {
  Tick tick{.number = 1, .first_position = 1, .time = 5};
  tick.changes = {test::put(test::letter(1)), test::erase(test::letter(2)), test::put(test::letter(3))};
  TickRecord record = packed(tick);
  ASSERT_TRUE(unpack_tick(record, 0));
  ASSERT_EQ(record.changes.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const TickRecord::Change& change = record.changes[i];
    EXPECT_EQ(*change.table, tick.changes[i].table->sql_name);
    EXPECT_EQ(change.key, tick.changes[i].key);
    EXPECT_EQ(change.erased, i == 1);
    if (i != 1) {
      EXPECT_EQ(change.row, row_bytes(*tick.changes[i].row));
    }
  }
}

TEST(TickPacking, AnIdIsSixteenBytesAndWhatRepeatsItselfOne) {
  Tick tick{.number = 1, .first_position = 1, .time = 5};
  const std::string id = derived_uuid("x");
  for (uint64_t i = 0; i < 2; ++i) tick.events.push_back(event_with([&] { return id; }, 5, 1 + 3 * i));
  const size_t two = packed(tick).payload.size();
  tick.events.pop_back();
  EXPECT_EQ(two - packed(tick).payload.size(), 1u + 1 + 6 + 1 + 36);  // type, time, texts, data
}

TEST(TickPacking, RefusesWhatIsCutOrGoesOn) {
  Tick tick{.number = 1, .first_position = 1, .time = 5};
  for (uint64_t i = 0; i < 3; ++i)
    tick.events.push_back(event_with([&] { return derived_uuid(fmt::format("{}", i)); }, 5, 1 + i));
  tick.changes = {test::put(test::letter(1))};
  const TickRecord whole = packed(tick);
  for (size_t left = 0; left < whole.payload.size(); ++left) {
    TickRecord cut;
    cut.payload.assign(whole.payload.begin(), whole.payload.begin() + ptrdiff_t(left));
    EXPECT_FALSE(unpack_tick(cut, 3)) << left;
  }
  TickRecord longer = packed(tick);
  longer.payload.push_back(0);
  EXPECT_FALSE(unpack_tick(longer, 3));
  for (const size_t events : {size_t(2), size_t(4), SIZE_MAX}) {
    TickRecord other = packed(tick);
    EXPECT_FALSE(unpack_tick(other, events)) << events;
  }
}

TEST(Varint, ReadsWhatItWrites) {
  for (const uint64_t value : {uint64_t(0), uint64_t(127), uint64_t(128), uint64_t(1) << 35, UINT64_MAX}) {
    std::string bytes;
    append_varint(bytes, value);
    ByteReader in{bytes};
    EXPECT_EQ(in.varint(), value);
    EXPECT_TRUE(in.good && in.rest.empty());
    EXPECT_EQ(zigzag(unzigzag(value)), value);
  }
  ByteReader endless{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
  endless.varint();
  EXPECT_FALSE(endless.good);
}

}  // namespace
}  // namespace micropay
