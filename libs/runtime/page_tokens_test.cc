// Tokens are of one list: its method, its user, its order and its filters.
#include "libs/runtime/page_tokens.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const contract::Method& list_payments() { return *contract::model().method_of<ListPaymentsRequest>(); }
const Principal kAnna = user_principal("anna"), kBert = user_principal("bert");

std::string token_of(const Principal& principal, const ListPaymentsRequest& request) {
  auto answer = std::make_shared<ListPaymentsResponse>();
  answer->set_next_page_token("7");
  const Row sealed = seal_page_token(list_payments(), principal, request, std::move(answer));
  return static_cast<const ListPaymentsResponse&>(*sealed).next_page_token();
}

// What the handler gets to see.
std::string opened(const Principal& principal, const ListPaymentsRequest& request) {
  const auto asked = open_page_token(list_payments(), principal, request);
  if (!asked) return asked.error().reason;
  return *asked ? static_cast<const ListPaymentsRequest&>(**asked).page_token() : "as it is";
}

TEST(PageTokens, AreOfOneListInOneOrder) {
  ListPaymentsRequest asked;
  asked.set_status("COMPLETED");
  asked.set_order_by("createdAt desc");
  asked.set_page_size(2);
  EXPECT_EQ(opened(kAnna, asked), "as it is");
  const std::string token = token_of(kAnna, asked);
  EXPECT_EQ(token.find("7"), token.npos) << "opaque";
  asked.set_page_token(token);
  EXPECT_EQ(opened(kAnna, asked), "7");
  asked.set_page_size(50);
  EXPECT_EQ(opened(kAnna, asked), "7");
  EXPECT_EQ(opened(kBert, asked), "invalid_page_token");
  ListPaymentsRequest other = asked;
  other.set_order_by("createdAt asc");
  EXPECT_EQ(opened(kAnna, other), "invalid_page_token");
  other = asked;
  other.clear_status();
  EXPECT_EQ(opened(kAnna, other), "invalid_page_token");
  other = asked;
  other.set_from(1);
  EXPECT_EQ(opened(kAnna, other), "invalid_page_token");
  other = asked;
  for (const std::string& bad :
       {token + "A", token.substr(1), std::string("7"), std::string("="), std::string("AAAAAAAAAAA")}) {
    other.set_page_token(bad);
    EXPECT_EQ(opened(kAnna, other), "invalid_page_token") << bad;
  }
  other.set_page_token("offset:40");
  EXPECT_EQ(opened(kAnna, other), "as it is");
}

TEST(PageTokens, AreNotThoseOfAnotherMethod) {
  ListPaymentsRequest payments;
  ListAccountsRequest accounts;
  accounts.set_page_token(token_of(kAnna, payments));
  const auto asked = open_page_token(*contract::model().method_of<ListAccountsRequest>(), kAnna, accounts);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().reason, "invalid_page_token");
}

TEST(PageTokens, LeaveAnAnswerThatOthersHaveAlone) {
  auto answer = std::make_shared<ListPaymentsResponse>();
  answer->set_next_page_token("7");
  const Row kept = answer;
  const Row sealed = seal_page_token(list_payments(), kAnna, ListPaymentsRequest(), kept);
  EXPECT_EQ(answer->next_page_token(), "7");
  EXPECT_NE(sealed, kept);
  answer->clear_next_page_token();
  EXPECT_EQ(seal_page_token(list_payments(), kAnna, ListPaymentsRequest(), kept), kept);
}

}  // namespace
}  // namespace micropay
