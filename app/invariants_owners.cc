// What was taken back is known to what stood for it, and nothing is given back twice. Each entry has one
// owner: the payment, refund, top-up or transfer that it is of. These compare the journal with their rows.
#include <map>

#include "app/invariants_facts.h"
#include "contracts/account.pb.h"

namespace micropay {
namespace {

struct OwnedKind {
  std::string_view kind;
  size_t of;  // place in causes
  int reversed;
};
constexpr OwnedKind kOwners[] = {{"payment", 0, Payment::REVERSED},
                                 {"refund", 1, Refund::REVERSED},
                                 {"top_up", 2, TopUp::REVERSED},
                                 {"transfer", 3, Transfer::REVERSED}};

}  // namespace

std::string InvariantFold::Facts::check_owner(const LinkFact& one) const {
  if (!one.reversed) return {};
  for (const OwnedKind& owner : kOwners) {
    if (owner.kind != one.kind) continue;
    const CauseFact* found = cause(owner.of, one.cause);
    if (found == nullptr || found->status != owner.reversed)
      return fmt::format("{} {}: its entry was taken back, and it does not say so", one.kind, one.cause);
    return {};
  }
  return fmt::format("entry {}: of kind {}, and was taken back", format_uuid(one.id), one.kind);
}

std::string InvariantFold::Facts::check_reversed(size_t of, const char* kind, int reversed) const {
  for (const CauseFact& row : causes[of]) {
    if (row.status != reversed) continue;
    const EntryFact* booked = entry(row.id);
    if (booked == nullptr || !booked->reversed)
      return fmt::format("{} {}: says that its entry was taken back", kind, format_uuid(row.id));
  }
  return {};
}

std::string InvariantFold::Facts::check_given_back() const {
  struct Back {
    __int128 given = 0, shown = 0;
  };
  std::map<Uuid, Back> payments;
  for (const BackFact& back : given_back) payments[back.payment].given += back.amount;
  for (const BackFact& back : shown_back) payments[back.payment].shown += back.amount;
  for (const auto& [payment_id, back] : payments) {
    const std::string id = format_uuid(payment_id);
    const CauseFact* payment = cause(0, id);
    if (payment == nullptr) return fmt::format("payment {}: is refunded, and not there", id);
    if (back.given != back.shown)
      return fmt::format("payment {}: {} refunded, its refunds make {}", id, int64_t(back.shown),
                         int64_t(back.given));
    const int64_t reversed = payment->status == Payment::REVERSED ? payment->amount : 0;
    if (back.given + reversed > payment->amount)
      return fmt::format("payment {}: {} refunded and {} taken back, of {}", id, int64_t(back.given),
                         reversed, payment->amount);
  }
  return {};
}

InvariantResult InvariantFold::Facts::check_owners() const {
  InvariantResult result{.name = "nothing is given back twice, and its owner knows what was taken back",
                         .checked = entries.size()};
  for (const LinkFact& one : links)
    if (result.problem.empty()) result.problem = check_owner(one);
  for (const OwnedKind& owner : kOwners)  // a transfer's entry has an id of its own
    if (result.problem.empty() && owner.of < 3)
      result.problem = check_reversed(owner.of, owner.kind.data(), owner.reversed);
  if (result.problem.empty()) result.problem = check_given_back();
  return result;
}

}  // namespace micropay
