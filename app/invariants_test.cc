// Random histories over all services keep every invariant; and each invariant finds the fault that is its
// own.
#include "app/invariants.h"

#include <gtest/gtest.h>

#include <random>

#include "app/modules.h"
#include "contracts/account.pb.h"
#include "contracts/audit.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"

namespace micropay::app {
namespace {

constexpr int kPeople = 4;

std::vector<Service> all_services(Settings& settings) {
  EXPECT_TRUE(settings.set("account.limits=off"));
  return *make_services(Parts{.settings = settings, .data_folder = ""}, {});
}

Money euros(int64_t minor) {
  Money money;
  money.set_currency("EUR");
  money.set_minor(minor);
  return money;
}

// What four people, a ledger client and staff do, at random.
class History {
 public:
  explicit History(uint64_t seed) : random_(seed), world_(all_services(settings_), seed) {
    for (int i = 0; i < kPeople; ++i) {
      CreateUserRequest request;
      request.set_email(fmt::format("p{}@example.org", i));
      request.set_password("correct horse battery");
      request.set_display_name("Somebody");
      const auto user = world_.call<User>(request);
      EXPECT_TRUE(user) << user.error().reason;
      people_.push_back({user_principal(user->id()), world_.all<AccountCreated>().back().account_id()});
    }
  }

  void step() {
    switch (random_() % 8) {
      case 0: return top_up();
      case 1:
      case 2:
      case 3: return pay();
      case 4: return refund();
      case 5: return transfer();
      case 6: return reverse();
      default: return freeze_or_wait();
    }
  }

  World& world() { return world_; }
  const std::string& wallet(int i) const { return people_[size_t(i)].wallet; }
  int done = 0, refused = 0;

 private:
  struct Person {
    Principal principal;
    std::string wallet;
  };
  Person& anyone() { return people_[random_() % people_.size()]; }
  const std::string& any_of(const std::vector<std::string>& ids) { return ids[random_() % ids.size()]; }
  template <typename T>
  const T* count(const Result<T>& result) {
    ++(result ? done : refused);
    return result ? &*result : nullptr;
  }

