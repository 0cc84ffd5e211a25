// Batches of transfers: cases of the semantics, and random batches against a plain model that keeps whole
// copies.
#include "services/balance/transfer_book.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace micropay::balance {
namespace {

constexpr Time kNow = 1'700'000'000 * kSecond;
using Action = TransferStep::Action;

Balance account(std::string id, int64_t posted, bool negative = false, std::string currency = "EUR") {
  Balance balance;
  balance.set_account_id(std::move(id));
  balance.set_currency(std::move(currency));
  balance.set_posted_minor(posted);
  balance.set_may_go_negative(negative);
  return balance;
}

struct Step {
  std::string id, from, to;
  int64_t minor = 0;
  bool linked = false;
  Action action = TransferStep::POST_NOW;
  std::string pending = {};
  std::string rejected = {};
};

TransferBook::Steps make(const std::vector<Step>& steps) {
  TransferBook::Steps made;
  for (const Step& step : steps) {
    TransferStep& one = *made.Add();
    one.set_transfer_id(step.id);
    one.set_action(step.action);
    one.set_debit_account_id(step.from);
    one.set_credit_account_id(step.to);
    if (step.minor != 0) {
      one.mutable_amount()->set_currency("EUR");
      one.mutable_amount()->set_minor(step.minor);
    }
    one.set_linked(step.linked);
    one.set_pending_id(step.pending);
    one.set_rejected(step.rejected);
  }
  return made;
}

std::vector<std::string> reasons(const TransferBook::Steps& steps) {
  std::vector<std::string> list;
  for (const TransferStep& step : steps) list.push_back(step.rejected());
  return list;
}

using Reasons = std::vector<std::string>;

Reasons decide(TransferBook& book, const std::vector<Step>& steps) {
  TransferBook::Steps made = make(steps);
  book.decide(made);
  return reasons(made);
}

TransferBook three_accounts() {
  TransferBook book(kNow);
  book.add(account("a", 100));
  book.add(account("b", 0));
  book.add(account("c", 0));
  book.add(account("usd", 100, false, "USD"));
  return book;
}

TEST(TransferBook, LaterTransfersSeeEarlierOnes) {
  TransferBook book = three_accounts();
  EXPECT_EQ(
      decide(book, {{"1", "a", "b", 100}, {"2", "b", "c", 70}, {"3", "b", "c", 31}, {"4", "c", "a", 70}}),
      (Reasons{"", "", "insufficient_funds", ""}));
  EXPECT_EQ(book.accounts().at("b").balance.reserved_minor(), 70);
  EXPECT_EQ(book.accounts().at("b").balance.pending_in_minor(), 100);
}

TEST(TransferBook, RefusesOneByOne) {
  TransferBook book = three_accounts();
  EXPECT_EQ(decide(book, {{"1", "a", "x", 1},
                          {"2", "a", "a", 1},
                          {"3", "a", "usd", 1},
                          {"4", "a", "b", 101},
                          {"5", "a", "b", 100},
                          {"6", "a", "b", 1},
                          {.id = "7", .rejected = "exists_with_other_fields"}}),
            (Reasons{"account_not_found", "accounts_must_differ", "currency_mismatch", "insufficient_funds",
                     "", "insufficient_funds", "exists_with_other_fields"}));
}

TEST(TransferBook, ChainsAreAllOrNothing) {
  struct Case {
    const char* what;
    std::vector<Step> steps;
    Reasons reasons;
    int64_t reserved_a;
  };
  const Case cases[] = {
      {"whole", {{"1", "a", "b", 60, true}, {"2", "a", "c", 40}}, {"", ""}, 100},
      {"last fails",
       {{"1", "a", "b", 60, true}, {"2", "a", "c", 41}},
       {"linked_failed", "insufficient_funds"},
       0},
      {"first fails",
       {{"1", "a", "b", 101, true}, {"2", "a", "c", 1}},
       {"insufficient_funds", "linked_failed"},
       0},
      {"middle fails, the next is free again",
       {{"1", "a", "b", 60, true}, {"2", "a", "x", 1, true}, {"3", "a", "b", 1}, {"4", "a", "b", 100}},
       {"linked_failed", "account_not_found", "linked_failed", ""},
       100},
      {"open at the end",
       {{"1", "a", "b", 10}, {"2", "a", "b", 60, true}, {"3", "a", "c", 1, true}},
       {"", "linked_failed", "linked_chain_open"},
       10},
      {"open and broken",
       {{"1", "a", "b", 101, true}, {"2", "a", "c", 1, true}, {"3", "a", "c", 1, true}},
       {"insufficient_funds", "linked_failed", "linked_chain_open"},
       0},
      {"open alone", {{"1", "a", "b", 1, true}}, {"linked_chain_open"}, 0},
      {"refused by the journal",
       {{"1", "a", "b", 1, true}, {.id = "2", .rejected = "exists_with_other_fields"}, {"3", "a", "b", 2}},
       {"linked_failed", "exists_with_other_fields", ""},
       2},
  };
  for (const Case& c : cases) {
    TransferBook book = three_accounts();
    EXPECT_EQ(decide(book, c.steps), c.reasons) << c.what;
    EXPECT_EQ(book.accounts().at("a").balance.reserved_minor(), c.reserved_a) << c.what;
  }
}

TEST(TransferBook, TwoPhases) {
  TransferBook book = three_accounts();
  const Step reserve{.id = "p", .from = "a", .to = "b", .minor = 80, .action = TransferStep::RESERVE};
  const auto post = [](std::string id, int64_t minor) {
    return Step{.id = std::move(id), .minor = minor, .action = TransferStep::POST_PENDING, .pending = "p"};
  };
  TransferBook::Steps steps = make({reserve,
                                    post("1", 81),
                                    post("2", 50),
                                    post("3", 1),
                                    {.id = "4", .action = TransferStep::VOID_PENDING, .pending = "p"},
                                    {.id = "5", .from = "b", .to = "c", .minor = 50},
                                    {.id = "6", .from = "a", .to = "c", .minor = 50},
                                    {.id = "7", .action = TransferStep::POST_PENDING, .pending = "none"}});
  const auto effects = book.decide(steps);
  EXPECT_EQ(reasons(steps), (Reasons{"", "exceeds_pending", "", "pending_already_posted",
                                     "pending_already_posted", "", "", "pending_not_found"}));
  EXPECT_EQ(effects[2].released_minor, 30);
  EXPECT_EQ(steps[2].debit_account_id(), "a");
  EXPECT_EQ(steps[2].credit_account_id(), "b");
  EXPECT_EQ(book.accounts().at("a").balance.reserved_minor(), 100);  // 50 to be posted, 50 of transfer 6
  EXPECT_TRUE(book.holds().at("p").row.taken());
}

TEST(TransferBook, VoidExpiryAndForeignHolds) {
  TransferBook book(kNow);
  for (const char* id : {"a", "b"}) book.add(account(id, 100));
  const auto hold = [](std::string id, const char* kind, Time expires_at) {
    Reservation row;
    row.set_id(std::move(id));
    row.set_account_id("a");
    row.set_counter_account_id("b");
    row.mutable_amount()->set_currency("EUR");
    row.mutable_amount()->set_minor(10);
    row.set_kind(kind);
    row.set_expires_at(expires_at);
    return row;
  };
  book.add(hold("payment", "payment", 0));
  book.add(hold("late", "transfer", kNow));
  EXPECT_EQ(decide(book, {{.id = "1", .action = TransferStep::POST_PENDING, .pending = "payment"},
                          {.id = "2", .action = TransferStep::POST_PENDING, .pending = "late"},
                          {.id = "payment", .from = "a", .to = "b", .minor = 1},
                          {.id = "p", .from = "a", .to = "b", .minor = 10, .action = TransferStep::RESERVE},
                          {.id = "3", .from = "b", .action = TransferStep::VOID_PENDING, .pending = "p"},
                          {.id = "4", .action = TransferStep::VOID_PENDING, .pending = "p"},
                          {.id = "5", .action = TransferStep::VOID_PENDING, .pending = "p"}}),
            (Reasons{"pending_not_found", "pending_expired", "id_in_use", "", "pending_has_other_accounts",
                     "", "pending_already_voided"}));
  EXPECT_EQ(book.accounts().at("a").balance.reserved_minor(), 0);
}

// ---- the model: every chain runs on a whole copy that is kept or thrown away ----

struct Model {
  struct Hold {
    std::string from, to;
    __int128 minor;
    enum { kLive, kTaken, kReleased } state;
  };
  std::map<std::string, __int128> spendable;  // available plus what is certain to arrive
  std::map<std::string, bool> negative;
  std::map<std::string, Hold> holds;

