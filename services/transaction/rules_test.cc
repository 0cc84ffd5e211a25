// Entries, reversals and planning of batches as tables of cases.
#include "services/transaction/rules.h"

#include <gtest/gtest.h>

#include <random>

#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "services/transaction/transfer_rules.h"

namespace micropay::transaction {
namespace {

Money eur(int64_t minor) {
  Money money;
  money.set_currency("EUR");
  money.set_minor(minor);
  return money;
}

Movement movement(int64_t minor, std::string from = "a", std::string to = "b") {
  return {.entry_id = "id",
          .kind = "payment",
          .cause_id = "p",
          .from = {std::move(from)},
          .to = {std::move(to)},
          .amount = eur(minor)};
}

TEST(Movement, SoundOnlyWhenItMovesAnAmountBetweenTwoAccounts) {
  EXPECT_TRUE(sound(movement(1)));
  EXPECT_TRUE(sound(movement(kMaxMinor)));
  EXPECT_FALSE(sound(movement(0)));
  EXPECT_FALSE(sound(movement(-1)));
  EXPECT_FALSE(sound(movement(kMaxMinor + 1)));
  EXPECT_FALSE(sound(movement(1, "a", "a")));
  EXPECT_FALSE(sound(movement(1, "", "b")));
  EXPECT_DEATH(new_entry(movement(0), 1), "");
}

TEST(Entry, PostingsSumToZero) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 1'000; ++i) {
    const int64_t minor = 1 + int64_t(random() % uint64_t(kMaxMinor));
    const Transaction entry = new_entry(movement(minor), 5);
    ASSERT_EQ(entry.postings_size(), 2);
    ASSERT_EQ(entry.postings(0).amount().minor(), -minor);
    ASSERT_EQ(entry.postings(1).amount().minor(), minor);
    ASSERT_TRUE(balanced(entry.postings()));
  }
}

TEST(Reversal, IsTheOppositeAndOnceOnly) {
  Transaction entry = new_entry(movement(70), 5);
  ASSERT_TRUE(check_reversible(entry));
  const Transaction reversal = new_reversal(entry, "r", "mistake", 9);
  EXPECT_EQ(reversal.status(), Transaction::CREATED);
  EXPECT_EQ(reversal.reverses_id(), "id");
  EXPECT_EQ(reversal.postings(0).amount().minor(), 70);
  const TransferStep step = reversal_step(reversal);
  EXPECT_EQ(step.debit_account_id(), "b");
  EXPECT_EQ(step.credit_account_id(), "a");
  EXPECT_EQ(step.amount().minor(), 70);

  entry.set_reversed_by_id("r");
  EXPECT_EQ(check_reversible(entry).error().reason, "already_reversed");
  EXPECT_DEATH(new_reversal(entry, "r2", "again", 9), "");
  EXPECT_EQ(check_reversible(reversal).error().reason, "not_reversible");
  entry.clear_reversed_by_id();
  entry.set_status(Transaction::REVERSED);
  EXPECT_EQ(check_reversible(entry).error().reason, "already_reversed");
}

TEST(Reversal, EveryKindHasOneOwner) {
  Transaction entry = new_entry(movement(70), 5);
  const std::tuple<const char*, bool, bool> cases[] = {
      {"payment", true, true},  {"refund", true, true}, {"top_up", true, true},    {"transfer", true, false},
      {"payout", false, false}, {"", false, false},     {"reversal", false, false}};
  for (const auto& [kind, reversible, owned] : cases) {
    entry.set_kind(kind);
    EXPECT_EQ(check_reversible(entry).has_value(), reversible) << kind;
    EXPECT_EQ(has_owner(entry), owned) << kind;
    if (!reversible) {
      EXPECT_FALSE(check_reversible(entry).error().detail.empty());
    }
  }
  for (const char* reason : {"insufficient_funds", "account_closed", "balance_limit_exceeded", "whatever"})
    EXPECT_FALSE(refusal_detail(reason).empty()) << reason;
}

TEST(Order, SettledAtEitherWay) {
  EXPECT_FALSE(parse_order("").value());
  EXPECT_TRUE(parse_order("settledAt").value());
  EXPECT_TRUE(parse_order("settledAt asc").value());
  EXPECT_FALSE(parse_order("createdAt desc").value());
  for (const char* bad : {"amount", "settledAt up", "settledAt  desc", "settledAt desc id", " "})
    EXPECT_EQ(parse_order(bad).error().reason, "invalid_order") << bad;
}

// ---- transfers ----

NewTransfer transfer(std::string id, int64_t minor = 10,
                     TransferStep::Action action = TransferStep::POST_NOW) {
  NewTransfer asked;
  asked.set_id(std::move(id));
  asked.set_action(action);
  if (action == TransferStep::POST_NOW || action == TransferStep::RESERVE) {
    asked.set_debit_account_id("a");
    asked.set_credit_account_id("b");
  } else {
    asked.set_pending_id("p");
  }
  if (minor != 0) *asked.mutable_amount() = eur(minor);
  return asked;
}

