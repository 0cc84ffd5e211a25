// Chaining and verification; see rules.h. Appending is on the way of every event and copies no other entry.
#include "services/audit/rules.h"

#include <sodium.h>

#include "libs/base/check.h"

namespace micropay::audit {
namespace {

constexpr size_t kHashBytes = 32;
// An entry in a block: the tag of AuditEntries.entries, its length, the entry, whose last field is the hash.
constexpr char kEntryTag = 0x0a;
constexpr std::string_view kHashTag = "\x52\x20";
static_assert(AuditEntries::kEntriesFieldNumber == 1 && AuditEntry::kHashFieldNumber == 10);

using Hash = std::array<char, kHashBytes>;
std::string_view view(const Hash& hash) { return {hash.data(), hash.size()}; }

Hash hash_of(std::string_view previous_hash, std::string_view entry) {
  CHECK(previous_hash.size() == kHashBytes);
  Hash hash;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, kHashBytes);
  crypto_generichash_update(&state, reinterpret_cast<const uint8_t*>(previous_hash.data()), kHashBytes);
  crypto_generichash_update(&state, reinterpret_cast<const uint8_t*>(entry.data()), entry.size());
  crypto_generichash_final(&state, reinterpret_cast<uint8_t*>(hash.data()), kHashBytes);
  return hash;
}

void append_size(std::string& out, size_t size) {
  for (; size >= 0x80; size >>= 7) out.push_back(char(size | 0x80));
  out.push_back(char(size));
}

// Takes the next entry's bytes from the front of a block's; none when they are damaged.
std::optional<std::string_view> take_entry(std::string_view& bytes) {
  if (bytes.empty() || bytes[0] != kEntryTag) return {};
  uint64_t size = 0;
  size_t at = 1;
  for (int shift = 0;; shift += 7, ++at) {
    if (at >= bytes.size() || shift > 28) return {};
    size |= uint64_t(bytes[at] & 0x7f) << shift;
    if ((bytes[at] & 0x80) == 0) break;
  }
  ++at;
  if (size > bytes.size() - at || size < kHashTag.size() + kHashBytes) return {};
  const std::string_view entry = bytes.substr(at, size);
  bytes.remove_prefix(at + size);
  return entry;
}

// Checks one entry as it is stored; sets `hash` and `time` to its own.
std::optional<std::string> check_entry(std::string_view raw, const ChainHead& head, std::string& hash,
                                       int64_t& time) {
  const std::string_view body = raw.substr(0, raw.size() - kHashTag.size() - kHashBytes);
  hash = raw.substr(raw.size() - kHashBytes);
  if (raw.substr(body.size(), kHashTag.size()) != kHashTag || hash != view(hash_of(head.hash, body)))
    return "its hash does not follow from it and the one before";
  AuditEntry entry;
  if (!entry.ParseFromArray(raw.data(), int(raw.size()))) return "it cannot be read";
  if (entry.sequence() != head.next_sequence)
    return fmt::format("entry {} stands in its place", entry.sequence());
  time = entry.time();
  return {};
}

}  // namespace

std::string digest_of(std::string_view event_bytes) {
  std::string digest(kHashBytes, '\0');
  crypto_generichash(reinterpret_cast<uint8_t*>(digest.data()), kHashBytes,
                     reinterpret_cast<const uint8_t*>(event_bytes.data()), event_bytes.size(), nullptr, 0);
  return digest;
}

void append_entry(AuditBlock& block, const Envelope& envelope, std::string_view previous_hash) {
  CHECK(block.number() == block_of(envelope.position()) &&
        block.count() == place_in_block(envelope.position()));
  thread_local AuditEntry entry;  // every field is set below
  entry.set_sequence(envelope.position());
  entry.set_time(envelope.time());
  entry.set_actor(envelope.actor());
  entry.set_action(envelope.type());
  entry.set_service(envelope.service());
  entry.set_subject(envelope.key());
  entry.set_event_id(envelope.id());
  entry.set_correlation_id(envelope.correlation_id());
  entry.set_digest(digest_of(envelope.data()));
  CHECK(entry.hash().empty());

  std::string& bytes = *block.mutable_entries();
  const size_t size = entry.ByteSizeLong();
  bytes.push_back(kEntryTag);
  append_size(bytes, size + kHashTag.size() + kHashBytes);
  const size_t start = bytes.size();
  entry.AppendToString(&bytes);
  const Hash hash = hash_of(previous_hash, std::string_view(bytes).substr(start));
  bytes.append(kHashTag).append(view(hash));
  block.set_count(block.count() + 1);
  block.set_last_hash(hash.data(), hash.size());
  block.set_last_time(envelope.time());
}

std::optional<AuditEntries> entries_of(const AuditBlock& block) {
  AuditEntries entries;
  if (!entries.ParseFromString(block.entries()) || entries.entries_size() != int(block.count())) return {};
  return entries;
}

std::optional<Problem> verify_chain(const AuditBlock& block, ChainHead& head) {
  const auto problem = [&head](std::string text) { return Problem{head.next_sequence, std::move(text)}; };
  const uint64_t number = block_of(head.next_sequence);
  if (block.number() != number)
    return problem(fmt::format("block {} stands for block {}", block.number(), number));
  const size_t first = place_in_block(head.next_sequence);
  std::string_view bytes = block.entries();
  std::string hash;
  int64_t time = 0;
  for (size_t place = 0; !bytes.empty() || place <= first; ++place) {
    const auto raw = take_entry(bytes);
    if (!raw) return problem(bytes.empty() ? "it is missing" : "it cannot be read");
    if (place >= kBlockEntries) return problem("its block holds too many");
    if (place < first) continue;
    if (const auto wrong = check_entry(*raw, head, hash, time)) return problem(*wrong);
    head.hash = hash;
    ++head.next_sequence;
  }
  const uint64_t last = number * kBlockEntries + block.count();
  if (last + 1 != head.next_sequence)
    return problem(fmt::format("its block counts {} entries", block.count()));
  if (block.last_hash() != head.hash || block.last_time() != time)
    return Problem{last, "its block ends otherwise"};
  return {};
}

std::optional<Problem> verify_entry(const AuditEntry& entry, const Envelope& envelope) {
  const auto differs = [&](std::string_view what) {
    return Problem{entry.sequence(), fmt::format("its {} is not the event's", what)};
  };
  if (entry.sequence() != envelope.position()) return differs("sequence");
  if (entry.event_id() != envelope.id()) return differs("event id");
  if (entry.action() != envelope.type()) return differs("action");
  if (entry.actor() != envelope.actor()) return differs("actor");
  if (entry.time() != envelope.time()) return differs("time");
  if (entry.service() != envelope.service()) return differs("service");
  if (entry.subject() != envelope.key()) return differs("subject");
  if (entry.correlation_id() != envelope.correlation_id()) return differs("correlation id");
  if (entry.digest() != digest_of(envelope.data())) return differs("digest");
  return {};
}

bool matches(const AuditEntry& entry, const ListAuditEntriesRequest& request) {
  return (request.actor().empty() || entry.actor() == request.actor()) &&
         (request.action().empty() || entry.action() == request.action()) &&
         (request.subject().empty() || entry.subject() == request.subject()) &&
         (request.from() == 0 || entry.time() >= request.from()) &&
         (request.to() == 0 || entry.time() < request.to());
}

}  // namespace micropay::audit
