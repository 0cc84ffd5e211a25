// The chain: built, verified, and every kind of change found and located.
#include "services/audit/rules.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <random>

#include "libs/base/ids.h"

namespace micropay::audit {
namespace {

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

std::vector<AuditBlock> trail(uint64_t count) {
  std::vector<AuditBlock> blocks;
  std::string previous{kFirstHash};
  for (uint64_t sequence = 1; sequence <= count; ++sequence) {
    if (place_in_block(sequence) == 0) blocks.emplace_back().set_number(block_of(sequence));
    append_entry(blocks.back(), event(sequence), previous);
    previous = blocks.back().last_hash();
  }
  return blocks;
}

std::optional<Problem> verify(const std::vector<AuditBlock>& blocks) {
  ChainHead head;
  for (const AuditBlock& block : blocks)
    if (auto problem = verify_chain(block, head)) return problem;
  return {};
}

TEST(Chain, VerifiesAtEveryLength) {
  for (const uint64_t count : {1, 2, 63, 64, 65, 128, 200}) {
    const auto blocks = trail(count);
    EXPECT_FALSE(verify(blocks)) << count;
    const AuditEntries last = *entries_of(blocks.back());
    EXPECT_EQ(last.entries(0).sequence(), (blocks.size() - 1) * kBlockEntries + 1);
  }
}

// The definition of rules.h, spelled out.
TEST(Chain, HashesAsItSays) {
  const auto blocks = trail(2);
  std::string previous(32, '\0');
  const AuditEntries entries = *entries_of(blocks[0]);
  for (const AuditEntry& entry : entries.entries()) {
    AuditEntry bare = entry;
    bare.clear_hash();
    const std::string bytes = previous + bare.SerializeAsString();
    uint8_t hash[32];
    crypto_generichash(hash, 32, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), nullptr, 0);
    previous.assign(reinterpret_cast<const char*>(hash), 32);
    EXPECT_EQ(entry.hash(), previous);
    EXPECT_EQ(entry.digest(), digest_of(event(entry.sequence()).data()));
    EXPECT_FALSE(verify_entry(entry, event(entry.sequence())));
  }
}

TEST(Chain, AChangedByteIsFoundAndLocated) {
  const auto good = trail(70);
  std::mt19937_64 random(5);
  for (int i = 0; i < 3'000; ++i) {
    auto blocks = good;
    const uint64_t sequence = 1 + random() % 70;
    AuditBlock& block = blocks[block_of(sequence)];
    // Where this entry's bytes lie.
    size_t start = 0, size = 0;
    const AuditEntries entries = *entries_of(block);
    for (size_t place = 0; place <= place_in_block(sequence); ++place) {
      start += size;
      const size_t bytes = entries.entries(int(place)).ByteSizeLong();
      size = 1 + (bytes < 128 ? 1 : 2) + bytes;
    }
    char& byte = (*block.mutable_entries())[start + random() % size];
    byte = char(byte ^ (1 << random() % 8));
    const auto problem = verify(blocks);
    ASSERT_TRUE(problem) << sequence;
    ASSERT_EQ(problem->sequence, sequence) << problem->text;
  }
}

TEST(Chain, WhatIsLeftOutOrMovedIsFound) {
  const auto good = trail(200);
  auto blocks = good;
  blocks.erase(blocks.begin() + 1);
  EXPECT_EQ(verify(blocks)->sequence, 65u);
  blocks = good;
  std::swap(blocks[0], blocks[1]);
  EXPECT_EQ(verify(blocks)->sequence, 1u);

  const auto change = [&](auto change_entries) {
    auto changed = good;
    AuditEntries entries = *entries_of(changed[1]);
    change_entries(entries);
    changed[1].set_entries(entries.SerializeAsString());
    return verify(changed)->sequence;
  };
  EXPECT_EQ(change([](AuditEntries& e) { e.mutable_entries()->DeleteSubrange(5, 1); }), 70u);
  EXPECT_EQ(change([](AuditEntries& e) { e.mutable_entries()->SwapElements(3, 4); }), 68u);
  EXPECT_EQ(change([](AuditEntries& e) { e.mutable_entries()->RemoveLast(); }), 128u);
  EXPECT_EQ(change([](AuditEntries& e) { e.clear_entries(); }), 65u);
  EXPECT_EQ(change([](AuditEntries& e) { *e.add_entries() = e.entries(0); }), 129u);

  blocks = good;
  blocks[1].set_last_hash(blocks[0].last_hash());
  EXPECT_EQ(verify(blocks)->sequence, 128u);
  blocks = good;
  blocks[1].set_count(63);
  EXPECT_TRUE(verify(blocks));
  blocks = good;
  blocks[3].set_last_time(1);
  EXPECT_EQ(verify(blocks)->sequence, 200u);
}

TEST(Chain, AChainMadeAnewFromLaterEventsIsFound) {
  AuditBlock block;
  block.set_number(1);
  append_entry(block, event(65), kFirstHash);
  block.set_number(0);
  EXPECT_EQ(verify({block})->sequence, 1u);
}

TEST(Entry, IsComparedWithItsEvent) {
  const AuditEntries entries = *entries_of(trail(1)[0]);
  const AuditEntry& entry = entries.entries(0);
  const std::function<void(Envelope&)> changes[] = {
      [](Envelope& e) { e.set_position(2); }, [](Envelope& e) { e.set_id("x"); },
      [](Envelope& e) { e.set_type("x"); },   [](Envelope& e) { e.set_actor("x"); },
      [](Envelope& e) { e.set_time(1); },     [](Envelope& e) { e.set_service("x"); },
      [](Envelope& e) { e.set_key("x"); },    [](Envelope& e) { e.set_correlation_id("x"); },
      [](Envelope& e) { e.set_data("x"); }};
  for (const auto& change : changes) {
    Envelope envelope = event(1);
    change(envelope);
    EXPECT_TRUE(verify_entry(entry, envelope));
  }
}

TEST(ChainDeath, AppendsInOrderOnly) {
  AuditBlock block;
  EXPECT_DEATH(append_entry(block, event(2), kFirstHash), "");
  EXPECT_DEATH(append_entry(block, event(1), "short"), "");
}

}  // namespace
}  // namespace micropay::audit