  void top_up() {
    const Person& person = anyone();
    CreateTopUpRequest request;
    request.set_account_id(person.wallet);
    *request.mutable_amount() = euros(1 + int64_t(random_() % 50'000));
    request.set_payment_method(random_() % 8 == 0 ? "card_declined" : "card_ok");
    const auto made = world_.call<TopUp>(request, person.principal);
    if (const TopUp* top_up = count(made)) entries_.push_back(top_up->id());
  }

  void pay() {
    const Person& payer = anyone();
    CreatePaymentRequest request;
    request.set_payer_account_id(payer.wallet);
    request.set_payee_account_id(anyone().wallet);
    *request.mutable_amount() = euros(1 + int64_t(random_() % 60'000));
    const auto made = world_.call<Payment>(request, payer.principal);
    if (const Payment* payment = count(made))
      entries_.push_back(payment->id()), payments_.push_back(payment->id());
  }

  void refund() {
    if (payments_.empty()) return;
    CreateRefundRequest request;
    request.set_payment_id(any_of(payments_));
    *request.mutable_amount() = euros(1 + int64_t(random_() % 20'000));
    const auto made = world_.call<Refund>(request);
    if (const Refund* refund = count(made)) entries_.push_back(refund->id());
  }

  void transfer() {
    CreateTransfersRequest request;
    for (int i = 0; i < 4; ++i) {
      NewTransfer& transfer = *request.add_transfers();
      transfer.set_id(derived_uuid(fmt::format("transfer {}", ++transfers_)));
      transfer.set_linked(i < 3 && random_() % 2);
      transfer.set_action(TransferStep::Action(random_() % 4));
      if (transfer.action() == TransferStep::POST_NOW || transfer.action() == TransferStep::RESERVE) {
        transfer.set_debit_account_id(anyone().wallet);
        if (random_() % 4) transfer.set_credit_account_id(anyone().wallet);
        else transfer.set_credit_system_account("fees");
        *transfer.mutable_amount() = euros(1 + int64_t(random_() % 20'000));
        if (transfer.action() == TransferStep::RESERVE && random_() % 2) transfer.set_timeout_seconds(600);
      } else {
        transfer.set_pending_id(
            derived_uuid(fmt::format("transfer {}", 1 + random_() % uint64_t(transfers_))));
      }
    }
    const auto batch = world_.call<TransferBatch>(request);
    ASSERT_TRUE(batch) << batch.error().reason << " " << batch.error().field;
    for (const Transfer& made : batch->transfers()) {
      ASSERT_NE(made.status(), Transfer::REQUESTED);
      ++(made.status() == Transfer::REJECTED ? refused : done);
      if (!made.transaction_id().empty()) entries_.push_back(made.transaction_id());
    }
  }

  void reverse() {
    if (entries_.empty()) return;
    ReverseTransactionRequest request;
    request.set_id(any_of(entries_));
    request.set_reason("a mistake");
    count(world_.call<Transaction>(request));
  }

  void freeze_or_wait() {
    if (random_() % 2) return world_.advance(Duration(random_() % 20) * kMinute);
    FreezeAccountRequest freeze;
    freeze.set_id(anyone().wallet);
    freeze.set_reason("looks odd");
    count(world_.call<Account>(freeze));
    UnfreezeAccountRequest unfreeze;
    unfreeze.set_id(freeze.id());
    unfreeze.set_reason("is not");
    if (random_() % 8) count(world_.call<Account>(unfreeze));
  }

  std::mt19937_64 random_;
  Settings settings_;
  World world_;
  std::vector<Person> people_;
  std::vector<std::string> entries_, payments_;
  int transfers_ = 0;
};

std::string problems(const Store& store) {
  EXPECT_TRUE(store.catch_up());
  std::string text;
  for (const InvariantResult& invariant : check_invariants(store, contract::model()))
    if (!invariant.ok) text += fmt::format("{}: {}\n", invariant.name, invariant.problem);
  return text;
}

TEST(Invariants, HoldOverRandomHistories) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    History history(seed);
    for (int i = 0; i < 400; ++i) {
      history.step();
      if (i % 50 != 49) continue;
      ASSERT_EQ(problems(history.world().store()), "");
    }
    EXPECT_GT(history.done, 150);
    EXPECT_GT(history.refused, 50);
    for (const InvariantResult& invariant : check_invariants(history.world().store(), contract::model()))
      EXPECT_GT(invariant.checked, 0u) << invariant.name << " checked nothing";
    EXPECT_EQ(history.world().engine().stats().dead_letters, 0u);
  }
}

// ---- planted faults ----

class PlantedFault : public testing::Test {
 protected:
  PlantedFault() : history(4) {
    for (int i = 0; i < 200; ++i) history.step();
    EXPECT_EQ(problems(store()), "");
  }
  Store& store() { return history.world().store(); }

  // Changes the first row that `change` takes, behind the services' backs.
  template <typename T, typename F>
  void plant(F change) {
    const contract::Table& table = *contract::model().table_of<T>();
    std::shared_ptr<T> changed;
    ASSERT_TRUE(store().scan(table, [&](const Row& row) {
      changed = std::make_shared<T>(static_cast<const T&>(*row));
      if (change(*changed)) return false;
      changed = nullptr;
      return true;
    }));
    ASSERT_NE(changed, nullptr) << "no row to change";
    commit({.table = &table, .key = table.key_of(*changed), .row = changed});
  }
  template <typename T, typename F>
  void erase(F which) {
    const contract::Table& table = *contract::model().table_of<T>();
    RowChange erased{.table = &table};
    ASSERT_TRUE(store().scan(table, [&](const Row& row) {
      if (!which(static_cast<const T&>(*row))) return true;
      erased.key = table.key_of(*row);
      return false;
    }));
    ASSERT_FALSE(erased.key.empty());
    commit(std::move(erased));
  }
  void commit(RowChange change) {
    const LogEnd end = store().end();
    Tick tick{.number = end.tick + 1, .first_position = end.next_position};
    tick.changes.push_back(std::move(change));
    ASSERT_TRUE(store().commit(std::move(tick)));
  }
  // The invariant that fails first.
  std::string first_failed() {
    EXPECT_TRUE(store().catch_up());
    for (const InvariantResult& invariant : check_invariants(store(), contract::model()))
      if (!invariant.ok) return invariant.name;
    return "none";
  }

  History history;
};

TEST_F(PlantedFault, AnEntryThatLeavesACent) {
  plant<Transaction>([](Transaction& entry) {
    if (entry.status() != Transaction::SETTLED) return false;
    Money& amount = *entry.mutable_postings(0)->mutable_amount();
    amount.set_minor(amount.minor() + 1);
    return true;
  });
  EXPECT_EQ(first_failed(), "every entry sums to zero in each currency");
}

TEST_F(PlantedFault, ABalanceWithACentMore) {
  plant<Balance>([](Balance& balance) {
    balance.set_posted_minor(balance.posted_minor() + 1);
    return true;
  });
  EXPECT_EQ(first_failed(), "every balance is the sum of its entries");
}

TEST_F(PlantedFault, AnEntryThatIsGone) {
  erase<Transaction>([](const Transaction& entry) { return entry.kind() == "payment"; });
  EXPECT_EQ(first_failed(), "every balance is the sum of its entries");
}

TEST_F(PlantedFault, AReservationThatIsGone) {
  erase<Reservation>([](const Reservation&) { return true; });
  EXPECT_EQ(first_failed(), "what is held is the sum of the live reservations");
}

TEST_F(PlantedFault, AWalletThatMayNotBeNegative) {
  plant<Balance>([](Balance& balance) {
    if (balance.posted_minor() >= 0) return false;
    balance.set_may_go_negative(false);
    return true;
  });
  EXPECT_EQ(first_failed(), "no available balance is negative, nor a closed one in use");
}

TEST_F(PlantedFault, AFinalTransferThatHolds) {
  plant<Transfer>([](Transfer& transfer) {
    if (transfer.status() != Transfer::PENDING) return false;
    transfer.set_status(Transfer::VOIDED);
    return true;
  });
  EXPECT_EQ(first_failed(), "nothing final holds money");
}

TEST_F(PlantedFault, APaymentThatNeverMoved) {
  plant<Payment>([](Payment& payment) {
    if (payment.status() != Payment::FAILED) return false;
    payment.set_status(Payment::COMPLETED);
    return true;
  });
  EXPECT_EQ(first_failed(), "every completed payment has exactly one entry");
}

TEST_F(PlantedFault, APaymentThatIsGone) {
  erase<Payment>([](const Payment& payment) { return payment.status() == Payment::COMPLETED; });
  EXPECT_EQ(first_failed(), "every completed payment has exactly one entry");
}

TEST_F(PlantedFault, AReversalOfAnother) {
  plant<Transaction>([](Transaction& entry) {
    if (entry.kind() != "reversal" || entry.status() != Transaction::SETTLED) return false;
    entry.set_reverses_id(derived_uuid("another"));
    return true;
  });
  EXPECT_EQ(first_failed(), "every reversal takes one entry back");
}

const char* const kOwned = "nothing is given back twice, and its owner knows what was taken back";

TEST_F(PlantedFault, APaymentThatDoesNotKnowThatItWasTakenBack) {
  plant<Payment>([](Payment& payment) {
    if (payment.status() != Payment::REVERSED) return false;
    payment.set_status(Payment::COMPLETED);
    return true;
  });
  EXPECT_EQ(first_failed(), kOwned);
}

TEST_F(PlantedFault, ATopUpThatSaysThatItWasTakenBack) {
  plant<TopUp>([](TopUp& top_up) {
    if (top_up.status() != TopUp::COMPLETED) return false;
    top_up.set_status(TopUp::REVERSED);
    return true;
  });
  EXPECT_EQ(first_failed(), kOwned);
}

TEST_F(PlantedFault, ATransferThatDoesNotKnowThatItWasTakenBack) {
  plant<Transfer>([](Transfer& transfer) {
    if (transfer.status() != Transfer::REVERSED || !transfer.pending_id().empty() ||
        transfer.action() != TransferStep::POST_NOW)
      return false;
    transfer.set_status(Transfer::POSTED);
    return true;
  });
  EXPECT_EQ(first_failed(), kOwned);
}

TEST_F(PlantedFault, APaymentThatForgetsARefund) {
  plant<Payment>([](Payment& payment) {
    if (payment.refunded_minor() == 0) return false;
    payment.set_refunded_minor(payment.refunded_minor() - 1);
    return true;
  });
  EXPECT_EQ(first_failed(), kOwned);
}

TEST_F(PlantedFault, AChangedByteOfTheTrail) {
  plant<AuditBlock>([](AuditBlock& block) {
    if (block.number() != 2) return false;
    (*block.mutable_marks())[100] ^= 1;
    return true;
  });
  EXPECT_EQ(first_failed(), "the audit chain is unbroken");
}

TEST_F(PlantedFault, ATrailThatWasCut) {
  const uint64_t last = (store().end().next_position - 2) / 64;
  erase<AuditBlock>([last](const AuditBlock& block) { return block.number() == last; });
  EXPECT_EQ(first_failed(), "the audit chain is unbroken");
}

}  // namespace
}  // namespace micropay::app
