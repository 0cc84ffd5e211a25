// Who may call, as the contract says it: scopes of API keys, owners of records, conditions on a record. Each
// of these lines was once made wrong with every test green.
#include "libs/runtime/access.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/contract/etag.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const std::string kAlice = derived_uuid("alice"), kBob = derived_uuid("bob"),
                  kWallet = derived_uuid("wallet");

Principal api_key(std::vector<std::string> scopes) {
  Principal principal{.kind = Principal::Kind::kApiKey, .user_id = kAlice};
  principal.scopes = std::move(scopes);
  return principal;
}

TEST(Access, AnApiKeyNeedsTheScopeWhateverItsUserMay) {
  const contract::Method& read = *contract::model().method_of<GetPaymentRequest>();
  EXPECT_TRUE(check_access(read, api_key({"payments:read"})));
  EXPECT_EQ(check_access(read, api_key({"payments:write"})).error().reason, "forbidden");
  EXPECT_EQ(check_access(read, api_key({})).error().reason, "forbidden");
  // For everybody who is signed in, and for no scope: no key opens it.
  const contract::Method& sessions = *contract::model().method_of<ListSessionsRequest>();
  EXPECT_TRUE(check_access(sessions, user_principal(kAlice)));
  EXPECT_EQ(check_access(sessions, api_key({"payments:read", "payments:write"})).error().reason, "forbidden");
  EXPECT_EQ(check_access(sessions, api_key({""})).error().reason, "forbidden");
}

TEST(Access, AnothersRecordIsNone) {
  const contract::Method& get = *contract::model().method_of<GetAccountRequest>();
  GetAccountRequest request;
  request.set_id(kWallet);
  Account account;
  account.set_id(kWallet);
  account.set_user_id(kAlice);
  for (const std::string& user : {kAlice, kBob}) {
    const auto owned = OwnedRecord::of(get, user_principal(user), request);
    ASSERT_TRUE(owned);
    const auto judged = owned->judge(&account, user_principal(user));
    EXPECT_EQ(judged ? "" : judged.error().reason, user == kAlice ? "" : "not_found");
    EXPECT_EQ(owned->judge(nullptr, user_principal(user)).error().reason, "not_found");
  }
  EXPECT_FALSE(OwnedRecord::of(get, user_principal(kBob, {USER, SUPPORT}), request)) << "a role opens it";
}

TEST(Access, ARecordThatHasChangedIsNotWrittenOver) {
  Service service{"user"};
  service.command([](Context& ctx, const SetRolesRequest& request) -> Result<User> {
    User& user = ctx.table<User>().edit(request.id());
    *user.mutable_roles() = request.roles();
    return user;
  });
  service.seeds.push_back([](Context& ctx) -> Result<void> {
    User user;
    user.set_id(kAlice);
    ctx.table<User>().insert(user);
    return {};
  });
  World world({service});
  SetRolesRequest request;
  request.set_id(kAlice);
  request.add_roles(USER);
  const auto ask = [&](uint64_t if_match) {
    Command command{.method = contract::model().method_of<SetRolesRequest>(),
                    .request = std::make_shared<SetRolesRequest>(request),
                    .principal = system_principal()};
    command.if_match = if_match;
    const Answer answer = world.engine().call(std::move(command));
    return answer.result ? std::string() : answer.result.error().reason;
  };
  const auto tag = [&] { return contract::etag_of(*world.find<User>(kAlice)); };
  const uint64_t before = tag();
  EXPECT_EQ(ask(before), "");
  ASSERT_NE(tag(), before);
  EXPECT_EQ(ask(before), "etag_mismatch");
  EXPECT_EQ(ask(tag()), "");
}

}  // namespace
}  // namespace micropay
