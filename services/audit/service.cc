// Moves the chain on by every event, and answers questions about the trail: what its entries say is read from
// the log.
#include "services/audit/service.h"

#include <charconv>

#include "contracts/audit.pb.h"
#include "services/audit/rules.h"

namespace micropay {
namespace audit {
namespace {

constexpr uint64_t kMaxBlocksPerPage = 500;
constexpr uint64_t kMaxEntriesVerified = 1'000'000;
constexpr size_t kEventsAtOnce = 16 * kBlockEntries;  // read from the log

Result<void> append_to_trail(Context& ctx, const EventRecord& event) {
  const uint64_t sequence = event.envelope.position(), number = block_of(sequence);
  auto blocks = ctx.table<AuditBlock>();
  AuditBlock* found = blocks.edit_present(std::to_string(number));
  const uint64_t present = found == nullptr ? 0 : found->count();
  if (present > place_in_block(sequence)) return {};  // appended before
  if (present < place_in_block(sequence)) return fail(Code::kInternal, "audit_gap", std::to_string(sequence));
  if (found != nullptr) {
    append_entry(*found, event.envelope, found->last_hash());
    return {};
  }
  std::string previous_hash{kFirstHash};
  if (number > 0) {
    const AuditBlock* before = blocks.find(std::to_string(number - 1));
    if (before == nullptr || before->count() != kBlockEntries) return fail(Code::kInternal, "audit_gap");
    previous_hash = before->last_hash();
  }
  AuditBlock started;
  started.set_number(number);
  append_entry(blocks.insert(started), event.envelope, previous_hash);
  return {};
}

// The newest block; null when the trail is empty.
Result<std::optional<AuditBlock>> newest_block(QueryContext& ctx) {
  const List<AuditBlock> newest =
      TRY(ctx.table<AuditBlock>().list({.order_by = "number desc", .page_size = 1}));
  if (newest.empty()) return std::nullopt;
  return newest[0];
}

uint64_t last_sequence(const std::optional<AuditBlock>& newest) {
  return newest ? newest->number() * kBlockEntries + newest->count() : 0;
}

// The entries of a block with their hashes, `events` being those of the block from its first one on.
Result<std::vector<AuditEntry>> entries_of(QueryContext& ctx, uint64_t number,
                                           std::span<const std::shared_ptr<const EventRecord>> events) {
  AuditBlock made;
  made.set_number(number);
  made.set_last_hash(std::string(kFirstHash));
  if (number > 0)
    made.set_last_hash(TRY(ctx.table<AuditBlock>().get(std::to_string(number - 1))).get().last_hash());
  std::vector<AuditEntry> entries;
  entries.reserve(events.size());
  for (const auto& event : events) {
    append_entry(made, event->envelope, std::string(made.last_hash()));
    entries.push_back(entry_of(event->envelope));
    entries.back().set_hash(made.last_hash());
  }
  return entries;
}

// Where a page starts: at the entry that a token names, or behind so many matching ones ("offset:40").
struct PageStart {
  uint64_t sequence = 0;
  uint64_t skip = 0;
};
Result<PageStart> start_of_page(std::string_view token, uint64_t otherwise) {
  if (token.empty()) return PageStart{otherwise};
  const bool offset = token.starts_with("offset:");
  if (offset) token.remove_prefix(7);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error != std::errc() || end != token.data() + token.size() || (number == 0 && !offset))
    return fail(Code::kInvalidArgument, "invalid_page_token", {}, "pageToken");
  return offset ? PageStart{otherwise, number} : PageStart{number};
}

Result<bool> newest_first(std::string_view order_by) {
  if (order_by.empty() || order_by == "sequence desc" || order_by == "time desc") return true;
  if (order_by == "sequence" || order_by == "sequence asc" || order_by == "time" || order_by == "time asc")
    return false;
  return fail(Code::kInvalidArgument, "invalid_order", "sequence asc or sequence desc", "orderBy");
}

// Walks the blocks: a page reads at most 500 of them, so one with a rare filter may be short and still have a
// next.
Result<ListAuditEntriesResponse> list_entries(QueryContext& ctx, const ListAuditEntriesRequest& request) {
  const bool newest = TRY(newest_first(request.order_by()));
  const uint64_t head = last_sequence(TRY(newest_block(ctx)));
  PageStart start = TRY(start_of_page(request.page_token(), newest ? head : 1));
  uint64_t sequence = std::min(start.sequence, head + 1);
  const int page_size = request.page_size() == 0 ? 50 : request.page_size();
  ListAuditEntriesResponse response;
  EventWindow log = ctx.events(kEventsAtOnce);
  const auto on_trail = [&] { return sequence >= 1 && sequence <= head; };
  for (uint64_t walked = 0; walked < kMaxBlocksPerPage && on_trail(); ++walked) {
    const uint64_t number = block_of(sequence);
    const auto events = TRY(log.get(first_of_block(number), kBlockEntries));
    std::vector<AuditEntry> entries;  // made when one of them is wanted
    for (; on_trail() && block_of(sequence) == number; newest ? --sequence : ++sequence) {
      const size_t place = place_in_block(sequence);
      if (place >= events.size() || !matches(events[place]->envelope, request)) continue;
      if (start.skip > 0) {
        --start.skip;
        continue;
      }
      if (response.entries_size() == page_size) {
        response.set_next_page_token(std::to_string(sequence));
        return response;
      }
      if (entries.empty()) entries = TRY(entries_of(ctx, number, events));
      *response.add_entries() = std::move(entries[place]);
    }
  }
  if (on_trail() && start.skip > 0)
    return fail(Code::kInvalidArgument, "invalid_page_token",
                "that offset is too far; follow the page tokens", "pageToken");
  if (on_trail()) response.set_next_page_token(std::to_string(sequence));
  return response;
}

// Starts with the block of the first entry asked for, from the stored hash before it; from the beginning
// nothing stored is trusted.
Result<AuditVerification> verify_trail(QueryContext& ctx, const VerifyAuditRequest& request) {
  const std::optional<AuditBlock> newest = TRY(newest_block(ctx));
  const uint64_t head = last_sequence(newest);
  const uint64_t from = std::max<uint64_t>(1, uint64_t(request.from_sequence()));
  const uint64_t most = request.max_entries() == 0 ? kMaxEntriesVerified : uint64_t(request.max_entries());
  AuditVerification verification;
  verification.set_intact(true);
  verification.set_head_sequence(head);
  if (newest) verification.set_head_hash(newest->last_hash());

  auto blocks = ctx.table<AuditBlock>();
  ChainHead chain{.next_sequence = first_of_block(block_of(from))};
  std::optional<Problem> problem;
  if (block_of(from) > 0 && from <= head) {
    const AuditBlock* before = blocks.find(std::to_string(block_of(from) - 1));
    if (before != nullptr && before->last_hash().size() == kFirstHash.size())
      chain.hash = before->last_hash();
    else problem = Problem{chain.next_sequence - 1, "its block is missing"};
  }
  EventWindow log = ctx.events(kEventsAtOnce);
  const uint64_t end = most > head || from > head - most ? head : from + most - 1;
  while (!problem && chain.next_sequence <= end) {
    const AuditBlock* block = blocks.find(std::to_string(block_of(chain.next_sequence)));
    if (block == nullptr) problem = Problem{chain.next_sequence, "its block is missing"};
    else problem = broken_entry(*block, log, chain);
  }
  verification.set_checked(std::max(std::min(chain.next_sequence, end + 1), from) - from);
  if (problem) {
    verification.set_intact(false);
    verification.set_first_bad_sequence(problem->sequence);
    verification.set_problem(problem->text);
  }
  return verification;
}

}  // namespace
}  // namespace audit

Service audit_service(const Parts&) {
  Service service{"audit"};
  service.project_all(audit::append_to_trail);
  service.projection_version = 3;
  service.query(audit::list_entries);
  service.query(audit::verify_trail);
  return service;
}

}  // namespace micropay
