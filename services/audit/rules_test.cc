// The chain: built, verified, and every kind of change found and located.
#include "services/audit/rules.h"

#include <gtest/gtest.h>

#include <functional>

#include "libs/base/ids.h"
#include "libs/security/sha256.h"

namespace micropay::audit {
namespace {

using Events = std::vector<std::shared_ptr<const EventRecord>>;

Envelope event(uint64_t position) {
  Envelope envelope;
  envelope.set_position(position);
  envelope.set_id(derived_uuid(fmt::format("event {}", position)));
  envelope.set_type(position % 2 ? "payment.initiated" : "payment.completed");
  envelope.set_service("payment");
  envelope.set_time(int64_t(1'700'000'000'000'000 + position));
  envelope.set_key(derived_uuid("payment"));
  envelope.set_correlation_id("c");
  envelope.set_actor("system");
  envelope.set_data(fmt::format("data of {}", position));
  return envelope;
}

struct Trail {
  Events events;
  std::vector<AuditBlock> blocks;

  explicit Trail(uint64_t count) {
    std::string previous{kFirstHash};
    for (uint64_t sequence = 1; sequence <= count; ++sequence) {
      auto record = std::make_shared<EventRecord>();
      record->envelope = event(sequence);
      events.push_back(record);
      if (place_in_block(sequence) == 0) blocks.emplace_back().set_number(block_of(sequence));
      append_entry(blocks.back(), record->envelope, previous);
      previous = blocks.back().last_hash();
    }
  }
  // Another event at a place of the log.
  void change(uint64_t sequence, const std::function<void(Envelope&)>& edit) {
    auto record = std::make_shared<EventRecord>(*events[sequence - 1]);
    edit(record->envelope);
    events[sequence - 1] = record;
  }
  std::optional<Problem> verify() const {
    EventWindow log([this](uint64_t from, size_t limit) -> Result<Events> {
      const size_t first = std::min<size_t>(from - 1, events.size());
      return Events(events.begin() + ptrdiff_t(first),
                    events.begin() + ptrdiff_t(std::min(first + limit, events.size())));
    });
    ChainHead head;
    for (const AuditBlock& block : blocks)
      if (auto problem = broken_entry(block, log, head)) return problem;
    EXPECT_EQ(head.next_sequence, events.size() + 1);
    return {};
  }
};

TEST(Chain, VerifiesAtEveryLength) {
  for (const uint64_t count : {1, 2, 63, 64, 65, 128, 200}) {
    const Trail trail(count);
    EXPECT_FALSE(trail.verify()) << count;
    EXPECT_EQ(trail.blocks.size(), block_of(count) + 1);
    EXPECT_EQ(trail.blocks.back().marks().size(), trail.blocks.back().count() * kMarkBytes);
  }
}

// The definition of rules.h, spelled out.
TEST(Chain, HashesAsItSays) {
  const Trail trail(3);
  std::string previous(32, '\0');
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
    const AuditEntry entry = entry_of(event(sequence));
    EXPECT_EQ(entry.digest(), digest_of(event(sequence).data()));
    EXPECT_TRUE(entry.hash().empty());
    const std::string bytes = previous + entry.SerializeAsString();
    const Sha256::Hash hash = Sha256()(bytes);
    previous.assign(hash.data(), hash.size());
    EXPECT_EQ(trail.blocks[0].marks().substr((sequence - 1) * kMarkBytes, kMarkBytes), previous.substr(0, 4));
  }
  EXPECT_EQ(trail.blocks[0].last_hash(), previous);
}

TEST(Chain, AChangedEventIsFoundAndLocated) {
  const std::function<void(Envelope&)> changes[] = {
      [](Envelope& e) { e.set_id("x"); },      [](Envelope& e) { e.set_type("x"); },
      [](Envelope& e) { e.set_actor("x"); },   [](Envelope& e) { e.set_time(1); },
      [](Envelope& e) { e.set_service("x"); }, [](Envelope& e) { e.set_key("x"); },
      [](Envelope& e) { e.set_data("x"); },    [](Envelope& e) { e.set_correlation_id("x"); },
      [](Envelope& e) { e.set_position(7); }};
  for (const auto& change : changes)
    for (const uint64_t sequence : {1, 64, 65, 70}) {
      Trail trail(70);
      trail.change(sequence, change);
      const auto problem = trail.verify();
      ASSERT_TRUE(problem) << sequence;
      EXPECT_EQ(problem->sequence, sequence) << problem->text;
    }
}

TEST(Chain, AChangedBlockIsFoundAndLocated) {
  const Trail good(200);
  const auto change = [&good](auto edit) {
    Trail trail = good;
    edit(trail.blocks);
    const auto problem = trail.verify();
    return problem ? problem->sequence : 0;
  };
  using Blocks = std::vector<AuditBlock>;
  for (size_t at = 0; at < 256; ++at)
    EXPECT_EQ(change([at](Blocks& b) { (*b[1].mutable_marks())[at] ^= 1; }), 65 + at / kMarkBytes);
  EXPECT_EQ(change([](Blocks& b) { b.erase(b.begin() + 1); }), 65u);
  EXPECT_EQ(change([](Blocks& b) { std::swap(b[0], b[1]); }), 1u);
  EXPECT_EQ(change([](Blocks& b) { b[1].set_last_hash(b[0].last_hash()); }), 128u);
  EXPECT_EQ(change([](Blocks& b) { b[1].set_count(63); }), 127u);
  EXPECT_EQ(change([](Blocks& b) {  // a block that was cut short in all its parts
              AuditBlock cut;
              cut.set_number(1);
              for (uint64_t s = 65; s < 128; ++s)
                append_entry(cut, event(s), s == 65 ? b[0].last_hash() : cut.last_hash());
              b[1] = cut;
            }),
            128u);
  EXPECT_EQ(change([](Blocks& b) { b[3].set_count(9); }), 201u);
  EXPECT_EQ(change([](Blocks& b) { b[3].set_last_time(1); }), 200u);
  EXPECT_EQ(change([](Blocks& b) { b[0].mutable_marks()->append("more"); }), 64u);
  EXPECT_EQ(change([](Blocks& b) { b[0].mutable_marks()->resize(250); }), 63u);
}

TEST(Chain, WhatIsLeftOutOfTheLogIsFound) {
  Trail trail(70);
  trail.events.pop_back();
  EXPECT_EQ(trail.verify()->sequence, 70u);
  trail = Trail(70);
  trail.events.erase(trail.events.begin() + 9);
  EXPECT_EQ(trail.verify()->sequence, 10u);
}

TEST(Chain, AChainMadeAnewFromLaterEventsIsFound) {
  Trail trail(64);
  AuditBlock block;
  block.set_number(1);
  append_entry(block, event(65), kFirstHash);
  block.set_number(0);
  trail.blocks = {block};
  EXPECT_EQ(trail.verify()->sequence, 1u);
}

TEST(ChainDeath, AppendsInOrderOnly) {
  AuditBlock block;
  EXPECT_DEATH(append_entry(block, event(2), kFirstHash), "");
  EXPECT_DEATH(append_entry(block, event(1), "short"), "");
}

}  // namespace
}  // namespace micropay::audit
