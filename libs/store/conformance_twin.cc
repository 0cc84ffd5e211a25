// The cases of conformance_twin.h.
#include "libs/store/conformance_twin.h"

#include <gmock/gmock.h>

#include "contracts/audit.pb.h"
#include "contracts/payment.pb.h"

namespace micropay::test {

using testing::ElementsAre;

void Conformance::SetUp() {
  open_place = GetParam().make_place();
  if (!open_place) GTEST_SKIP() << "no server for " << GetParam().name;
  open();
}

void Conformance::open() {
  store.reset();
  auto opened = open_place(projector);
  ASSERT_TRUE(opened) << opened.error().detail;
  store = std::move(*opened);
  ticks = TickMaker(store->end());
}

void Conformance::commit(std::vector<RowChange> changes, size_t events) {
  store->begin_tick();
  ASSERT_TRUE(store->commit(ticks.next(std::move(changes), events)));
  if (GetParam().restarts) open();
}

Result<Page> Conformance::list(ListQuery query) const {
  if (query.table == nullptr) query.table = &table<DeadLetter>();
  return store->list(query);
}

std::string Conformance::detail(uint64_t number) const {
  Row row = store->get(table<DeadLetter>(), letter_key(number));
  return row ? static_cast<const DeadLetter&>(*row).detail() : "none";
}

std::vector<uint64_t> Conformance::numbers(const Page& page) {
  std::vector<uint64_t> found;
  found.reserve(page.rows.size());
  for (const Row& row : page.rows) found.push_back(static_cast<const DeadLetter&>(*row).attempts());
  return found;
}

std::vector<uint64_t> Conformance::numbers(ListQuery query) const {
  auto page = list(std::move(query));
  EXPECT_TRUE(page) << page.error().detail;
  return page ? numbers(*page) : std::vector<uint64_t>();
}

std::vector<uint64_t> Conformance::walk(ListQuery query) const {
  std::vector<uint64_t> found;
  for (int pages = 0; pages < 1'000; ++pages) {
    auto page = list(query);
    EXPECT_TRUE(page) << page.error().detail;
    if (!page) break;
    EXPECT_LE(page->rows.size(), query.page_size);
    std::ranges::copy(numbers(*page), std::back_inserter(found));
    query.page_token = page->next_page_token;
    if (query.page_token.empty()) break;
    EXPECT_EQ(page->rows.size(), query.page_size);
  }
  return found;
}

void Conformance::fill() {
  std::vector<RowChange> changes;
  for (uint64_t i = 1; i <= 60; ++i)
    changes.push_back(put(letter(i, {.status = i % 2 ? DeadLetter::OPEN : DeadLetter::REDRIVEN,
                                     .service = fmt::format("s{}", i % 5),
                                     .created_at = static_cast<Time>(i / 3) * kSecond})));
  commit(std::move(changes));
}

TEST_P(Conformance, ReadsWhatWasCommitted) {
  EXPECT_EQ(detail(1), "none");
  commit({put(letter(1, {.detail = "one"})), put(letter(2, {.detail = "two"}))});
  EXPECT_EQ(detail(1), "one");
  commit({put(letter(1, {.detail = "new"})), erase(letter(2))});
  EXPECT_EQ(detail(1), "new");
  EXPECT_EQ(detail(2), "none");
  EXPECT_EQ(numbers(ListQuery{}), (std::vector<uint64_t>{1}));
  commit({put(letter(2, {.detail = "again"}))});
  EXPECT_EQ(detail(2), "again");
  EXPECT_EQ(store->end().tick, 3u);
}

TEST_P(Conformance, KeepsEveryFieldOfARow) {
  DeadLetter full =
      letter(7, {.status = DeadLetter::REDRIVEN, .service = "a\"b'c", .detail = "Grüße\n", .created_at = -5});
  full.set_payload(std::string("\0\xff\x01", 3));
  full.set_kind(DeadLetter::TIMER);
  DeliveryRecord delivery;
  delivery.set_service("payment");
  delivery.set_event_key("");
  delivery.set_position(1ull << 62);
  delivery.mutable_envelope()->set_id(uuid(3));
  Payment payment;
  payment.set_id(uuid(9));
  payment.mutable_amount()->set_currency("EUR");
  payment.mutable_amount()->set_minor(-1234);
  (*payment.mutable_metadata()->mutable_values())["k"] = "v";
  commit({put(full), put(delivery), put(payment)});
  auto same = [this](const google::protobuf::Message& row) {
    const contract::Table& table = *contract::model().table(row.GetDescriptor());
    Row got = store->get(table, table.key_of(row));
    size_t scanned = 0;
    EXPECT_TRUE(store->scan(table, [&](const Row& each) {
      EXPECT_EQ(each->DebugString(), row.DebugString());
      return ++scanned > 0;
    }));
    EXPECT_EQ(scanned, 1u);
    return got ? got->DebugString() : "none";
  };
  EXPECT_EQ(same(full), full.DebugString());
  EXPECT_EQ(same(delivery), delivery.DebugString());
  EXPECT_EQ(same(payment), payment.DebugString());
}

TEST_P(Conformance, ScansInKeyOrder) {
  std::vector<RowChange> changes;
  for (const char* type : {"b", "a", "ab", ""}) {
    for (const char* key : {"2", "10", ""}) {
      TimerRecord timer;
      timer.set_type(type);
      timer.set_timer_key(key);
      changes.push_back(put(timer));
    }
  }
  commit(std::move(changes));
  std::vector<std::string> found;
  ASSERT_TRUE(store->scan(table<TimerRecord>(), [&](const Row& row) {
    const auto& timer = static_cast<const TimerRecord&>(*row);
    found.push_back(timer.type() + "/" + timer.timer_key());
    return found.size() < 9;
  }));
  EXPECT_THAT(found, ElementsAre("/", "/10", "/2", "a/", "a/10", "a/2", "ab/", "ab/10", "ab/2"));
}

TEST_P(Conformance, ListsNewestFirstByUuidKeys) {
  fill();
  EXPECT_EQ(numbers(ListQuery{.page_size = 3}), (std::vector<uint64_t>{60, 59, 58}));
  EXPECT_EQ(list(ListQuery{})->rows.size(), 50u);
  EXPECT_EQ(list(ListQuery{.page_size = 9'999})->rows.size(), 60u);
  TimerRecord a, b;
  a.set_type("a");
  b.set_type("b");
  commit({put(b), put(a)});
  auto page = list(ListQuery{.table = &table<TimerRecord>()});
  ASSERT_EQ(page->rows.size(), 2u);
  EXPECT_EQ(static_cast<const TimerRecord&>(*page->rows[0]).type(), "a");
}

TEST_P(Conformance, Filters) {
  fill();
  using Op = Filter::Op;
  auto found = [this](std::vector<Filter> filters) {
    return numbers({.filters = std::move(filters), .page_size = 500});
  };
  EXPECT_EQ(found({{"status", Op::kEqual, "OPEN"}}).size(), 30u);
  EXPECT_EQ(found({{"id", Op::kEqual, uuid(7)}}), (std::vector<uint64_t>{7}));
  EXPECT_EQ(found({{"id", Op::kLess, uuid(3)}}), (std::vector<uint64_t>{2, 1}));
  EXPECT_EQ(found({{"createdAt", Op::kGreaterEqual, "1970-01-01T00:00:19Z"}}),
            (std::vector<uint64_t>{60, 59, 58, 57}));
  EXPECT_EQ(found({{"created_at", Op::kLess, "1970-01-01T00:00:01Z"}}), (std::vector<uint64_t>{2, 1}));
  EXPECT_EQ(found({{"attempts", Op::kIn, "", {"3", "5", "5", "77"}}}), (std::vector<uint64_t>{5, 3}));
  EXPECT_EQ(found({{"attempts", Op::kIn, "", {}}}).size(), 0u);
  EXPECT_EQ(
      found({{"service", Op::kEqual, "s1"}, {"status", Op::kEqual, "REDRIVEN"}, {"id", Op::kLess, uuid(20)}}),
      (std::vector<uint64_t>{16, 6}));
  EXPECT_EQ(found({{"service", Op::kIn, "", {"s0", "s1"}}}).size(), 24u);
}

TEST_P(Conformance, RefusesWhatItCannotMean) {
  fill();
  using Op = Filter::Op;
  auto reason = [this](const ListQuery& query) {
    auto page = list(query);
    return page ? "none" : page.error().reason;
  };
  EXPECT_EQ(reason({.filters = {{"nonsense", Op::kEqual, "1"}}}), "invalid_filter");
  EXPECT_EQ(reason({.filters = {{"payload", Op::kEqual, "1"}}}), "invalid_filter");
  EXPECT_EQ(reason({.filters = {{"status", Op::kEqual, "SHUT"}}}), "invalid_filter");
  EXPECT_EQ(reason({.filters = {{"id", Op::kEqual, "7"}}}), "invalid_filter");
  EXPECT_EQ(reason({.filters = {{"createdAt", Op::kLess, "yesterday"}}}), "invalid_filter");
  EXPECT_EQ(reason({.filters = {{"attempts", Op::kIn, "", std::vector<std::string>(101, "1")}}}),
            "invalid_filter");
  for (const char* order :
       {"nonsense", "detail", "payload", "status down", "status desc now", "status,service"})
    EXPECT_EQ(reason({.order_by = order}), "invalid_order") << order;
  std::string token = list({.order_by = "status", .page_size = 2})->next_page_token;
  for (const std::string& bad : {std::string("x"), token + "A", token.substr(1), std::string("offset:"),
                                 std::string("offset:-1"), std::string("offset:100001"), std::string("%%")})
    EXPECT_EQ(reason({.order_by = "status", .page_token = bad}), "invalid_page_token") << bad;
  EXPECT_EQ(reason({.order_by = "service", .page_token = token}), "invalid_page_token");
  EXPECT_EQ(reason({.order_by = "status desc", .page_token = token}), "invalid_page_token");
  EXPECT_EQ(reason({.filters = {{"service", Op::kEqual, "s1"}}, .order_by = "status", .page_token = token}),
            "invalid_page_token");
  EXPECT_EQ(reason({.order_by = "status", .page_size = 7, .page_token = token}), "none");
}

TEST_P(Conformance, PagesNeitherSkipNorRepeat) {
  fill();
  for (const char* order : {"", "id", "id desc", "status", "status desc", "service", "service desc"}) {
    std::vector<uint64_t> whole = numbers({.order_by = order, .page_size = 500});
    EXPECT_EQ(whole.size(), 60u);
    for (uint32_t size : {1u, 7u, 20u, 60u})
      EXPECT_EQ(walk({.order_by = order, .page_size = size}), whole) << order;
  }
  EXPECT_EQ(numbers({.order_by = "service", .page_size = 3}), (std::vector<uint64_t>{5, 10, 15}));
  EXPECT_EQ(numbers({.order_by = "service desc", .page_size = 3}), (std::vector<uint64_t>{59, 54, 49}));
  EXPECT_EQ(
      walk({.filters = {{"status", Filter::Op::kEqual, "OPEN"}}, .order_by = "service desc", .page_size = 4})
          .size(),
      30u);
}

TEST_P(Conformance, ATokenHoldsItsPlaceWhileRowsComeAndGo) {
  fill();
  auto page = list({.page_size = 10});
  EXPECT_EQ(numbers(*page).back(), 51u);
  commit({put(letter(61)), erase(letter(51)), erase(letter(49))});
  EXPECT_EQ(numbers({.page_size = 2, .page_token = page->next_page_token}), (std::vector<uint64_t>{50, 48}));
}

TEST_P(Conformance, Offsets) {
  fill();
  auto page = list({.page_size = 2, .page_token = "offset:57"});
  EXPECT_EQ(numbers(*page), (std::vector<uint64_t>{3, 2}));
  EXPECT_EQ(numbers({.page_size = 2, .page_token = page->next_page_token}), (std::vector<uint64_t>{1}));
  EXPECT_EQ(list({.page_token = "offset:60"})->rows.size(), 0u);
  EXPECT_EQ(list({.page_token = "offset:60"})->next_page_token, "");
}

// Unset UUIDs are NULL in SQL, which compares to nothing.
TEST_P(Conformance, UnsetValuesSortFirst) {
  std::vector<RowChange> changes;
  for (uint64_t i = 1; i <= 12; ++i) {
    Refund refund;
    refund.set_id(uuid(i));
    refund.set_created_at(Time(i));
    if (i % 3 != 0) refund.set_payment_id(uuid(100 + i % 2));
    changes.push_back(put(refund));
  }
  commit(std::move(changes));
  auto walked = [this](const std::string& order, uint32_t size) {
    std::vector<Time> found;
    ListQuery query{.table = &table<Refund>(), .order_by = order, .page_size = size};
    do {
      auto page = store->list(query);
      EXPECT_TRUE(page);
      for (const Row& row : page->rows) found.push_back(static_cast<const Refund&>(*row).created_at());
      query.page_token = page->next_page_token;
    } while (!query.page_token.empty());
    return found;
  };
  for (uint32_t size : {1u, 5u, 50u}) {
    EXPECT_THAT(walked("paymentId", size), ElementsAre(3, 6, 9, 12, 2, 4, 8, 10, 1, 5, 7, 11)) << size;
    EXPECT_THAT(walked("paymentId desc", size), ElementsAre(11, 7, 5, 1, 10, 8, 4, 2, 12, 9, 6, 3)) << size;
  }
  EXPECT_EQ(store->list({.table = &table<Refund>(), .filters = {{"paymentId", Filter::Op::kLess, uuid(999)}}})
                ->rows.size(),
            8u);
}

TEST_P(Conformance, EventsAreReadFromAnyPosition) {
  commit({}, 5);
  commit({put(letter(1))});
  commit({}, 3);
  auto events = store->read_events(4, 3);
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) {
    const EventRecord& event = *(*events)[i];
    EXPECT_EQ(event.envelope.position(), 4 + i);
    ASSERT_NE(event.type, nullptr);
    EXPECT_EQ(event.type->type, "payment.initiated");
    EXPECT_EQ(static_cast<const PaymentInitiated&>(*event.message).payment_id(), uuid(4 + i));
  }
  EXPECT_EQ(store->read_events(0, 100)->size(), 8u);
  EXPECT_EQ(store->read_events(9, 100)->size(), 0u);
  EXPECT_EQ(store->end().next_position, 9u);
}

TEST_P(Conformance, ProjectionsFollowTheEvents) {
  for (int i = 0; i < 5; ++i) commit({}, 5);
  EXPECT_EQ(store->list({.table = &table<RefundLink>(), .of_applied = true})->rows.size(), 25u);
  auto count = [this](uint64_t number) {
    AuditBlock block;
    block.set_number(number);
    Row row = store->get(table<AuditBlock>(), table<AuditBlock>().key_of(block));
    return row ? static_cast<const AuditBlock&>(*row).count() : 0;
  };
  EXPECT_EQ(count(0), 3u);
  for (uint64_t number = 1; number <= 5; ++number) EXPECT_EQ(count(number), 4u) << number;
  EXPECT_EQ(count(6), 2u);
}

}  // namespace micropay::test