TEST(CheckTransfers, NamesTheFieldThatIsWrong) {
  struct Case {
    const char *field, *reason;
    TransferStep::Action action;
    std::function<void(NewTransfer&)> change;
  };
  const auto now = TransferStep::POST_NOW, reserve = TransferStep::RESERVE, post = TransferStep::POST_PENDING,
             cancel = TransferStep::VOID_PENDING;
  const Case cases[] = {
      {"debitAccountId", "required", now, [](NewTransfer& t) { t.clear_debit_account_id(); }},
      {"creditAccountId", "required", reserve, [](NewTransfer& t) { t.clear_credit_account_id(); }},
      {"debitSystemAccount", "not_applicable", now,
       [](NewTransfer& t) { t.set_debit_system_account("fees"); }},
      {"creditSystemAccount", "not_applicable", now,
       [](NewTransfer& t) { t.set_credit_system_account("fees"); }},
      {"amount", "required", now, [](NewTransfer& t) { t.clear_amount(); }},
      {"pendingId", "not_applicable", reserve, [](NewTransfer& t) { t.set_pending_id("p"); }},
      {"timeoutSeconds", "not_applicable", now, [](NewTransfer& t) { t.set_timeout_seconds(5); }},
      {"pendingId", "required", post, [](NewTransfer& t) { t.clear_pending_id(); }},
      {"amount", "not_applicable", cancel, [](NewTransfer&) {}},
      {"timeoutSeconds", "not_applicable", post, [](NewTransfer& t) { t.set_timeout_seconds(5); }},
      {"debitSystemAccount", "not_applicable", post,
       [](NewTransfer& t) { t.set_debit_system_account("fees"); }},
      {"id", "duplicate_id", now, [](NewTransfer& t) { t.set_id("0"); }},
  };
  for (const Case& c : cases) {
    CreateTransfersRequest request;
    *request.add_transfers() = transfer("0");
    *request.add_transfers() = transfer("1", 10, c.action);
    c.change(*request.mutable_transfers(1));
    const auto checked = check_transfers(request);
    ASSERT_FALSE(checked) << c.field;
    EXPECT_EQ(checked.error().reason, c.reason) << c.field;
    EXPECT_EQ(checked.error().field, std::string("transfers[1].") + c.field);
  }
}

TEST(PendingRefusal, ByWhatBecameOfIt) {
  Transfer pending;
  EXPECT_EQ(pending_refusal(nullptr), "pending_not_found");
  EXPECT_EQ(pending_refusal(&pending), "pending_not_found");  // posted at once: never was pending
  pending.set_action(TransferStep::RESERVE);
  const std::pair<Transfer::Status, const char*> cases[] = {{Transfer::PENDING, ""},
                                                            {Transfer::REQUESTED, ""},
                                                            {Transfer::POSTED, "pending_already_posted"},
                                                            {Transfer::REVERSED, "pending_already_posted"},
                                                            {Transfer::VOIDED, "pending_already_voided"},
                                                            {Transfer::EXPIRED, "pending_expired"},
                                                            {Transfer::REJECTED, "pending_not_found"}};
  for (const auto& [status, reason] : cases) {
    pending.set_status(status);
    EXPECT_EQ(pending_refusal(&pending), reason);
  }
}

// The transfer as it is kept after it was asked for in an earlier batch.
Transfer kept(const NewTransfer& asked, Transfer::Status status) {
  const Asked one{&asked, nullptr, nullptr};
  Transfer transfer = plan_batch({&one, 1}, "earlier", 1)->transfers[0];
  transfer.set_status(status);
  transfer.set_reason(status == Transfer::REJECTED ? "insufficient_funds" : "");
  return transfer;
}

TEST(SameFields, EveryFieldCounts) {
  const NewTransfer asked = transfer("1");
  const Transfer existing = kept(asked, Transfer::POSTED);
  EXPECT_TRUE(same_fields(existing, asked));
  const std::function<void(NewTransfer&)> changes[] = {
      [](NewTransfer& t) { t.mutable_amount()->set_minor(11); },
      [](NewTransfer& t) { t.mutable_amount()->set_currency("USD"); },
      [](NewTransfer& t) { t.set_debit_account_id("x"); },
      [](NewTransfer& t) { t.set_credit_account_id("x"); },
      [](NewTransfer& t) { t.clear_debit_account_id(), t.set_debit_system_account("fees"); },
      [](NewTransfer& t) { t.set_action(TransferStep::RESERVE); },
      [](NewTransfer& t) { t.set_linked(true); },
  };
  for (const auto& change : changes) {
    NewTransfer other = asked;
    change(other);
    EXPECT_FALSE(same_fields(existing, other)) << other.ShortDebugString();
  }
  NewTransfer post = transfer("3", 10, TransferStep::POST_PENDING), another = post;
  post.set_pending_id("p1"), another.set_pending_id("p2");
  EXPECT_TRUE(same_fields(kept(post, Transfer::POSTED), post));
  EXPECT_FALSE(same_fields(kept(post, Transfer::POSTED), another)) << "posts another pending transfer";
  NewTransfer reserve = transfer("2", 10, TransferStep::RESERVE), longer = reserve;
  longer.set_timeout_seconds(60);
  EXPECT_FALSE(same_fields(kept(reserve, Transfer::PENDING), longer));
}

