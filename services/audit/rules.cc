// Chaining and verification; see rules.h. Appending is on the way of every event and keeps four bytes of it.
#include "services/audit/rules.h"

#include "libs/base/check.h"
#include "libs/base/varint.h"
#include "libs/security/sha256.h"

namespace micropay::audit {
namespace {

using Hash = Sha256::Hash;

Hash hash_of(std::string_view first, std::string_view second = {}) {
  thread_local Sha256 sha256;
  return sha256(first, second);
}

void append_text(std::string& out, int field, std::string_view text) {
  if (text.empty()) return;
  out.push_back(char(field << 3 | 2));
  append_sized(out, text);
}

void append_number(std::string& out, int field, uint64_t number) {
  if (number == 0) return;
  out.push_back(char(field << 3));
  append_varint(out, number);
}

// entry_of(envelope) as protobuf bytes, without making the message.
void append_bytes_of_entry(std::string& out, const Envelope& envelope) {
  append_number(out, AuditEntry::kSequenceFieldNumber, envelope.position());
  append_number(out, AuditEntry::kTimeFieldNumber, uint64_t(envelope.time()));
  append_text(out, AuditEntry::kActorFieldNumber, envelope.actor());
  append_text(out, AuditEntry::kActionFieldNumber, envelope.type());
  append_text(out, AuditEntry::kServiceFieldNumber, envelope.service());
  append_text(out, AuditEntry::kSubjectFieldNumber, envelope.key());
  append_text(out, AuditEntry::kEventIdFieldNumber, envelope.id());
  append_text(out, AuditEntry::kCorrelationIdFieldNumber, envelope.correlation_id());
  const Hash digest = hash_of(envelope.data());
  append_text(out, AuditEntry::kDigestFieldNumber, {digest.data(), digest.size()});
}

std::string_view mark_of(const AuditBlock& block, size_t place) {
  return std::string_view(block.marks())
      .substr(std::min(place * kMarkBytes, block.marks().size()), kMarkBytes);
}

}  // namespace

std::string digest_of(std::string_view event_bytes) {
  const Hash digest = hash_of(event_bytes);
  return {digest.data(), digest.size()};
}

AuditEntry entry_of(const Envelope& envelope) {
  AuditEntry entry;
  entry.set_sequence(envelope.position());
  entry.set_time(envelope.time());
  entry.set_actor(std::string(envelope.actor()));
  entry.set_action(envelope.type());
  entry.set_service(envelope.service());
  entry.set_subject(std::string(envelope.key()));
  entry.set_event_id(std::string(envelope.id()));
  entry.set_correlation_id(std::string(envelope.correlation_id()));
  entry.set_digest(digest_of(envelope.data()));
  return entry;
}

void append_entry(AuditBlock& block, const Envelope& envelope, std::string_view previous_hash) {
  CHECK(block.number() == block_of(envelope.position()) &&
        block.count() == place_in_block(envelope.position()) && previous_hash.size() == kFirstHash.size());
  thread_local std::string bytes;
  bytes.clear();
  append_bytes_of_entry(bytes, envelope);
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