  std::string run(const TransferStep& step) {
    const bool fresh = step.action() == TransferStep::POST_NOW || step.action() == TransferStep::RESERVE;
    if (fresh) {
      if (!spendable.contains(step.debit_account_id()) || !spendable.contains(step.credit_account_id()))
        return "account_not_found";
      if (step.debit_account_id() == step.credit_account_id()) return "accounts_must_differ";
      if (!negative[step.debit_account_id()] && spendable[step.debit_account_id()] < step.amount().minor())
        return "insufficient_funds";
      spendable[step.debit_account_id()] -= step.amount().minor();
      const bool now = step.action() == TransferStep::POST_NOW;
      if (now) spendable[step.credit_account_id()] += step.amount().minor();
      holds[step.transfer_id()] = {step.debit_account_id(), step.credit_account_id(), step.amount().minor(),
                                   now ? Hold::kTaken : Hold::kLive};
      return "";
    }
    if (!holds.contains(step.pending_id())) return "pending_not_found";
    Hold& hold = holds[step.pending_id()];
    if (hold.state == Hold::kTaken) return "pending_already_posted";
    if (hold.state == Hold::kReleased) return "pending_already_voided";
    if (step.action() == TransferStep::VOID_PENDING) {
      spendable[hold.from] += hold.minor;
      hold.state = Hold::kReleased;
      return "";
    }
    const __int128 posted = step.has_amount() ? __int128(step.amount().minor()) : hold.minor;
    if (posted > hold.minor) return "exceeds_pending";
    spendable[hold.from] += hold.minor - posted;
    spendable[hold.to] += posted;
    hold.minor = posted;
    hold.state = Hold::kTaken;
    return "";
  }

