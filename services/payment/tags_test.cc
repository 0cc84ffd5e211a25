// Payments found by their metadata and by the payer's own reference.
#include "services/payment/world_test.h"

namespace micropay {
namespace {

class TagsTest : public PaymentTest {
 protected:
  std::string pay(const std::string& order, const std::string& reference = {}) {
    CreatePaymentRequest asked = request(10);
    if (!order.empty()) (*asked.mutable_metadata()->mutable_values())["order"] = order;
    (*asked.mutable_metadata()->mutable_values())["shop"] = "7";
    asked.set_reference(reference);
    const std::string id = begin(asked);
    world.advance(kSecond);
    return id;
  }
  void complete(const std::string& id) { decide(id, APPROVE), booked(id, "payment"); }
  std::vector<std::string> found(ListPaymentsRequest list, const Principal& caller) {
    std::vector<std::string> ids;
    for (;;) {
      const auto page = world.query<ListPaymentsResponse>(list, caller);
      if (!page) return {page.error().reason};
      for (const Payment& payment : page->payments()) ids.push_back(payment.id());
      if (page->next_page_token().empty()) return ids;
      list.set_page_token(page->next_page_token());
    }
  }
  static ListPaymentsRequest with(const std::string& key, const std::string& value) {
    ListPaymentsRequest list;
    (*list.mutable_metadata()->mutable_values())[key] = value;
    return list;
  }
  static ListPaymentsRequest referenced(const std::string& reference) {
    ListPaymentsRequest list;
    list.set_reference(reference);
    return list;
  }
  using Ids = std::vector<std::string>;
};

TEST_F(TagsTest, ByAnEntryOfTheMetadata) {
  const std::string first = pay("42"), second = pay("43"), third = pay("42"), none = pay("");
  EXPECT_EQ(found(with("order", "42"), alice), (Ids{third, first}));
  EXPECT_EQ(found(with("shop", "7"), alice), (Ids{none, third, second, first}));
  EXPECT_EQ(found(with("order", "4"), alice), Ids{});
  EXPECT_EQ(found(with("orde", "r42"), alice), Ids{});
  EXPECT_EQ(found(with("order", "42"), carol), Ids{});
  EXPECT_EQ(found(with("order", "42"), bob), Ids{}) << "the payee's when it has moved";
  complete(first);
  EXPECT_EQ(found(with("order", "42"), bob), Ids{first});
  ListPaymentsRequest pages = with("shop", "7");
  pages.set_page_size(1);
  EXPECT_EQ(found(pages, alice), (Ids{none, third, second, first}));
  pages.set_order_by("createdAt asc");
  EXPECT_EQ(found(pages, alice), (Ids{first, second, third, none}));
  ListPaymentsRequest wallet = with("order", "42");
  EXPECT_EQ(found(wallet, support), Ids{"required"});
  wallet.set_account_id(test_id("1a"));
  EXPECT_EQ(found(wallet, support), (Ids{third, first}));
  EXPECT_EQ(found(wallet, bob), Ids{"not_found"});
  ListPaymentsRequest later = with("order", "42");
  later.set_from(stored(second).created_at());
  EXPECT_EQ(found(later, alice), Ids{third});
  later.set_status("FAILED");
  EXPECT_EQ(found(later, alice), Ids{"invalid_filter"});
}

TEST_F(TagsTest, AReferenceIsUsedOnce) {
  const std::string first = pay("1", "order-1");
  EXPECT_EQ(stored(first).reference(), "order-1");
  CreatePaymentRequest again = request(20);
  again.set_reference("order-1");
  world.events();
  const auto second = world.call<Payment>(again, alice);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "reference_taken");
  EXPECT_EQ(http_status(second.error().code), 409u);
  EXPECT_EQ(second.error().field, "reference");
  ASSERT_EQ(second.error().extensions.size(), 1u);
  EXPECT_EQ(second.error().extensions[0].second, first);
  EXPECT_EQ(world.events(), Types{}) << "and nothing came of it";
  again.set_payer_account_id(test_id("1b"));
  again.set_payee_account_id(test_id("1c"));
  world.call_answer(again, bob);
  const std::string of_bob = world.all<PaymentInitiated>().back().payment_id();
  EXPECT_NE(of_bob, first) << "another's references are his own";
  EXPECT_EQ(found(referenced("order-1"), alice), Ids{first});
  EXPECT_EQ(found(referenced("order-1"), bob), Ids{of_bob});
  EXPECT_EQ(found(referenced("order-2"), alice), Ids{});
  EXPECT_EQ(found(referenced("order-1"), support).size(), 2u);
  ListPaymentsRequest both = referenced("order-1");
  both.set_account_id(test_id("1c"));
  EXPECT_EQ(found(both, support), Ids{of_bob});
  both.set_status("FAILED");
  EXPECT_EQ(found(both, support), Ids{"invalid_filter"});
}

TEST_F(TagsTest, WithoutOneThereIsNothingToBeTaken) {
  pay("");
  EXPECT_NE(pay(""), "");
  EXPECT_EQ(world.find<PaymentReference>("", test_id("0a")), nullptr);
}

}  // namespace
}  // namespace micropay
