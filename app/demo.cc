// The demo data and the tour. The password is in the source on purpose: it is for trying out on one's own
// machine.
#include "app/demo.h"

#include "app/console.h"
#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/log.h"
#include "libs/contract/validate.h"

namespace micropay::app {
namespace {

constexpr std::string_view kPassword = "demo-password";

struct Person {
  std::string_view name;
  std::string_view email;
  Role role;
  std::string_view about;
};

constexpr Person kPeople[] = {
    {"Admin", "admin@demo.micropay.dev", ADMIN, "everything staff may do"},
    {"Support", "support@demo.micropay.dev", SUPPORT, "users, freezes, fraud cases"},
    {"Auditor", "auditor@demo.micropay.dev", AUDITOR, "reads all, verifies the audit trail"},
    {"Ada", "ada@demo.micropay.dev", USER, "pays for lunch"},
    {"Bob", "bob@demo.micropay.dev", USER, "sells coffee"},
    {"Carol", "carol@demo.micropay.dev", USER, "one payment waits for a decision of staff"},
};
enum : size_t { kAda = 3, kBob = 4, kCarol = 5, kFirstCustomer = kAda };

struct Customer {
  std::string user_id, eur, usd;
};

Money money(std::string_view currency, int64_t minor) {
  Money amount;
  amount.set_currency(std::string(currency));
  amount.set_minor(minor);
  return amount;
}

class Seeder {
 public:
  explicit Seeder(Engine& engine) : engine_(engine) {}

  Result<Demo> run() {
    ListUsersRequest anyone;
    anyone.set_page_size(1);
    ListUsersRequest admin;
    admin.set_email(std::string(kPeople[0].email));
    const auto present = TRY(query<ListUsersResponse>(admin));
    if (present.users_size() > 0) {
      TRY(prove_all());
      return Demo::kPresent;
    }
    if (TRY(query<ListUsersResponse>(anyone)).users_size() > 0) return Demo::kForeign;
    TRY(people());
    TRY(wallets());
    TRY(history());
    return Demo::kSeeded;
  }

 private:
  template <typename Response, typename Request>
  Result<Response> query(const Request& request) {
    const Row row = TRY(engine_.query(*contract::model().method_of<Request>(), system_principal(), request));
    return static_cast<const Response&>(*row);
  }

  // As the user, or as the system when there is none.
  template <typename Response, typename Request>
  Result<Response> call(const Request& request, const std::string& user_id = {}) {
    Command command{.method = contract::model().method_of<Request>(),
                    .request = std::make_shared<Request>(request)};
    command.principal = system_principal();
    if (!user_id.empty()) {
      command.principal = {.kind = Principal::Kind::kUser, .user_id = user_id};
      command.principal.role_bits = contract::role_bit(USER);
    }
    TRY(contract::validate(*command.request));
    const Answer answer = engine_.call(std::move(command));
    if (!answer.result) return std::unexpected(answer.result.error());
    return static_cast<const Response&>(**answer.result);
  }

  // Their addresses are nobody's: there is no letter box that a code could come to.
  Result<void> prove(const std::string& user_id) {
    ProveEmailRequest request;
    request.set_id(user_id);
    TRY(call<User>(request));
    return {};
  }

  // Demo data of a release that took an address for its first user's.
  Result<void> prove_all() {
    for (const Person& person : kPeople) {
      ListUsersRequest named;
      named.set_email(std::string(person.email));
      const auto found = TRY(query<ListUsersResponse>(named));
      const bool proven =
          std::ranges::any_of(found.users(), [](const User& u) { return u.email_verified(); });
      if (!proven && found.users_size() > 0) TRY(prove(found.users(found.users_size() - 1).id()));
    }
    return {};
  }

  Result<void> people() {
    for (const Person& person : kPeople) {
      CreateUserRequest request;
      request.set_email(std::string(person.email));
      request.set_password(std::string(kPassword));
      request.set_display_name(std::string(person.name));
      request.set_default_currency("EUR");
      const User user = TRY(call<User>(request));
      users_.push_back(user.id());
      TRY(prove(user.id()));
      if (person.role == USER) continue;
      SetRolesRequest roles;
      roles.set_id(user.id());
      roles.add_roles(person.role);
      roles.set_reason("demo");
      TRY(call<User>(roles));
    }
    return {};
  }

