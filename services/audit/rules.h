// How the trail is chained and how it is verified: pure functions, used by the service and by `micropay
// verify`.
//
//   hash(n) = BLAKE2b-256(hash(n-1) || entry n as protobuf bytes without its hash);  hash(0) = 32 zero bytes
//   digest(n) = BLAKE2b-256(the event's bytes as they stand in the log)
//
// The entry has no maps and unknown fields are never set, so its protobuf bytes are the same everywhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "contracts/audit.pb.h"
#include "contracts/runtime.pb.h"

namespace micropay::audit {

constexpr uint64_t kBlockEntries = 64;

// Number of the block that holds an entry; sequences are from 1.
inline uint64_t block_of(uint64_t sequence) { return (sequence - 1) / kBlockEntries; }
inline size_t place_in_block(uint64_t sequence) { return size_t((sequence - 1) % kBlockEntries); }

constexpr std::string_view kFirstHash{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32};

std::string digest_of(std::string_view event_bytes);

// Appends the entry of an event; `previous_hash` is that of the entry before it, kFirstHash for entry 1.
void append_entry(AuditBlock& block, const Envelope& envelope, std::string_view previous_hash);
// The entries of a block; none when its bytes are damaged.
std::optional<AuditEntries> entries_of(const AuditBlock& block);

struct Problem {
  uint64_t sequence = 0;  // first bad entry
  std::string text;
};

// Where a verification stands: the entry that must come next, and the hash it must follow.
struct ChainHead {
  uint64_t next_sequence = 1;
  std::string hash{kFirstHash};
};

// Checks the entries from `head` on and moves it behind the last good one; entries before it are skipped.
// Byte for byte as they are stored. The first of: a missing, misplaced or unreadable entry, one whose hash
// does not follow, a block that is not what its entries say.
std::optional<Problem> verify_chain(const AuditBlock& block, ChainHead& head);
// An entry against its event in the log.
std::optional<Problem> verify_entry(const AuditEntry& entry, const Envelope& envelope);

// What a list shows of the trail.
bool matches(const AuditEntry& entry, const ListAuditEntriesRequest& request);

}  // namespace micropay::audit
