// What goes with whose call: the writer's own, and those of the records that a call names.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "services/gateway/recent_writes.h"

namespace micropay::gateway {
namespace {

struct RecentWritesTest : testing::Test {
  ManualClock clock;
  RecentWrites writes{clock, 100};
  const std::string account = derived_uuid("account");

  template <typename Request>
  static Command call(const std::string& user, const Request& request) {
    return {.method = contract::model().method_of<Request>(),
            .request = std::make_shared<Request>(request),
            .principal = user_principal(derived_uuid(user))};
  }
  void open_account(const std::string& user, const std::string& id, uint64_t position) {
    auto made = std::make_shared<Account>();
    made->set_id(id);
    const Command command = call(user, CreateAccountRequest());
    writes.note(RecentWrites::keys_of(command),
                {.result = Row(made), .marks = {{command.method->service, 1, 2, position}}});
  }
  uint64_t needed(const std::string& user, const std::string& id) {
    GetBalanceRequest request;
    request.set_account_id(id);
    const Marks marks = writes.before(call(user, request));
    return marks.empty() ? 0 : marks[0].position;
  }
};

TEST_F(RecentWritesTest, TheWriterAndWhoeverNamesTheRecordReadIt) {
  open_account("anna", account, 7);
  EXPECT_EQ(needed("anna", derived_uuid("other")), 7u);
  EXPECT_EQ(needed("staff", account), 7u);
  EXPECT_EQ(needed("staff", derived_uuid("other")), 0u);
  open_account("anna", derived_uuid("second"), 9);
  EXPECT_EQ(needed("anna", account), 9u);
}

TEST_F(RecentWritesTest, TheServiceThatWroteItNeedsNothing) {
  open_account("anna", account, 7);
  GetAccountRequest request;
  request.set_id(account);
  EXPECT_TRUE(writes.before(call("anna", request)).empty());
}

TEST_F(RecentWritesTest, ItIsForgottenAfterAWhile) {
  open_account("anna", account, 7);
  clock.advance(9 * kSecond);
  open_account("anna", derived_uuid("second"), 8);
  EXPECT_EQ(needed("staff", account), 7u);
  clock.advance(2 * kSecond);
  EXPECT_EQ(needed("staff", account), 0u);
  EXPECT_EQ(needed("anna", account), 8u);
}

TEST_F(RecentWritesTest, ItsMemoryIsBounded) {
  open_account("anna", account, 7);
  for (int i = 0; i < 100; ++i) open_account(fmt::format("u{}", i), derived_uuid(fmt::format("a{}", i)), 8);
  EXPECT_EQ(needed("staff", account), 0u);
  EXPECT_EQ(needed("staff", derived_uuid("a99")), 8u);
}

}  // namespace
}  // namespace micropay::gateway
