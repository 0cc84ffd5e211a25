// Whose an address is: claims, codes, and what becomes of those who only claimed it.
#include "libs/base/ids.h"
#include "services/user/user_world_twin.h"

namespace micropay {
namespace {

struct Addresses : UserWorld {
  static constexpr const char* kAddress = "treasurer@bigcorp.example";

  Result<User> claim(const std::string& password, const std::string& email = kAddress) {
    CreateUserRequest request;
    request.set_email(email);
    request.set_password(password);
    request.set_display_name("User " + std::to_string(++users_));
    return world.call<User>(request, Principal());
  }
  // That was sent with the user's registration, or again later.
  std::string code_of(const User& user) {
    std::string code;
    for (const auto& event : world.all<UserCreated>())
      if (event.user_id() == user.id()) code = event.verification_code();
    for (const auto& event : world.all<UserEmailVerificationRequested>())
      if (event.user_id() == user.id()) code = event.verification_code();
    return code;
  }
  Result<User> verify(const User& user, const std::string& code) {
    VerifyEmailRequest request;
    request.set_code(code);
    return world.call<User>(request, user_principal(user.id()));
  }
  Result<Empty> send_again(const User& user) {
    return world.call<Empty>(SendVerificationRequest(), user_principal(user.id()));
  }
  int users_ = 0;
  static std::string wrong(std::string code) {
    code[0] = code[0] == '0' ? '1' : '0';
    return code;
  }
};

TEST_F(Addresses, AreProvenByTheCodeThatWasSent) {
  const User ada = claim(kPassword).value();
  EXPECT_FALSE(ada.email_verified());
  world.events();
  const std::string code = code_of(ada);
  EXPECT_EQ(code.size(), 6u);
  EXPECT_EQ(world.find<EmailVerification>(ada.id())->code_hash().find(code), std::string::npos);
  const User proven = verify(ada, code).value();
  EXPECT_TRUE(proven.email_verified());
  EXPECT_EQ(proven.email_verified_at(), world.clock().now());
  EXPECT_EQ(world.events(), (Types{"user.email_verified"}));
  EXPECT_EQ(world.all<UserEmailVerified>().back().email(), kAddress);
  EXPECT_EQ(world.find<EmailVerification>(ada.id()), nullptr);
  EXPECT_EQ(reason(verify(ada, code)), "");  // again: nothing happens
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(reason(send_again(ada)), "email_already_verified");
}

TEST_F(Addresses, ACodeIsWorthFiveTriesAndHalfAnHour) {
  const User ada = claim(kPassword).value();
  const std::string first = code_of(ada);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(reason(verify(ada, wrong(first))), "invalid_code");
  EXPECT_EQ(reason(verify(ada, first)), "invalid_code");  // the right one, too late
  ASSERT_EQ(reason(send_again(ada)), "");
  const std::string second = code_of(ada);
  world.advance(30 * kMinute);
  EXPECT_EQ(reason(verify(ada, second)), "invalid_code");
  ASSERT_EQ(reason(send_again(ada)), "");
  const std::string third = code_of(ada);
  EXPECT_EQ(reason(verify(ada, second)), "invalid_code") << "the newest alone is good";
  world.advance(30 * kMinute - 1);
  EXPECT_EQ(reason(verify(ada, third)), "");
}

TEST_F(Addresses, CodesAreSentFewTimes) {
  const User ada = claim(kPassword).value();
  for (int i = 1; i < 5; ++i) ASSERT_EQ(reason(send_again(ada)), "");
  world.advance(kMinute);
  const auto refused = send_again(ada);
  EXPECT_EQ(refused.error().reason, "too_many_codes");
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_EQ(refused.error().retry_after_s, 59 * 60);
  EXPECT_EQ(reason(verify(ada, code_of(ada))), "") << "the last one is still good";
}

// Whoever makes the platform send code after code to one address, as many users, guesses longer ones.
TEST_F(Addresses, CodesGrowWhenManyAreSentToOne) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(code_of(claim(kPassword).value()).size(), 6u);
  EXPECT_EQ(code_of(claim(kPassword).value()).size(), 12u);
  EXPECT_EQ(code_of(claim(kPassword, "other@bigcorp.example").value()).size(), 6u);
  world.advance(kDay);
  EXPECT_EQ(code_of(claim(kPassword).value()).size(), 6u);
}

// A stranger registers somebody's address first: the owner registers, proves it, and it is his.
TEST_F(Addresses, BelongToWhoProvesThemWhoeverCameFirst) {
  const User squatter = claim("the squatter's password").value();
  const User owner = claim("the owner's password").value();
  EXPECT_NE(squatter.id(), owner.id());
  ASSERT_EQ(reason(verify(owner, code_of(owner))), "");
  EXPECT_EQ(world.find<UserEmail>(kAddress)->user_id(), owner.id());
  EXPECT_EQ(reason(verify(squatter, code_of(squatter))), "email_taken");
  EXPECT_EQ(reason(send_again(squatter)), "email_taken");
  EXPECT_EQ(reason(claim("somebody else's password")), "email_taken");
  EXPECT_EQ(reason(make_admin(kAddress)), "email_taken");
  // Both sign in, each to his own: the loser's money is not lost to him.
  EXPECT_EQ(bearer(login(kAddress, "the owner's password")->access_token())->user_id, owner.id());
  EXPECT_EQ(bearer(login(kAddress, "the squatter's password")->access_token())->user_id, squatter.id());
  EXPECT_EQ(reason(login(kAddress, "nobody's password")), "invalid_credentials");
  EXPECT_FALSE(world.find<User>(squatter.id())->email_verified());
}

// Double clicks and lost answers make no second user; another minute is another story.
TEST_F(Addresses, TheSameRegistrationAgainIsRefused) {
  register_user("ada@example.org").value();
  EXPECT_EQ(reason(register_user("ada@example.org")), "email_taken");
  world.advance(kMinute);
  EXPECT_EQ(reason(register_user("ada@example.org")), "");
}

// Of several with one password the newest: whoever registered a moment ago means the user that he made.
TEST_F(Addresses, OnePasswordIsTheNewestUsersUntilTheAddressIsProven) {
  const User first = claim(kPassword).value(), second = claim(kPassword).value();
  EXPECT_EQ(bearer(login(kAddress)->access_token())->user_id, second.id());
  ASSERT_EQ(reason(verify(first, code_of(first))), "");
  EXPECT_EQ(bearer(login(kAddress)->access_token())->user_id, first.id());
}

TEST_F(Addresses, ThoseWhoClaimOneShareASalt) {
  const User one = claim("first password").value(), two = claim("second password").value();
  const auto salt = [&](const User& user) {
    const std::string& hash = world.find<Credential>(user.id())->password_hash();
    return hash.substr(0, hash.rfind('$'));
  };
  EXPECT_EQ(salt(one), salt(two));
  ChangePasswordRequest change;
  change.set_current_password("second password");
  change.set_new_password("a third password");
  ASSERT_EQ(reason(world.call<Empty>(change, user_principal(two.id()))), "");
  EXPECT_EQ(salt(one), salt(two));
  EXPECT_EQ(bearer(login(kAddress, "a third password")->access_token())->user_id, two.id());
  EXPECT_EQ(reason(login(kAddress, "second password")), "invalid_credentials");
}

// Few at once: the first stays, and so does whoever signed in; one who never did gives way.
TEST_F(Addresses, AreClaimedByFew) {
  const auto password = [](int i) { return "password of number " + std::to_string(i); };
  for (int i = 0; i < 3; ++i) (void)claim(password(i));
  const User owner = claim("the owner's password").value();
  ASSERT_EQ(reason(login(kAddress, "the owner's password")), "");
  for (int i = 3; i < 20; ++i) (void)claim(password(i));
  EXPECT_EQ(world.find<UserEmail>(kAddress)->claimant_ids_size(), 3);
  EXPECT_EQ(reason(login(kAddress, password(0))), "");
  EXPECT_EQ(reason(login(kAddress, "the owner's password")), "");
  EXPECT_EQ(reason(login(kAddress, password(19))), "");
  EXPECT_EQ(reason(login(kAddress, password(18))), "invalid_credentials");
  ASSERT_EQ(reason(send_again(owner)), "");
  EXPECT_EQ(reason(verify(owner, code_of(owner))), "");
  EXPECT_EQ(world.find<UserEmail>(kAddress)->user_id(), owner.id());
}

// Somebody who had to give way still proves that the address is his, and signs in by it again.
TEST_F(Addresses, AreProvenByOneWhoGaveWay) {
  const User owner = claim("first password").value();
  ASSERT_EQ(reason(login(kAddress, "first password")), "");
  for (int i = 0; i < 4; ++i) {
    (void)claim("password of number " + std::to_string(i));
    (void)login(kAddress, "password of number " + std::to_string(i));
  }
  const User late = claim("the last password").value();
  (void)claim("one more password");
  EXPECT_EQ(reason(login(kAddress, "the last password")), "invalid_credentials");
  ASSERT_EQ(reason(verify(late, code_of(late))), "");
  ASSERT_EQ(reason(login(kAddress, "the last password")), "");
  ASSERT_EQ(reason(login(kAddress, "first password")), "");
  EXPECT_EQ(bearer(login(kAddress, "the last password")->access_token())->user_id, late.id());
  EXPECT_EQ(bearer(login(kAddress, "first password")->access_token())->user_id, owner.id());
  EXPECT_LE(world.find<UserEmail>(kAddress)->claimant_ids_size(), 3);
}

TEST_F(Addresses, OfAdministratorsAndDemoUsersCountAsProven) {
  const User squatter = claim("the squatter's password", "root@example.org").value();
  const User admin = make_admin("root@example.org").value();
  EXPECT_TRUE(admin.email_verified());
  EXPECT_EQ(world.find<UserEmail>("root@example.org")->user_id(), admin.id());
  EXPECT_EQ(reason(verify(squatter, code_of(squatter))), "email_taken");
  ProveEmailRequest request;
  request.set_id(squatter.id());
  EXPECT_EQ(reason(world.call<User>(request)), "email_taken");
  request.set_id(claim(kPassword).value().id());
  EXPECT_TRUE(world.call<User>(request)->email_verified());
}

}  // namespace
}  // namespace micropay
