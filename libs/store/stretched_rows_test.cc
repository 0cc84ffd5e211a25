// Rows that are kept by stretches of their arrival: lists are in order across them and complete, whatever
// their direction, bounds and pages; a row stays where it is looked for, also after a restart and a failed
// transaction.
#include <gtest/gtest.h>

#include <set>

#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "libs/store/tables_twin.h"

namespace micropay {
namespace {

using contract::Table;
using test::uuid;
using Op = Filter::Op;

constexpr uint64_t kAccounts = 7, kRows = 3 * Stretches::kRows + 500;

const Table& payments() { return test::table<Payment>(); }
const Table& postings() { return test::table<AccountPosting>(); }
uint64_t payer_of(uint64_t number) { return number * 31 % kAccounts; }
// Not quite in the order in which they come.
uint64_t arrival_of(uint64_t number) { return 1'000 + (number ^ 5); }

Payment payment(uint64_t number, std::string_view description = "") {
  Payment payment;
  payment.set_id(uuid(arrival_of(number)));
  payment.set_payer_account_id(uuid(payer_of(number)));
  payment.set_payee_account_id(uuid(100 + number % 3));
  payment.set_description(std::string(description));
  payment.set_status(number % 1'000 == 0 ? Payment::FAILED : Payment::COMPLETED);
  return payment;
}

AccountPosting posting(uint64_t number, std::string_view kind = "payment") {
  AccountPosting posting;
  posting.set_account_id(uuid(payer_of(number)));
  posting.set_transaction_id(uuid(number));
  posting.set_settled_at(Time(arrival_of(number) / 4));  // some at the same time
  posting.set_kind(std::string(kind));
  return posting;
}

struct StretchedRows : test::TablesTest {
  template <typename T>
  void put(const T& row) {
    std::string bytes;
    row.SerializeToString(&bytes);
    const auto written = tables->put(test::table<T>(), test::table<T>().key_of(row), bytes);
    ASSERT_TRUE(written) << written.error().detail;
  }
  void write(uint64_t from, uint64_t to, bool commit = true) {
    ASSERT_TRUE(tables->begin());
    for (uint64_t i = from; i < to; ++i) put(payment(i)), put(posting(i));
    if (commit) ASSERT_TRUE(tables->commit());
    else tables->roll_back();
  }
  void write_all() {
    for (uint64_t from = 0; from < kRows; from += 10'000) write(from, std::min(from + 10'000, kRows));
  }
  // Keys of all pages.
  std::vector<std::string> list(ListQuery query) {
    std::vector<std::string> keys;
    do {
      auto page = tables->list(query);
      EXPECT_TRUE(page) << page.error().detail;
      if (!page) break;
      for (const Row& row : page->rows) keys.push_back(query.table->key_of(*row));
      query.page_token = page->next_page_token;
    } while (!query.page_token.empty());
    return keys;
  }
  uint64_t stretches(const Table& table) {
    auto count =
        tables->connection()
            .prepare("SELECT count(*) FROM micropay_stretch WHERE store_table='" + table.sql_name + "'", "")
            .value();
    EXPECT_TRUE(count->step().value());
    return uint64_t(count->value(0).integer);
  }
  std::string scan_problem(const Table& table) {
    const auto read = tables->scan_values(table, [](const auto&) { return true; });
    return read ? "none" : read.error().reason;
  }
};

template <typename T>
std::vector<std::string> keys_of(std::vector<T> rows, bool descending, const auto& rank) {
  std::ranges::sort(
      rows, [&](const T& a, const T& b) { return descending ? rank(b) < rank(a) : rank(a) < rank(b); });
  std::vector<std::string> keys;
  for (const T& row : rows) keys.push_back(test::table<T>().key_of(row));
  return keys;
}

TEST_F(StretchedRows, AreListedInOrderAcrossStretches) {
  write_all();
  EXPECT_EQ(stretches(payments()), 4u);
  EXPECT_EQ(stretches(postings()), 4u);
  const auto by_id = [](const Payment& row) { return row.id(); };
  const auto by_time = [](const AccountPosting& row) {
    return std::pair(row.settled_at(), row.transaction_id());
  };
  for (const bool descending : {true, false})
    for (const uint64_t account : {uint64_t(0), uint64_t(3), kAccounts}) {
      std::vector<Payment> paid;
      std::vector<AccountPosting> posted;
      for (uint64_t i = 0; i < kRows; ++i)
        if (payer_of(i) == account) paid.push_back(payment(i)), posted.push_back(posting(i));
      const std::string direction = descending ? "desc" : "asc";
      ASSERT_EQ(list({.table = &payments(),
                      .filters = {{"payer_account_id", Op::kEqual, uuid(account), {}}},
                      .order_by = "id " + direction,
                      .page_size = 500}),
                keys_of(paid, descending, by_id));
      ASSERT_EQ(list({.table = &postings(),
                      .filters = {{"account_id", Op::kEqual, uuid(account), {}}},
                      .order_by = "settledAt " + direction,
                      .page_size = 500}),
                keys_of(posted, descending, by_time));
    }
}

TEST_F(StretchedRows, OfBoundsAndSeveralAccountsAreAllThere) {
  write_all();
  const auto by_id = [](const Payment& row) { return row.id(); };
  for (const bool descending : {true, false})
    for (const uint64_t bound :
         {uint64_t(0), uint64_t(1'777), Stretches::kRows + 1'000, 2 * Stretches::kRows, kRows}) {
      std::vector<Payment> below, from;
      for (uint64_t i = 0; i < kRows; ++i)
        if (payer_of(i) < 2 && i % 1'000 == 0) (arrival_of(i) < bound ? below : from).push_back(payment(i));
      ListQuery query{.table = &payments(),
                      .filters = {{"payer_account_id", Op::kIn, "", {uuid(0), uuid(1)}},
                                  {"status", Op::kIn, "", {"FAILED", "PENDING"}},
                                  {"id", Op::kLess, uuid(bound), {}}},
                      .order_by = descending ? "id desc" : "id asc",
                      .page_size = 7};
      ASSERT_EQ(list(query), keys_of(below, descending, by_id)) << bound;
      query.filters[2].op = Op::kGreaterEqual;
      ASSERT_EQ(list(query), keys_of(from, descending, by_id)) << bound;
    }
}

TEST_F(StretchedRows, AreFoundReplacedAndErasedWhereTheyAre) {
  write_all();
  for (int turn = 0; turn < 2; ++turn) {
    for (uint64_t i = 0; i < kRows; i += 997) {
      ASSERT_NE(tables->get(payments(), payments().key_of(payment(i))).value(), nullptr) << i;
      ASSERT_NE(tables->get(postings(), postings().key_of(posting(i))).value(), nullptr) << i;
    }
    reopen();
  }
  const std::string old = postings().key_of(posting(10)), gone = postings().key_of(posting(11));
  ASSERT_TRUE(tables->begin());
  put(posting(10, "refund"));
  ASSERT_TRUE(tables->erase(postings(), gone));
  ASSERT_TRUE(tables->commit());
  EXPECT_EQ(static_cast<const AccountPosting&>(*tables->get(postings(), old).value()).kind(), "refund");
  EXPECT_EQ(tables->get(postings(), gone).value(), nullptr);
  std::set<std::string> seen;
  ASSERT_TRUE(
      tables->scan(postings(), [&](const Row& row) { return seen.insert(postings().key_of(*row)).second; }));
  EXPECT_EQ(seen.size(), kRows - 1) << "each once";
  EXPECT_FALSE(seen.contains(gone));
}

// The disk was full: the batch comes again, and a stretch that had begun with it had not.
TEST_F(StretchedRows, OfATransactionThatFailedBeginNoStretch) {
  write(0, Stretches::kRows - 100);
  write(Stretches::kRows - 100, Stretches::kRows + 1'000, false);
  EXPECT_EQ(stretches(postings()), 1u);
  write(Stretches::kRows - 100, Stretches::kRows + 1'000);
  EXPECT_EQ(stretches(postings()), 2u);
  reopen();
  write(Stretches::kRows + 1'000, 2 * Stretches::kRows + 2'000);
  EXPECT_EQ(stretches(postings()), 3u) << "the count goes on after a restart";
  EXPECT_EQ(scan_problem(postings()), "none");
  EXPECT_EQ(scan_problem(payments()), "none");
}

// Late rows fill up an older stretch while the newest one is empty: none may begin before that.
TEST_F(StretchedRows, ThatAreAllErasedLeaveTheirStretchWhereItBegan) {
  write(0, Stretches::kRows + 8);
  ASSERT_EQ(stretches(postings()), 2u);
  auto& sql = tables->connection();
  ASSERT_TRUE(sql.exec("DELETE FROM transaction_posting WHERE store_stretch=1"));
  reopen();
  ASSERT_TRUE(tables->begin());
  for (uint64_t i = 0; i < Stretches::kRows; ++i) {
    AccountPosting late = posting(i / 2);
    late.set_transaction_id(uuid(1'000'000 + i));
    put(late);
  }
  put(posting(Stretches::kRows - 1, "again"));
  ASSERT_TRUE(tables->commit());
  EXPECT_EQ(stretches(postings()), 2u);
  EXPECT_EQ(scan_problem(postings()), "none");
}

TEST_F(StretchedRows, InAnotherStretchThanTheirValueSaysAreNamedByAScan) {
  write_all();
  for (const char* sql :
       {"UPDATE transaction_posting SET store_stretch=1 WHERE settled_at=300",
        "UPDATE payment_payment SET store_stretch=0 WHERE store_stretch=2",
        "DELETE FROM micropay_stretch WHERE store_number=1", "DELETE FROM micropay_stretch"}) {
    ASSERT_TRUE(tables->connection().exec(std::string("SAVEPOINT good;") + sql));
    EXPECT_TRUE(scan_problem(postings()) == "tables_damaged" || scan_problem(payments()) == "tables_damaged")
        << sql;
    ASSERT_TRUE(tables->connection().exec("ROLLBACK TO good; RELEASE good"));
  }
  EXPECT_EQ(scan_problem(postings()), "none");
}

// The whole point: SQLite must find rows by their index and not sort them.
TEST_F(StretchedRows, AreFoundByTheirIndexInOrder) {
  const auto plan_of = [&](ListQuery query) {
    const ListSql select = list_sql(plan_list(query).value());
    auto explained = tables->connection().prepare("EXPLAIN QUERY PLAN " + select.sql, "").value();
    std::string text;
    while (explained->step().value()) text += std::string(explained->value(3).bytes) + "\n";
    return text;
  };
  const std::string paid =
      plan_of({.table = &payments(),
               .filters = {{"payee_account_id", Op::kEqual, uuid(1), {}}, {"id", Op::kLess, uuid(9), {}}}});
  EXPECT_NE(
      paid.find("payment_payment_by_payee_account_id (store_stretch=? AND payee_account_id=? AND id<?)"),
      std::string::npos)
      << paid;
  EXPECT_EQ(paid.find("TEMP B-TREE"), std::string::npos) << paid;
  const std::string posted = plan_of({.table = &postings(),
                                      .filters = {{"account_id", Op::kEqual, uuid(1), {}}},
                                      .order_by = "settledAt desc"});
  EXPECT_NE(posted.find("store_stretch=? AND account_id=?"), std::string::npos) << posted;
  EXPECT_EQ(posted.find("TEMP B-TREE"), std::string::npos) << posted;
  const std::string all = plan_of({.table = &payments(), .filters = {}});
  EXPECT_EQ(all.find("micropay_stretch"), std::string::npos) << all;
}

}  // namespace
}  // namespace micropay