TEST(SameFields, WhatAPendingTransferFilledInIsNoDifference) {
  const NewTransfer asked = transfer("1", 0, TransferStep::POST_PENDING);
  Transfer existing = kept(asked, Transfer::POSTED);
  existing.set_debit_account_id("a");
  existing.set_credit_account_id("b");
  *existing.mutable_amount() = eur(10);
  EXPECT_TRUE(same_fields(existing, asked));
  EXPECT_FALSE(same_fields(existing, transfer("1", 10, TransferStep::POST_PENDING)))
      << "a part was not asked for";
}

std::string shape(const BatchPlan& plan) {
  std::string text;
  for (const TransferStep& step : plan.steps)
    text += step.transfer_id() + (step.linked() ? "+" : "") + (step.rejected().empty() ? "" : "!") + " ";
  return text;
}

TEST(PlanBatch, WhatStandsLeavesItsChain) {
  std::vector<NewTransfer> asked = {transfer("1"), transfer("2"), transfer("3"), transfer("4")};
  for (const int linked : {0, 1, 2}) asked[size_t(linked)].set_linked(true);
  struct Case {
    const char* what;
    std::map<size_t, Transfer::Status> existing;
    const char* steps;
  };
  const Case cases[] = {
      {"all new", {}, "1+ 2+ 3+ 4 "},
      {"the last stands", {{3, Transfer::POSTED}}, "1+ 2+ 3 "},
      {"the first stands", {{0, Transfer::PENDING}}, "2+ 3+ 4 "},
      {"a member was refused", {{1, Transfer::REJECTED}}, "1+ 2+! 3+ 4 "},
      {"all stand",
       {{0, Transfer::POSTED}, {1, Transfer::VOIDED}, {2, Transfer::EXPIRED}, {3, Transfer::POSTED}},
       ""},
  };
  for (const Case& c : cases) {
    std::map<size_t, Transfer> rows;
    std::vector<Asked> all;
    for (size_t i = 0; i < asked.size(); ++i) {
      const auto status = c.existing.find(i);
      if (status != c.existing.end()) rows[i] = kept(asked[i], status->second);
      all.push_back({&asked[i], rows.contains(i) ? &rows[i] : nullptr, nullptr});
    }
    const auto plan = plan_batch(all, "batch", 1);
    ASSERT_TRUE(plan);
    EXPECT_EQ(shape(*plan), c.steps) << c.what;
    EXPECT_EQ(plan->fresh.size(), asked.size() - rows.size());
    ASSERT_EQ(plan->transfers.size(), 4u);
    for (const auto& [i, row] : rows) EXPECT_EQ(plan->transfers[i].batch_id(), "earlier");
  }
}

TEST(PlanBatch, OpenChainsStayOpenAndOtherFieldsAreRefused) {
  std::vector<NewTransfer> asked = {transfer("1"), transfer("2", 5), transfer("3")};
  asked[2].set_linked(true);
  const Transfer other = kept(transfer("2", 6), Transfer::POSTED);
  const Asked all[] = {
      {&asked[0], nullptr, nullptr}, {&asked[1], &other, nullptr}, {&asked[2], nullptr, nullptr}};
  const auto plan = plan_batch(all, "batch", 1);
  ASSERT_TRUE(plan);
  EXPECT_EQ(shape(*plan), "1 2! 3+ ");
  EXPECT_EQ(plan->transfers[1].reason(), "exists_with_other_fields");
  EXPECT_EQ(plan->transfers[1].status(), Transfer::REJECTED);
  EXPECT_EQ(plan->fresh, (std::vector<size_t>{0, 2})) << "the row of the other stays";
}

TEST(PlanBatch, APendingTransferOfTheSameBatchIsLeftToTheBalance) {
  const NewTransfer reserve = transfer("p", 10, TransferStep::RESERVE),
                    post = transfer("1", 0, TransferStep::POST_PENDING);
  const Asked in_order[] = {{&reserve, nullptr, nullptr}, {&post, nullptr, nullptr}};
  EXPECT_EQ(shape(*plan_batch(in_order, "batch", 1)), "p 1 ");
  const Asked reversed[] = {{&post, nullptr, nullptr}, {&reserve, nullptr, nullptr}};
  EXPECT_EQ(shape(*plan_batch(reversed, "batch", 1)), "1! p ");
}

TEST(PlanBatch, ARepeatMeetsItsFirstUndecided) {
  const NewTransfer asked = transfer("1");
  const Transfer existing = kept(asked, Transfer::REQUESTED);
  const Asked one{&asked, &existing, nullptr};
  EXPECT_EQ(plan_batch({&one, 1}, "batch", 1).error().reason, "transfer_in_progress");
}

}  // namespace
}  // namespace micropay::transaction
