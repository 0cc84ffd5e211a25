// Idempotency keys: what is the same request, whose a key is, and records that are not what they should be.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"
#include "libs/runtime/fingerprint.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const std::string kPayer = derived_uuid("payer"), kPayee = derived_uuid("payee"),
                  kAnna = derived_uuid("anna");

Result<Payment> create_payment(Context& ctx, const CreatePaymentRequest& request) {
  Payment payment;
  payment.set_id(ctx.new_id());
  *payment.mutable_amount() = request.amount();
  ctx.table<Payment>().insert(payment);
  PaymentCompleted completed;
  completed.set_payment_id(payment.id());
  ctx.emit(completed);
  return payment;
}

Result<Account> create_account(Context& ctx, const CreateAccountRequest& request) {
  Account account;
  account.set_id(ctx.new_id());
  account.set_currency(request.currency());
  return account;
}

Result<User> create_user(Context& ctx, const CreateUserRequest& request) {
  if (ctx.table<UserEmail>().find(request.email()) != nullptr)
    return fail(Code::kAlreadyExists, "email_taken");
  UserEmail address;
  address.set_email(request.email());
  ctx.table<UserEmail>().insert(address);
  User user;
  user.set_id(ctx.new_id());
  user.set_email(request.email());
  return user;
}

std::vector<Service> services() {
  std::vector<Service> list;
  list.emplace_back("payment").command(create_payment);
  list.emplace_back("account").command(create_account);
  list.emplace_back("user").command(create_user);
  return list;
}

CreatePaymentRequest payment(int64_t minor = 100) {
  CreatePaymentRequest request;
  request.set_payer_account_id(kPayer);
  request.set_payee_account_id(kPayee);
  request.mutable_amount()->set_currency("EUR");
  request.mutable_amount()->set_minor(minor);
  return request;
}

CreateUserRequest registration(const std::string& email, const std::string& password) {
  CreateUserRequest request;
  request.set_email(email);
  request.set_password(password);
  request.set_display_name("Ada");
  return request;
}

Principal api_key_of(const std::string& user_id, const std::string& key_id) {
  Principal principal = user_principal(user_id);
  principal.kind = Principal::Kind::kApiKey;
  principal.session_id = key_id;
  return principal;
}

std::string reason(const Answer& answer) { return answer.result ? "" : answer.result.error().reason; }
std::string id_of(const Answer& answer) {
  if (!answer.result) return {};
  return contract::field_text(**answer.result, *(*answer.result)->GetDescriptor()->FindFieldByName("id"));
}

Digest128 fingerprint(std::string_view json) {
  CreatePaymentRequest request;
  const auto read = contract::parse_json(json, request);
  EXPECT_TRUE(read) << json << ": " << (read ? "" : read.error().reason);
  const auto valid = contract::validate(request);
  EXPECT_TRUE(valid) << json << ": " << (valid ? "" : valid.error().reason);
  return fingerprint_of(*contract::model().method_of<CreatePaymentRequest>(), request);
}

// kPayer and kPayee as JSON members, and more.
std::string json(const std::string& more, const std::string& payee = kPayee) {
  return fmt::format(R"({{"payerAccountId":"{}","payeeAccountId":"{}",{}}})", kPayer, payee, more);
}

std::string upper(std::string text) {
  for (char& c : text) c = char(std::toupper(c));
  return text;
}

TEST(Fingerprint, TheValueCountsAndNotItsBytes) {
  const std::string amount = R"("amount":{"currency":"EUR","value":"1.00"})";
  const Digest128 plain = fingerprint(json(amount));
  for (const std::string& same :
       {json(R"("amount":{"value":"1.00","currency":"EUR"})"),
        json(R"("amount":{"currency":"EUR","value":"1.0"})"),
        json(R"("amount" : { "currency" : "\u0045UR" , "value" : "1" })"),
        json(amount + R"(,"description":"")"), json(amount + R"(,"metadata":{})"),
        json(amount, upper(kPayee)),
        fmt::format(R"({{{},"payeeAccountId":"{}","payerAccountId":"{}"}})", amount, kPayee, kPayer)})
    EXPECT_EQ(fingerprint(same), plain) << same;
  for (const std::string& other :
       {json(R"("amount":{"currency":"EUR","value":"1.01"})"),
        json(R"("amount":{"currency":"USD","value":"1.00"})"), json(amount + R"(,"description":"x")"),
        json(amount + R"(,"metadata":{"a":"b"})"), json(amount, kAnna)})
    EXPECT_NE(fingerprint(other), plain) << other;
  EXPECT_EQ(fingerprint(json(amount + R"(,"metadata":{"a":"1","b":"2"})")),
            fingerprint(json(amount + R"(,"metadata":{"b":"2","a":"\u0031"})")));
}

