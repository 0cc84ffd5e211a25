// The hand that makes the requests that move money succeed often, the one that spoils some, and who asks.
#include "app/simulator/drafts.h"
#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/fraud.pb.h"
#include "contracts/notification.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay::app {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void shape_payment(CreatePaymentRequest& request, const Known& known, Random& random) {
  const auto* payer = known.any_of<Account>(random);
  if (payer == nullptr) return;
  if (random.chance(95)) request.set_payer_account_id(payer->id());
  if (random.chance(95)) request.mutable_amount()->set_currency(payer->currency());
  const auto* balance = known.get<Balance>(payer->id());  // all that is there: only empty wallets are closed
  if (balance != nullptr && balance->posted_minor() > balance->reserved_minor() && random.chance(8))
    request.mutable_amount()->set_minor(balance->posted_minor() - balance->reserved_minor());
  if (random.chance(20)) return;
  request.clear_payee_email();
  request.clear_payee_account_id();
  for (int tries = 0; tries < 6; ++tries) {
    const auto* payee = known.any_of<Account>(random);
    if (payee->currency() != payer->currency() || payee->id() == payer->id()) continue;
    const auto* user = known.get<User>(payee->user_id());
    if (user != nullptr && user->email_verified() && random.chance(40))
      request.set_payee_email(user->email());
    else request.set_payee_account_id(payee->id());
    return;
  }
}

void shape_top_up(CreateTopUpRequest& request, const Known& known, Random& random) {
  const auto* account = known.get<Account>(request.account_id());
  if (account != nullptr && random.chance(97)) request.mutable_amount()->set_currency(account->currency());
  if (request.amount().minor() > 0)
    request.mutable_amount()->set_minor(std::min<int64_t>(request.amount().minor(), INT64_MAX / 64) *
                                        random.of<int64_t>({1, 10, 50}));
}

void shape_transfer(NewTransfer& transfer, const Known& known, Random& random) {
  transfer.set_id(derived_uuid(fmt::format("transfer {}", random.next())));
  const auto* pending = known.any_of<Transfer>(random);
  if (pending != nullptr && random.chance(8)) transfer.set_id(pending->id());  // a repeat, or another's id
  const bool ends = pending != nullptr && random.chance(35);
  if (ends) {
    for (int tries = 0; tries < 8 && pending->status() != Transfer::PENDING; ++tries)
      pending = known.any_of<Transfer>(random);
    transfer.Clear();
    transfer.set_id(derived_uuid(fmt::format("transfer {}", random.next())));
    transfer.set_action(random.chance(60) ? TransferStep::POST_PENDING : TransferStep::VOID_PENDING);
    transfer.set_pending_id(pending->id());
    if (transfer.action() == TransferStep::POST_PENDING && random.chance(40)) {
      *transfer.mutable_amount() = pending->amount();
      transfer.mutable_amount()->set_minor(
          std::max<int64_t>(1, pending->amount().minor() - int64_t(random.below(3))));
    }
    return;
  }
  if (random.chance(90)) transfer.clear_pending_id();
  if (random.chance(90))
    transfer.set_action(random.chance(60) ? TransferStep::POST_NOW : TransferStep::RESERVE);
  if (transfer.action() != TransferStep::RESERVE && random.chance(90)) transfer.clear_timeout_seconds();
  const auto* debit = known.any_of<Account>(random);
  const auto* credit = known.any_of<Account>(random);
  if (debit == nullptr || random.chance(5)) return;
  transfer.clear_debit_system_account();
  transfer.clear_credit_system_account();
  transfer.set_debit_account_id(debit->id());
  transfer.set_credit_account_id(credit->id());
  transfer.mutable_amount()->set_currency(random.chance(90) ? debit->currency() : "EUR");
  if (transfer.amount().minor() <= 0) transfer.mutable_amount()->set_minor(7);
  if (random.chance(25)) transfer.clear_credit_account_id(), transfer.set_credit_system_account("fees");
  else if (random.chance(25)) transfer.clear_debit_account_id(), transfer.set_debit_system_account("equity");
  transfer.set_linked(random.chance(25));
}

