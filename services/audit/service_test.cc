// The trail of a small world: what is appended, listed, verified; the same bytes whatever the batching.
#include "services/audit/service.h"

#include <gtest/gtest.h>

#include "contracts/audit.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "services/audit/rules.h"

namespace micropay::audit {
namespace {

class AuditService : public testing::Test {
 protected:
  AuditService() : world({audit_service({settings, ""})}) {}
  void happen(int count) {
    for (int i = 0; i < count; ++i) {
      PaymentHeld event;
      event.set_payment_id(derived_uuid(fmt::format("payment {}", happened_++ % 10)));
      world.given(event, happened_ % 2 ? "anna" : "ben");
    }
    ASSERT_TRUE(world.store().catch_up());
  }
  ListAuditEntriesResponse list(const ListAuditEntriesRequest& request) {
    return world.query<ListAuditEntriesResponse>(request).value_or(ListAuditEntriesResponse());
  }
  Settings settings;
  World world;
  int happened_ = 0;
};

TEST_F(AuditService, KeepsEveryEventInOrder) {
  happen(150);
  const uint64_t events = world.history().size();
  ASSERT_GE(events, 150u);
  const auto verified = world.query<AuditVerification>(VerifyAuditRequest());
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->intact()) << verified->problem();
  EXPECT_EQ(verified->checked(), events);
  EXPECT_EQ(verified->head_sequence(), events);
  EXPECT_EQ(verified->head_hash().size(), 32u);
  VerifyAuditRequest later;
  later.set_from_sequence(100);
  EXPECT_EQ(world.query<AuditVerification>(later)->checked(), events - 99);
  EXPECT_TRUE(world.query<AuditVerification>(later)->intact());
}

// Whatever page an entry is shown on, its hash is that of the chain.
TEST_F(AuditService, EntriesCarryTheHashesOfTheChain) {
  happen(150);
  ListAuditEntriesRequest request;
  request.set_page_size(500);
  request.set_order_by("sequence asc");
  std::string previous{kFirstHash};
  const auto page = list(request);
  ASSERT_EQ(uint64_t(page.entries_size()), world.history().size());
  for (const AuditEntry& entry : page.entries()) {
    AuditBlock block;
    block.set_number(block_of(entry.sequence()));
    block.set_count(uint32_t(place_in_block(entry.sequence())));
    append_entry(block, world.history()[entry.sequence() - 1]->envelope, previous);
    ASSERT_EQ(entry.hash(), block.last_hash()) << entry.sequence();
    previous = entry.hash();
  }
  request.set_order_by("");
  request.set_page_token(fmt::format("offset:{}", page.entries_size() - 100));
  request.set_page_size(1);
  EXPECT_EQ(list(request).entries(0).hash(), page.entries(99).hash());
}

TEST_F(AuditService, AnEmptyTrailIsIntact) {
  const auto verified = world.query<AuditVerification>(VerifyAuditRequest());
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->intact());
  EXPECT_EQ(list({}).entries_size(), 0);
}

TEST_F(AuditService, ListsNewestFirstByPagesAndFilters) {
  happen(150);
  const uint64_t head = world.history().size();
  for (const char* order : {"", "sequence asc"}) {
    ListAuditEntriesRequest request;
    request.set_page_size(40);
    request.set_order_by(order);
    std::vector<uint64_t> sequences;
    do {
      const auto page = list(request);
      ASSERT_LE(page.entries_size(), 40);
      for (const AuditEntry& entry : page.entries()) sequences.push_back(entry.sequence());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    ASSERT_EQ(sequences.size(), head);
    for (uint64_t i = 0; i < head; ++i) ASSERT_EQ(sequences[i], *order == 0 ? head - i : i + 1);
  }
  ListAuditEntriesRequest behind;
  behind.set_page_token("offset:40");
  EXPECT_EQ(list(behind).entries(0).sequence(), head - 40);
  behind.set_page_token("offset:1000");
  EXPECT_EQ(list(behind).entries_size(), 0);
  ListAuditEntriesRequest filtered;
  filtered.set_actor("anna");
  filtered.set_action("payment.held");
  filtered.set_subject(derived_uuid("payment 4"));
  filtered.set_page_size(500);
  const auto page = list(filtered);
  EXPECT_EQ(page.entries_size(), 15);
  for (const AuditEntry& entry : page.entries()) EXPECT_EQ(entry.actor(), "anna");
  filtered.set_actor("ben");
  EXPECT_EQ(list(filtered).entries_size(), 0);
}

TEST_F(AuditService, RefusesBadTokensAndOrders) {
  happen(1);
  ListAuditEntriesRequest request;
  for (const char* token : {"x", "0", "-1", "12x", "offset:", "offset:x"}) {
    request.set_page_token(token);
    EXPECT_EQ(world.query<ListAuditEntriesResponse>(request).error().reason, "invalid_page_token") << token;
  }
  request.set_page_token("");
  request.set_order_by("actor");
  EXPECT_EQ(world.query<ListAuditEntriesResponse>(request).error().reason, "invalid_order");
}

// The rows that the projector makes of the same events, cut into calls of `batch` events.
std::map<std::string, std::string> rows_of(const std::vector<std::shared_ptr<const EventRecord>>& events,
                                           size_t batch) {
  Settings settings;
  std::vector<Service> services;
  services.push_back(audit_service({settings, ""}));
  const auto projector = Engine::make_projector(services);
  const auto store = make_memory_store(contract::model());
  std::map<std::string, std::string> rows;
  uint64_t number = 0;
  for (size_t start = 0; start < events.size(); start += batch) {
    const std::vector part(events.begin() + ptrdiff_t(start),
                           events.begin() + ptrdiff_t(std::min(start + batch, events.size())));
    Tick tick{.number = ++number, .first_position = start + 1, .events = part};
    tick.changes = projector->project(part, *store, {});
    for (const RowChange& change : tick.changes) rows[change.key] = change.row->SerializeAsString();
    EXPECT_TRUE(store->commit(std::move(tick)));
  }
  return rows;
}

TEST_F(AuditService, AnEventThatComesAgainIsNotAppendedAgain) {
  happen(10);
  auto events = world.store().read_events(1, 1000).value();
  const auto once = rows_of(events, 1000);
  events.insert(events.begin() + 5, events[2]);
  EXPECT_EQ(rows_of(events, 1000), once);
}

TEST_F(AuditService, TheSameBytesWhateverTheBatching) {
  happen(150);
  std::vector<std::shared_ptr<const EventRecord>> events = world.store().read_events(1, 1000).value();
  const auto whole = rows_of(events, 1000);
  EXPECT_EQ(whole.size(), block_of(events.size()) + 1);
  for (const size_t batch : {1, 7, 64, 65}) EXPECT_EQ(rows_of(events, batch), whole) << batch;
}

}  // namespace
}  // namespace micropay::audit
