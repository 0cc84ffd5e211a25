// A changed audit trail, an event rewritten behind its back, and a whole history rewritten are found, and the
// entry is named.
#include <gmock/gmock.h>

#include "app/tamper_twin.h"
#include "contracts/audit.pb.h"
#include "services/audit/rules.h"

namespace micropay::app {
namespace {

using contract::Column;
using contract::Table;
namespace fs = std::filesystem;

TEST_F(TamperTest, EveryMarkOfAnAuditBlockIsFoundAndTheEntryNamed) {
  const Table& blocks = *contract::model().table_of<AuditBlock>();
  const size_t place = size_t(std::ranges::find(Tables::columns(blocks), "marks", &Column::name) -
                              Tables::columns(blocks).begin());
  const Stored good = Tables(folder_).rows(blocks, 1).at(0);
  for (size_t at = 0; at < good.values[place].bytes.size(); at += 7) {
    {
      Tables tables(folder_);
      Stored bad = good;
      bad.values[place].bytes[at] = char(bad.values[place].bytes[at] ^ 4);
      tables.erase(blocks, good);
      tables.insert(blocks, bad);
    }
    const VerifyReport report = verify();
    EXPECT_NE(differs(report, blocks), nullptr) << at;
    EXPECT_THAT(check(report, "the audit chain is unbroken").problem,
                testing::StartsWith(fmt::format("entry {}:", at / audit::kMarkBytes + 1)))
        << at;
  }
}

// Whoever rewrites the log, checksums and all, does not rewrite the chain.
TEST_F(TamperTest, AnEventRewrittenInTheLogIsFoundByTheChainAndNamed) {
  const std::string rewritten = scratch_->path() + "/rewritten";
  uint64_t position = 0;
  write_again(folder_, rewritten, [&](Tick& tick) {
    if (tick.number != 5 || tick.events.empty()) return;
    auto event = std::make_shared<EventRecord>(*tick.events.back());
    event->envelope.set_actor("somebody else");
    position = event->envelope.position();
    tick.events.back() = event;
  });
  ASSERT_NE(position, 0u);
  fs::remove_all(folder_ + "/log");
  fs::copy(rewritten + "/log", folder_ + "/log");
  const VerifyReport report = verify();
  EXPECT_TRUE(check(report, "log is whole").ok);
  EXPECT_THAT(check(report, "the audit chain is unbroken").problem,
              testing::StartsWith(fmt::format("entry {}:", position)));
}

// Whoever rewrites log and tables consistently leaves a folder in order, but not the head that somebody
// noted.
TEST_F(TamperTest, AHistoryThatWasRewrittenAsAWholeIsFoundByANotedHead) {
  const VerifyReport before = verify();
  ASSERT_TRUE(check(before, "log is whole").ok);
  const auto head = parse_audit_head(audit_head_text(before.head));
  ASSERT_TRUE(head);
  EXPECT_TRUE(check(verify(head), "the noted audit head is part of the chain").ok);

  fs::remove_all(folder_);
  write_again(original(), folder_, [](Tick& tick) {
    if (tick.number != 3 || tick.events.empty()) return;
    auto event = std::make_shared<EventRecord>(*tick.events[0]);
    event->envelope.set_actor("somebody else");
    tick.events[0] = event;
  });
  const VerifyReport after = verify();
  EXPECT_TRUE(check(after, "the audit chain is unbroken").ok);
  EXPECT_TRUE(check(after, "tables equal the log").ok);
  EXPECT_NE(after.head.hash, before.head.hash);
  EXPECT_FALSE(check(verify(head), "the noted audit head is part of the chain").ok);
}

TEST(AuditHead, IsReadAsItIsPrinted) {
  const AuditHead head{.sequence = 12, .hash = std::string(31, '\xab') + '\1'};
  EXPECT_THAT(audit_head_text(head), testing::MatchesRegex("12:(ab)+01"));
  EXPECT_EQ(parse_audit_head(audit_head_text(head))->hash, head.hash);
  for (const char* bad : {"", "12", "12:", "12:abcd", ":00", "0:00"})
    EXPECT_FALSE(parse_audit_head(bad)) << bad;
}

}  // namespace
}  // namespace micropay::app