// A wallet that was in use, and is empty.
void shape_close(CloseAccountRequest& request, const Known& known, Random& random) {
  for (int tries = 0; tries < 12 && random.chance(95); ++tries) {
    const auto* account = known.any_of<Account>(random);
    if (account == nullptr) return;
    const auto* balance = known.get<Balance>(account->id());
    request.set_id(account->id());
    if (balance != nullptr && balance->version() > 0 && balance->posted_minor() == 0) return;
  }
}

// A payment that stands, of a wallet that was closed since; null: none.
const Payment* paid_by_closed(const Known& known) {
  for (const Known::Record& record : known.all(Payment::descriptor())) {
    const auto& payment = static_cast<const Payment&>(*record.row);
    if (payment.status() != Payment::COMPLETED) continue;
    for (const std::string* wallet : {&payment.payer_account_id(), &payment.payee_account_id()}) {
      const auto* account = known.get<Account>(*wallet);
      if (account != nullptr && account->status() == Account::CLOSED) return &payment;
    }
  }
  return nullptr;
}

void shape_refund(CreateRefundRequest& request, const Known& known, Random& random) {
  const Payment* payment = nullptr;
  for (int tries = 0; tries < 6; ++tries) {
    payment = known.any_of<Payment>(random);
    if (payment == nullptr) return;
    if (payment->status() == Payment::COMPLETED || payment->status() == Payment::PARTIALLY_REFUNDED) break;
  }
  // One whose entry was taken back, or is being taken back: nobody may have both.
  if (const auto* entry = known.any_of<Transaction>(random);
      entry != nullptr && !entry->reversed_by_id().empty() && random.chance(60))
    if (const auto* taken = known.get<Payment>(entry->payment_id())) payment = taken;
  if (random.chance(5))
    if (const Payment* closed = paid_by_closed(known)) payment = closed;
  if (known.few > 0) {  // again and again the oldest that can be refunded, by one
    for (const Known::Record& record : known.all(Payment::descriptor())) {
      const auto& old = static_cast<const Payment&>(*record.row);
      if (old.status() != Payment::COMPLETED && old.status() != Payment::PARTIALLY_REFUNDED) continue;
      const auto* payee = known.get<Account>(old.payee_account_id());
      if (old.amount().minor() < 150 || payee == nullptr || payee->status() != Account::ACTIVE) continue;
      payment = &old;
      break;
    }
    request.mutable_amount()->set_minor(1);
  }
  request.set_payment_id(payment->id());
  if (!request.has_amount()) return;
  if (random.chance(95)) request.mutable_amount()->set_currency(payment->amount().currency());
  if (known.few == 0 && random.chance(80))
    request.mutable_amount()->set_minor(random.between(1, std::max<int64_t>(1, payment->amount().minor())));
}

// The digits of a message that was sent to somebody's address.
std::string code_in(std::string_view body) {
  const size_t at = body.find_first_of("0123456789");
  return at == body.npos ? "" : std::string(body.substr(at, body.find_first_not_of("0123456789", at) - at));
}

// Mostly what can be taken back still, of every kind; now and then what was given back another way.
void shape_reversal(ReverseTransactionRequest& request, const Known& known, Random& random) {
  if (random.chance(20)) return;
  if (const auto* refund = known.any_of<Refund>(random); refund != nullptr && random.chance(25)) {
    request.set_id(random.chance(50) ? refund->id() : refund->payment_id());
    return;
  }
  for (int tries = 0; tries < 8; ++tries) {
    const auto* entry = known.any_of<Transaction>(random);
    if (entry == nullptr) return;
    request.set_id(entry->id());
    if (entry->kind() != "reversal" && entry->status() == Transaction::SETTLED) return;
  }
}