  Reasons decide(const TransferBook::Steps& steps) {
    Reasons reasons(size_t(steps.size()));
    for (int start = 0; start < steps.size();) {
      int end = start;
      while (end + 1 < steps.size() && steps[end].linked()) ++end;
      const bool open = steps[end].linked();
      Model before = *this;
      int failed = -1;
      for (int i = start; i <= end; ++i) {
        std::string reason = open && i == end ? "linked_chain_open" : run(steps[i]);
        if (reason.empty()) continue;
        failed = i;
        reasons[size_t(i)] = std::move(reason);
        break;
      }
      if (failed >= 0) {
        *this = std::move(before);
        for (int i = start; i <= end; ++i)
          if (i != failed) reasons[size_t(i)] = open && i == end ? "linked_chain_open" : "linked_failed";
      }
      start = end + 1;
    }
    return reasons;
  }
};

TransferBook::Steps random_batch(std::mt19937_64& random, int batch) {
  const auto name = [&random] { return std::string(1, char('a' + random() % 5)); };  // "e" is not there
  std::vector<Step> steps;
  const int count = 1 + int(random() % 30);
  for (int i = 0; i < count; ++i) {
    Step step{.id = fmt::format("{}-{}", batch, i), .linked = random() % 3 == 0};
    step.action = Action(random() % 4);
    if (step.action == TransferStep::POST_NOW || step.action == TransferStep::RESERVE) {
      step.from = name();
      step.to = name();
      step.minor = 1 + int64_t(random() % 60);
    } else {
      step.pending = fmt::format("{}-{}", batch, random() % size_t(count));
      if (step.action == TransferStep::POST_PENDING && random() % 2) step.minor = 1 + int64_t(random() % 60);
    }
    steps.push_back(std::move(step));
  }
  return make(steps);
}

TEST(TransferBook, DecidesRandomBatchesAsTheModelDoes) {
  std::mt19937_64 random(11);
  int accepted = 0, refused = 0;
  for (int batch = 0; batch < 3'000; ++batch) {
    TransferBook book(kNow);
    Model model;
    for (const char* id : {"a", "b", "c", "d"}) {
      const int64_t posted = int64_t(random() % 200);
      const bool negative = *id == 'd';
      book.add(account(id, posted, negative));
      model.spendable[id] = posted;
      model.negative[id] = negative;
    }
    TransferBook::Steps steps = random_batch(random, batch);
    const Reasons expected = model.decide(steps);
    book.decide(steps);
    ASSERT_EQ(reasons(steps), expected) << "batch " << batch;
    for (const std::string& reason : expected) (reason.empty() ? accepted : refused)++;

    __int128 reserved = 0, pending_in = 0, held = 0;
    for (const auto& [id, one] : book.accounts()) {
      ASSERT_TRUE(available_minor(one.balance) + one.incoming_minor == model.spendable.at(id))
          << "batch " << batch << id;
      reserved += one.balance.reserved_minor();
      pending_in += one.balance.pending_in_minor();
    }
    for (const auto& [id, hold] : book.holds())
      if (hold.state != TransferBook::Hold::State::kReleased) held += hold.row.amount().minor();
    ASSERT_TRUE(reserved == held && pending_in == held) << "batch " << batch;
    ASSERT_EQ(book.holds().size(), model.holds.size());
  }
  EXPECT_GT(accepted, 5'000);
  EXPECT_GT(refused, 5'000);
}

}  // namespace
}  // namespace micropay::balance
