// One key with two methods, over a real Redis and without one.
#include <gtest/gtest.h>

#include <future>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/redis/redis_twin.h"
#include "libs/runtime/testing.h"
#include "services/gateway/key_notes.h"

namespace micropay::gateway {
namespace {

template <typename Request>
Command with_key(const std::string& user, const std::string& key) {
  return {.method = contract::model().method_of<Request>(),
          .principal = user_principal(derived_uuid(user)),
          .idempotency_key = key};
}

bool same(KeyNotes& notes, const Command& command) {
  std::promise<bool> promise;
  notes.note(command, [&](bool same) { promise.set_value(same); });
  return promise.get_future().get();
}

TEST(KeyNotes, AKeyIsOfOneMethodAndOneCaller) {
  SKIP_WITHOUT_REDIS();
  RedisClient client(shared_redis(2));
  client.start();
  ASSERT_TRUE(client.wait_available(10 * kSecond));
  KeyNotes notes(client);
  EXPECT_TRUE(same(notes, with_key<CreatePaymentRequest>("anna", "k")));
  EXPECT_TRUE(same(notes, with_key<CreatePaymentRequest>("anna", "k")));
  EXPECT_FALSE(same(notes, with_key<CreateAccountRequest>("anna", "k")));
  EXPECT_TRUE(same(notes, with_key<CreateAccountRequest>("anna", "other")));
  EXPECT_TRUE(same(notes, with_key<CreateAccountRequest>("bert", "k")));
  Command by_api_key = with_key<CreateAccountRequest>("anna", "k");
  by_api_key.principal.kind = Principal::Kind::kApiKey;
  by_api_key.principal.session_id = derived_uuid("an API key of anna's");
  EXPECT_FALSE(same(notes, by_api_key));
}

TEST(KeyNotes, WithoutRedisEveryKeyIsTaken) {
  RedisClient client(RedisOptions{.target = {.port = 1}});
  client.start();
  KeyNotes notes(client);
  EXPECT_TRUE(same(notes, with_key<CreatePaymentRequest>("anna", "k")));
  EXPECT_TRUE(same(notes, with_key<CreateAccountRequest>("anna", "k")));
}

TEST(KeyNotes, OnlyKeysThatAreRememberedConcernIt) {
  EXPECT_TRUE(KeyNotes::concerns(with_key<CreatePaymentRequest>("anna", "k")));
  EXPECT_FALSE(KeyNotes::concerns(with_key<CreatePaymentRequest>("anna", "")));
  EXPECT_FALSE(KeyNotes::concerns(with_key<RedriveDeadLetterRequest>("anna", "k")));
  Command of_nobody = with_key<CreateUserRequest>("anna", "k");
  of_nobody.principal = {};
  EXPECT_FALSE(KeyNotes::concerns(of_nobody));
}

}  // namespace
}  // namespace micropay::gateway
