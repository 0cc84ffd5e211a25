// How the trail is chained and how it is verified: pure functions, used by the service and by `micropay
// verify`. An entry is made of its event whenever it is wanted; what is kept is the chain.
//
//   hash(n) = SHA-256(hash(n-1) || entry n as protobuf bytes without its hash);  hash(0) = 32 zero bytes
//   digest(n) = SHA-256(the event's bytes as they stand in the log)
//
// The entry has no maps and unknown fields are never set, so its protobuf bytes are the same everywhere.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "contracts/audit.pb.h"
#include "libs/store/event_window.h"

namespace micropay::audit {

constexpr uint64_t kBlockEntries = 64;
constexpr size_t kMarkBytes = 4;

// Number of the block that holds an entry; sequences are from 1.
inline uint64_t block_of(uint64_t sequence) { return (sequence - 1) / kBlockEntries; }
inline size_t place_in_block(uint64_t sequence) { return size_t((sequence - 1) % kBlockEntries); }
inline uint64_t first_of_block(uint64_t number) { return number * kBlockEntries + 1; }

constexpr std::string_view kFirstHash{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32};

std::string digest_of(std::string_view event_bytes);

// The entry of an event, without its hash, which depends on all entries before it.
AuditEntry entry_of(const Envelope& envelope);
// Moves the chain of a block on by one event; `previous_hash` is that of the entry before it, kFirstHash for
// entry 1. The block's last_hash is then the hash of this entry.
void append_entry(AuditBlock& block, const Envelope& envelope, std::string_view previous_hash);

struct Problem {
  uint64_t sequence = 0;  // first bad entry
  std::string text;
};

// Where a verification stands: the entry that must come next, always the first of a block, and the hash it
// must follow.
struct ChainHead {
  uint64_t next_sequence = 1;
  std::string hash{kFirstHash};
};

// Makes the chain of the block at `head` again from its events, and moves `head` behind it. The first of: an
// event that is missing or is not what was chained, a block that is not what its events make.
std::optional<Problem> verify_block(const AuditBlock& block,
                                    std::span<const std::shared_ptr<const EventRecord>> events,
                                    ChainHead& head);
// The same with the events read from `log`; a log that cannot be read is a problem of its entry.
std::optional<Problem> broken_entry(const AuditBlock& block, EventWindow& log, ChainHead& head);

// What a list shows of the trail.
bool matches(const Envelope& event, const ListAuditEntriesRequest& request);

}  // namespace micropay::audit