  Result<void> wallets() {
    for (size_t i = kFirstCustomer; i < std::size(kPeople); ++i) {
      Customer customer{.user_id = users_[i], .eur = {}, .usd = {}};
      CreateAccountRequest dollars;
      dollars.set_currency("USD");
      dollars.set_name("Travel");
      customer.usd = TRY(call<Account>(dollars, customer.user_id)).id();
      ListAccountsRequest euros;
      euros.set_user_id(customer.user_id);
      euros.set_currency("EUR");
      const auto list = TRY(query<ListAccountsResponse>(euros));
      if (list.accounts_size() == 0)
        return fail(Code::kInternal, "demo_failed", "a registration opened no wallet");
      customer.eur = list.accounts(0).id();
      TRY(top_up(customer, customer.eur, money("EUR", i == kCarol ? 900'000 : 150'000)));
      TRY(top_up(customer, customer.usd, money("USD", 40'000)));
      customers_.push_back(std::move(customer));
    }
    return {};
  }

  Result<void> top_up(const Customer& customer, const std::string& account, const Money& amount) {
    CreateTopUpRequest request;
    request.set_account_id(account);
    *request.mutable_amount() = amount;
    request.set_provider("sandbox");
    request.set_payment_method("card_ok");
    TRY(call<TopUp>(request, customer.user_id));
    return {};
  }

  Result<Payment> pay(const Customer& payer, const std::string& from, const std::string& to,
                      const Money& amount, std::string_view description) {
    CreatePaymentRequest request;
    request.set_payer_account_id(from);
    request.set_payee_account_id(to);
    *request.mutable_amount() = amount;
    request.set_description(std::string(description));
    (*request.mutable_metadata()->mutable_values())["category"] = std::string(description);
    return call<Payment>(request, payer.user_id);
  }

  const Customer& customer(size_t person) const { return customers_[person - kFirstCustomer]; }

  Result<void> history() {
    const Customer &ada = customer(kAda), &bob = customer(kBob), &carol = customer(kCarol);
    struct Habit {
      const Customer &from, &to;
      int64_t minor, step;
      std::string_view what;
    };
    const Habit habits[] = {
        {ada, bob, 320, 15, "Coffee"}, {carol, ada, 1'250, 110, "Lunch"}, {bob, carol, 2'400, 75, "Flowers"}};
    for (int64_t round = 0; round < 8; ++round)
      for (const Habit& habit : habits)
        TRY(pay(habit.from, habit.from.eur, habit.to.eur, money("EUR", habit.minor + round * habit.step),
                habit.what));
    TRY(pay(ada, ada.usd, bob.usd, money("USD", 1'999), "Postcards"));
    TRY(pay(bob, bob.usd, carol.usd, money("USD", 4'500), "Museum"));
    // A large amount to somebody new: the first rules of the fraud service hold it for staff.
    const Payment held = TRY(pay(carol, carol.eur, bob.eur, money("EUR", 650'000), "Used car"));
    if (held.status() != Payment::IN_REVIEW) log_warn("demo.held", "The payment that should be held was not");
    const Payment shoes = TRY(pay(carol, carol.eur, bob.eur, money("EUR", 8'990), "Shoes, too small"));
    TRY(refund(bob, shoes, money("EUR", 8'990)));
    const auto refused = pay(ada, ada.eur, bob.eur, money("EUR", 500'000), "More than Ada has");
    if (refused || refused.error().code != Code::kPaymentRequired)
      log_warn("demo.refused", "The payment that should be refused was not");
    return {};
  }

  Result<void> refund(const Customer& payee, const Payment& payment, const Money& amount) {
    CreateRefundRequest request;
    request.set_payment_id(payment.id());
    *request.mutable_amount() = amount;
    request.set_reason("returned");
    TRY(call<Refund>(request, payee.user_id));
    return {};
  }

  Engine& engine_;
  std::vector<std::string> users_;
  std::vector<Customer> customers_;
};

}  // namespace

Result<Demo> seed_demo(Engine& engine) { return Seeder(engine).run(); }

std::string demo_text(const std::string& address) {
  std::vector<std::vector<std::string>> rows{{"  demo user", "password", "role", ""}};
  for (const Person& person : kPeople)
    rows.push_back({fmt::format("  {}", person.email), std::string(kPassword), Role_Name(person.role),
                    std::string(person.about)});
  return fmt::format(R"({}
  A tour (paste it; needs curl and jq):

  API=http://{}/api/v1
  TOKEN=$(curl -s $API/auth/login -H 'Content-Type: application/json' \
    -d '{{"email":"ada@demo.micropay.dev","password":"{}"}}' | jq -r .accessToken)
  auth=(-H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json')
  WALLET=$(curl -s "${{auth[@]}}" "$API/accounts?currency=EUR" | jq -r '.accounts[0].id')
  curl -s "${{auth[@]}}" $API/accounts/$WALLET/balance | jq
  curl -s "${{auth[@]}}" -H "Idempotency-Key: top-up-$RANDOM" $API/accounts/$WALLET/top-ups -d '{{
    "amount":{{"currency":"EUR","value":"25.00"}},"paymentMethod":"card_ok"}}' | jq .status
  PAYMENT=$(curl -s "${{auth[@]}}" -H "Idempotency-Key: lunch-$RANDOM" $API/payments -d "{{
    \"payerAccountId\":\"$WALLET\",\"payeeEmail\":\"bob@demo.micropay.dev\",
    \"amount\":{{\"currency\":\"EUR\",\"value\":\"12.34\"}},\"description\":\"Lunch\"}}" | jq -r .id)
  curl -s "${{auth[@]}}" $API/payments/$PAYMENT/events | jq -r '.events[].type'

  Every route, to read and to try: http://{}/docs
)",
                     text_table(rows), address, kPassword, address);
}

}  // namespace micropay::app