TEST(Fingerprint, HasTheMethodAndNoSecrets) {
  CreateUserRequest one = registration("ada@example.org", "correct horse"), two = one;
  two.set_password("battery staple");
  const contract::Method& create = *contract::model().method_of<CreateUserRequest>();
  EXPECT_EQ(fingerprint_of(create, one), fingerprint_of(create, two));
  EXPECT_TRUE(has_secrets(create));
  EXPECT_FALSE(has_secrets(*contract::model().method_of<CreatePaymentRequest>()));
  two.set_display_name("Eve");
  EXPECT_NE(fingerprint_of(create, one), fingerprint_of(create, two));
  EXPECT_NE(fingerprint_of(*contract::model().method_of<FreezeAccountRequest>(), FreezeAccountRequest()),
            fingerprint_of(*contract::model().method_of<UnfreezeAccountRequest>(), UnfreezeAccountRequest()));
}

TEST(Fingerprint, WhatIsNotUnderstoodDoesNotCount) {
  CreatePaymentRequest plain = payment(), more;
  ASSERT_TRUE(more.ParseFromString(plain.SerializeAsString() + std::string("\xfa\x7d\x01x", 4)));
  const contract::Method& create = *contract::model().method_of<CreatePaymentRequest>();
  EXPECT_EQ(fingerprint_of(create, plain), fingerprint_of(create, more));
}

TEST(IdempotencyKeys, AreOfAPersonWhateverHeComesWith) {
  World world(services());
  const Answer first = world.call_answer(payment(), user_principal(kAnna), "k");
  for (const Principal& caller :
       {user_principal(kAnna), api_key_of(kAnna, "one"), api_key_of(kAnna, "two")}) {
    const Answer again = world.call_answer(payment(), caller, "k");
    EXPECT_TRUE(again.replayed);
    EXPECT_EQ(id_of(again), id_of(first));
  }
  EXPECT_NE(id_of(world.call_answer(payment(), api_key_of(kPayer, "one"), "k")), id_of(first));
  EXPECT_EQ(world.all<PaymentCompleted>().size(), 2u);
}

TEST(IdempotencyKeys, AreOfOneMethodAndOneRequest) {
  World world(services());
  ASSERT_TRUE(world.call_answer(payment(), user_principal(kAnna), "k").result);
  EXPECT_EQ(reason(world.call_answer(payment(101), user_principal(kAnna), "k")), "idempotency_key_reused");
  CreateAccountRequest account;
  account.set_currency("EUR");
  EXPECT_EQ(reason(world.call_answer(account, user_principal(kAnna), "k")), "idempotency_key_reused");
  const auto* record = world.find<IdempotencyRecord>(derived_uuid(kAnna + "\nk"));
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->method(), "CreatePayment");
  EXPECT_GE(record->digest().size(), 16u);
}

// A key by which nobody has signed in is no secret of anybody: whoever knows it learns nothing by it.
TEST(IdempotencyKeys, OfNobodyAreOfTheVeryRequest) {
  World world(services());
  const auto ask = [&](const std::string& email, const std::string& password) {
    return world.call_answer(registration(email, password), Principal(), "k");
  };
  const Answer first = ask("ada@example.org", "right password");
  ASSERT_TRUE(first.result);
  EXPECT_EQ(id_of(ask("ada@example.org", "right password")), id_of(first)) << "its answer was lost";
  const Answer stranger = ask("eve@example.org", "another password");
  ASSERT_TRUE(stranger.result) << "another request with the key is another key";
  EXPECT_FALSE(stranger.replayed);
  EXPECT_NE(id_of(stranger), id_of(first));
  const Answer right = ask("ada@example.org", "right password"),
               wrong = ask("ada@example.org", "wrong password");
  EXPECT_EQ(right.replayed, wrong.replayed);
  EXPECT_EQ(id_of(right), id_of(wrong)) << "no oracle";
  CreateUserRequest guessed = registration("ada@example.org", "right password");
  guessed.set_display_name("Grace");
  EXPECT_EQ(reason(world.call_answer(guessed, Principal(), "k")), "email_taken") << "as without a key";
}

