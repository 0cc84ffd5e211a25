// Chaining and verification; see rules.h. Appending is on the way of every event and keeps four bytes of it.
#include "services/audit/rules.h"

#include <sodium.h>

#include "libs/base/check.h"

namespace micropay::audit {
namespace {

constexpr size_t kHashBytes = 32;

using Hash = std::array<char, kHashBytes>;

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

// Every field but the hash is set, so that one message serves for many events.
void fill_entry(AuditEntry& entry, const Envelope& envelope) {
  entry.set_sequence(envelope.position());
  entry.set_time(envelope.time());
  entry.set_actor(envelope.actor());
  entry.set_action(envelope.type());
  entry.set_service(envelope.service());
  entry.set_subject(envelope.key());
  entry.set_event_id(envelope.id());
  entry.set_correlation_id(envelope.correlation_id());
  entry.set_digest(digest_of(envelope.data()));
}

std::string_view mark_of(const AuditBlock& block, size_t place) {
  return std::string_view(block.marks())
      .substr(std::min(place * kMarkBytes, block.marks().size()), kMarkBytes);
}

}  // namespace

std::string digest_of(std::string_view event_bytes) {
  std::string digest(kHashBytes, '\0');
  crypto_generichash(reinterpret_cast<uint8_t*>(digest.data()), kHashBytes,
                     reinterpret_cast<const uint8_t*>(event_bytes.data()), event_bytes.size(), nullptr, 0);
  return digest;
}

AuditEntry entry_of(const Envelope& envelope) {
  AuditEntry entry;
  fill_entry(entry, envelope);
  return entry;
}

void append_entry(AuditBlock& block, const Envelope& envelope, std::string_view previous_hash) {
  CHECK(block.number() == block_of(envelope.position()) &&
        block.count() == place_in_block(envelope.position()));
  thread_local AuditEntry entry;
  thread_local std::string bytes;
  fill_entry(entry, envelope);
  entry.SerializeToString(&bytes);
  const Hash hash = hash_of(previous_hash, bytes);
  block.set_count(block.count() + 1);
  block.set_last_hash(hash.data(), hash.size());
  block.set_last_time(envelope.time());
  block.mutable_marks()->append(hash.data(), kMarkBytes);
}

std::optional<Problem> verify_block(const AuditBlock& block,
                                    std::span<const std::shared_ptr<const EventRecord>> events,
                                    ChainHead& head) {
  const uint64_t number = block_of(head.next_sequence);
  if (place_in_block(head.next_sequence) != 0) return Problem{head.next_sequence, "its block ends before it"};
  if (block.number() != number)
    return Problem{head.next_sequence, fmt::format("block {} stands for block {}", block.number(), number)};
  AuditBlock made;
  made.set_number(number);
  for (const auto& event : events) {
    const uint64_t sequence = head.next_sequence;
    if (made.count() == block.count() || made.count() == kBlockEntries) break;
    if (event->envelope.position() != sequence) return Problem{sequence, "its event is missing"};
    append_entry(made, event->envelope, head.hash);
    if (mark_of(made, made.count() - 1) != mark_of(block, made.count() - 1))
      return Problem{sequence, "its hash does not follow from its event and the hash before"};
    head.hash = made.last_hash();
    ++head.next_sequence;
  }
  if (made.count() < block.count())
    return Problem{head.next_sequence, fmt::format("its block counts {} entries, the log has {} events of it",
                                                   block.count(), made.count())};
  if (made.last_hash() != block.last_hash() || made.last_time() != block.last_time() ||
      made.marks() != block.marks() || block.count() == 0)
    return Problem{std::max(head.next_sequence - 1, first_of_block(number)), "its block ends otherwise"};
  return {};
}

std::optional<Problem> broken_entry(const AuditBlock& block, EventWindow& log, ChainHead& head) {
  const auto events = log.get(head.next_sequence, kBlockEntries);
  if (!events) return Problem{head.next_sequence, "its event cannot be read: " + events.error().detail};
  return verify_block(block, *events, head);
}

bool matches(const Envelope& event, const ListAuditEntriesRequest& request) {
  return (request.actor().empty() || event.actor() == request.actor()) &&
         (request.action().empty() || event.type() == request.action()) &&
         (request.subject().empty() || event.key() == request.subject()) &&
         (request.from() == 0 || event.time() >= request.from()) &&
         (request.to() == 0 || event.time() < request.to());
}

}  // namespace micropay::audit