// Mostly so high that payments go on.
void raise(Limits& limits, const std::string& currency, Random& random) {
  if (random.chance(40)) return limits.Clear();
  const int64_t times = random.of<int64_t>({1, 1'000, 1'000, 1'000});
  for (Money* amount : {limits.mutable_per_payment(), limits.mutable_per_day(), limits.mutable_per_month()}) {
    if (random.chance(95)) amount->set_currency(currency);
    const bool given = amount->minor() > 0 && amount->minor() < 20'000;
    amount->set_minor((given ? amount->minor() : 20'000) * times);
  }
}

void shape_limits(SetLimitsRequest& request, const Known& known, Random& random) {
  const auto* account = known.get<Account>(request.id());
  if (account != nullptr) raise(*request.mutable_limits(), account->currency(), random);
}

void shape_limits(SetHolderLimitsRequest& request, Random& random) {
  for (Limits& limits : *request.mutable_limits()) raise(limits, "EUR", random);
}

void shape_rules(SetFraudRulesRequest& request, Random& random) {
  if (random.chance(20)) return;
  request.set_review_at(50);
  request.set_decline_at(80);
  request.clear_rules();
  FraudRule& rule = *request.add_rules();
  rule.set_id("large_amount");
  rule.set_feature("amount_minor");
  rule.set_comparison(FraudRule::AT_LEAST);
  rule.set_threshold(random.of<int64_t>({500'000, 600'000, 15'000}));
  rule.set_points(60);
  rule.set_enabled(random.chance(80));
  if (random.chance(15)) rule.set_decision(DECLINE);
}

}  // namespace

void Drafts::shape(Message& message, Random& random) {
  const auto* type = message.GetDescriptor();
  const auto is = [type](const auto* wanted) { return type == wanted; };
  if (is(CreatePaymentRequest::descriptor())) {
    shape_payment(static_cast<CreatePaymentRequest&>(message), known_, random);
  } else if (is(CreateTopUpRequest::descriptor())) {
    shape_top_up(static_cast<CreateTopUpRequest&>(message), known_, random);
  } else if (is(CreateRefundRequest::descriptor())) {
    shape_refund(static_cast<CreateRefundRequest&>(message), known_, random);
  } else if (is(CloseAccountRequest::descriptor())) {
    shape_close(static_cast<CloseAccountRequest&>(message), known_, random);
  } else if (is(ReverseTransactionRequest::descriptor())) {
    shape_reversal(static_cast<ReverseTransactionRequest&>(message), known_, random);
  } else if (is(CreateTransfersRequest::descriptor())) {
    for (NewTransfer& transfer : *static_cast<CreateTransfersRequest&>(message).mutable_transfers())
      shape_transfer(transfer, known_, random);
  } else if (is(SetLimitsRequest::descriptor())) {
    shape_limits(static_cast<SetLimitsRequest&>(message), known_, random);
  } else if (is(SetHolderLimitsRequest::descriptor())) {
    shape_limits(static_cast<SetHolderLimitsRequest&>(message), random);
  } else if (is(SetFraudRulesRequest::descriptor())) {
    shape_rules(static_cast<SetFraudRulesRequest&>(message), random);
  } else if (is(ConfirmTopUpRequest::descriptor())) {
    auto& request = static_cast<ConfirmTopUpRequest&>(message);
    const auto* top_up = known_.any_of<TopUp>(random);
    for (int tries = 0; tries < 8 && top_up && top_up->status() != TopUp::ACTION_REQUIRED; ++tries)
      top_up = known_.any_of<TopUp>(random);
    if (top_up != nullptr) request.set_top_up_id(top_up->id());
    if (top_up != nullptr && random.chance(95)) request.set_account_id(top_up->account_id());
  } else if (is(CreateApiKeyRequest::descriptor())) {
    auto& request = static_cast<CreateApiKeyRequest&>(message);
    const auto* session = known_.any_of<Session>(random);
    asking_session_ = session == nullptr ? "" : session->id();
    const auto* user = session == nullptr ? nullptr : known_.get<User>(session->user_id());
    const auto secret = known_.passwords.find(user == nullptr ? "" : user->email());
    if (random.chance(30)) request.clear_current_password();
    else if (secret != known_.passwords.end() && random.chance(90))
      request.set_current_password(secret->second);
  } else if (is(VerifyEmailRequest::descriptor())) {
    const auto* sent = known_.any_of<OutboxMessage>(random);
    const std::string code = sent == nullptr ? "" : code_in(sent->body());
    if (!code.empty() && random.chance(75)) static_cast<VerifyEmailRequest&>(message).set_code(code);
  } else if (is(LoginRequest::descriptor())) {
    auto& request = static_cast<LoginRequest&>(message);
    const auto secret = known_.passwords.find(request.email());
    if (secret != known_.passwords.end() && random.chance(70)) request.set_password(secret->second);
  }
}

// One field gets something that its bounds or its meaning refuse.
void Drafts::spoil(Message& message, Random& random) {
  const auto* descriptor = message.GetDescriptor();
  if (descriptor->field_count() == 0) return;
  const FieldDescriptor& field = *descriptor->field(int(random.below(size_t(descriptor->field_count()))));
  const auto* reflection = message.GetReflection();
  if (field.is_repeated()) return reflection->ClearField(&message, &field);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->SetString(
          &message, &field,
          random.of<std::string>({"", std::string("a\0b", 3), std::string(5'000, 'x'), "0", "DROP TABLE"}));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->SetInt64(&message, &field, random.of<int64_t>({INT64_MIN, INT64_MAX, -1}));
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->SetInt32(&message, &field, random.of<int32_t>({INT32_MIN, INT32_MAX, -1}));
    default: return reflection->ClearField(&message, &field);
  }
}

// Mostly somebody who may: the owner of the record, staff with the role; sometimes anybody.
Principal Drafts::asker(const contract::Method& method, const Message& message, Random& random) {
  Principal principal{.kind = Principal::Kind::kUser};
  principal.address = fmt::format("10.0.0.{}", random.below(4));
  const Access& access = method.options.access();
  if (method.verb.empty()) return system_principal();
  if (access.public_()) return Principal{.kind = Principal::Kind::kAnonymous, .address = principal.address};
  principal.role_bits = contract::role_bit(USER);
  const auto* user = known_.any_of<User>(random);
  if (user != nullptr) principal.user_id = user->id();
  const bool staff = access.roles_size() > 0 && random.chance(method.owner.by ? 20 : 92);
  if (staff) {
    principal.role_bits =
        contract::role_bit(Role(access.roles(int(random.below(size_t(access.roles_size()))))));
    // Staff has wallets, too: nobody decides about his own.
    const bool own = user != nullptr && random.chance(10) &&
                     (method.name == "ReverseTransaction" || method.name == "CreateTransfers");
    if (!own) principal.user_id = "00000000-0000-7000-8000-000000000001";
    // Now and then one who decides about himself.
    for (const contract::PartyCheck& party : method.parties) {
      const Known::Record* about =
          known_.find(party.table->descriptor, contract::field_text(message, *party.by));
      if (about == nullptr || !random.chance(8)) continue;
      principal.user_id = contract::field_text(*about->row, *party.users[random.below(party.users.size())]);
    }
    return principal;
  }
  if (random.chance(8)) return principal;
  if (method.owner.by != nullptr) {
    const Known::Record* record =
        known_.find(method.owner.table->descriptor, contract::field_text(message, *method.owner.by));
    if (record != nullptr) principal.user_id = contract::field_text(*record->row, *method.owner.table->owner);
  } else if (message.GetDescriptor() == ReadNotificationRequest::descriptor()) {
    const auto* notification =
        known_.get<Notification>(static_cast<const ReadNotificationRequest&>(message).id());
    if (notification != nullptr) principal.user_id = notification->user_id();
  } else if (message.GetDescriptor() == CreateApiKeyRequest::descriptor()) {
    if (const auto* session = known_.get<Session>(asking_session_))
      principal.user_id = session->user_id(), principal.session_id = session->id();
  } else if (message.GetDescriptor() == VerifyEmailRequest::descriptor()) {
    const std::string& code = static_cast<const VerifyEmailRequest&>(message).code();
    for (const Known::Record& record : known_.all(OutboxMessage::descriptor()))
      if (const auto& sent = static_cast<const OutboxMessage&>(*record.row); code_in(sent.body()) == code)
        principal.user_id = sent.user_id();
  } else if (message.GetDescriptor() == CreateRefundRequest::descriptor()) {
    const auto* payment = known_.get<Payment>(static_cast<const CreateRefundRequest&>(message).payment_id());
    if (payment != nullptr) principal.user_id = payment->payee_user_id();
    if (payment != nullptr && random.chance(4)) {
      principal.user_id = payment->payer_user_id();
      principal.role_bits |= contract::role_bit(SUPPORT);
    }
    // A payee does not see what never was his: that it cannot be refunded is said to staff.
    if (random.chance(10)) principal.role_bits |= contract::role_bit(SUPPORT);
  } else if (message.GetDescriptor() == CancelPaymentRequest::descriptor()) {
    const auto* payment = known_.get<Payment>(static_cast<const CancelPaymentRequest&>(message).id());
    if (payment != nullptr) principal.user_id = payment->payer_user_id();
  }
  return principal;
}

}  // namespace micropay::app