TEST(IdempotencyKeys, NoRecordHasADigestOfASecret) {
  World world(services());
  std::vector<std::string> records;
  for (const char* password : {"right password", "wrong password"}) {
    Command command{.method = contract::model().method_of<CreateUserRequest>(),
                    .request = std::make_shared<CreateUserRequest>(registration("ada@example.org", password)),
                    .principal = user_principal(password)};
    command.idempotency_key = "k";
    command.sent_digest = 7;  // of bytes with the password in them
    EXPECT_FALSE(world.engine().call(std::move(command)).replayed && records.empty());
    const auto* record = world.find<IdempotencyRecord>(derived_uuid(fmt::format("{}\nk", password)));
    if (record != nullptr) records.push_back(record->digest() + std::to_string(record->fingerprint()));
  }
  ASSERT_EQ(records.size(), 1u) << "the second was refused: email_taken";
  EXPECT_TRUE(records[0].ends_with("0")) << "no digest of the bytes";
}

// ---- records that were there before ----

class StoredKeys : public testing::Test {
 protected:
  World world{services()};

  void keep(const IdempotencyRecord& record) {
    const contract::Table& table = *contract::model().table_of<IdempotencyRecord>();
    const LogEnd end = world.store().end();
    Tick tick{.number = end.tick + 1, .first_position = end.next_position, .time = end.time};
    tick.changes.push_back({&table, table.key_of(record), std::make_shared<IdempotencyRecord>(record)});
    ASSERT_TRUE(world.store().commit(tick));
  }
  static IdempotencyRecord answered(const std::string& owner) {
    Payment payment;
    payment.set_id(kPayee);
    IdempotencyRecord record;
    record.set_key(derived_uuid(owner + "\nk"));
    record.set_state(IdempotencyRecord::ANSWERED);
    record.set_status(201);
    record.set_response(payment.SerializeAsString());
    return record;
  }
  Answer pay(uint64_t sent_digest, const Principal& caller = user_principal(kAnna)) {
    Command command{.method = contract::model().method_of<CreatePaymentRequest>(),
                    .request = std::make_shared<CreatePaymentRequest>(payment()),
                    .principal = caller,
                    .idempotency_key = "k",
                    .sent_digest = sent_digest};
    return world.engine().call(std::move(command));
  }
};

TEST_F(StoredKeys, OfTheLastReleaseAreHonoured) {
  IdempotencyRecord record = answered(kAnna);
  record.set_fingerprint(77);
  keep(record);
  EXPECT_TRUE(pay(77).replayed);
  EXPECT_EQ(id_of(pay(77)), kPayee);
  EXPECT_EQ(reason(pay(78)), "idempotency_key_reused");
  EXPECT_EQ(reason(pay(0)), "idempotency_key_reused") << "by a door that did not know it";
  EXPECT_TRUE(world.all<PaymentCompleted>().empty());
}

TEST_F(StoredKeys, OfAnApiKeyOfTheLastReleaseAreHonoured) {
  IdempotencyRecord record = answered("key:one");
  record.set_fingerprint(77);
  keep(record);
  EXPECT_EQ(id_of(pay(77, api_key_of(kAnna, "one"))), kPayee);
  EXPECT_EQ(reason(pay(78, api_key_of(kAnna, "one"))), "idempotency_key_reused");
  EXPECT_TRUE(world.all<PaymentCompleted>().empty());
}

TEST_F(StoredKeys, ThatAreDamagedAreAnErrorAndPayNobodyTwice) {
  IdempotencyRecord good = answered(kAnna);
  good.set_method("CreatePayment");
  const Digest128 digest = fingerprint_of(*contract::model().method_of<CreatePaymentRequest>(), payment());
  good.set_digest(digest.data(), digest.size());
  keep(good);
  ASSERT_EQ(id_of(pay(0)), kPayee);
  std::vector<IdempotencyRecord> damaged(4, good);
  damaged[0].set_response("\xff\xff");
  damaged[1].set_status(77);
  damaged[2].set_state(static_cast<IdempotencyRecord::State>(9));
  damaged[3].set_response("\x0a\x02\xff\xfe");  // text that is none
  for (const IdempotencyRecord& record : damaged) {
    keep(record);
    EXPECT_EQ(reason(pay(0)), "stored_answer_unreadable") << record.ShortDebugString();
  }
  IdempotencyRecord pending = good;
  pending.set_state(IdempotencyRecord::PENDING);
  pending.set_resource_key("no id");
  keep(pending);
  EXPECT_EQ(reason(pay(0)), "not_found");
  EXPECT_TRUE(world.all<PaymentCompleted>().empty());
}

}  // namespace
}  // namespace micropay
