// Decisions about payments and refunds: pure functions over values. Reasons are the contract's.
#pragma once

#include <string_view>
#include <vector>

#include "contracts/payment.pb.h"
#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/runtime/context.h"

namespace micropay::payment {

// Of one payment, so that its history stays one small row: those that moved or hold money, and as many that
// failed are told there.
constexpr uint32_t kMaxRefunds = 100;

// Mistakes of the request; nothing comes of them. In order: payee_required, payee_ambiguous.
Result<void> check_payee_named(const CreatePaymentRequest& request);
// same_account, currency_mismatch of the payer. `payee`: null when there is none; `payee_field` is how the
// request named him.
Result<void> check_new_payment(const PayerWallet& payer, const PayerWallet* payee, const Money& amount,
                               std::string_view payee_field);

// Why a sound payment fails at once for its payer: account_frozen, account_closed; empty when it does not.
std::string_view wallet_refusal(const PayerWallet& payer);
// Why this payee cannot be paid: account_frozen, account_closed, currency_mismatch; empty when he can.
std::string_view payee_refusal(const PayerWallet& payee, const Money& amount);
// Of payer, then payee: what may change while a payment waits.
std::string_view wallet_refusal(const PayerWallet& payer, const PayerWallet& payee);
std::string_view detail_of(std::string_view failure_reason);  // for people

// Whether the payment is over a limit. What the payer's person spent today and this month, from all of his
// wallets, counts: of the wallet's currency against the limits of the wallet; of every currency, by the
// approximate value, against those that staff set for the person or any of his wallets. Days and months are
// UTC's.
bool limit_exceeded(const PayerWallet& payer, const PayerPerson& person, const Money& amount, Time now);
void count_spending(PayerPerson& person, const Money& amount, Time now);
// Of a payment that did not happen: its day or month may be over meanwhile.
void give_back(PayerPerson& person, const Money& amount, Time counted_at);
// Takes over what versions before PayerPerson counted in the wallet.
void take_over_spending(PayerPerson& person, const PayerWallet& wallet, Time now);

// Replaces what staff set for this wallet (its account_id) or for the person (empty).
void set_staff_limits(PayerPerson& person, const std::string& account_id,
                      const std::vector<StaffLimits>& limits);

// A payment that failed keeps what its payer wrote to it only when that is little.
void keep_little(Payment& payment);

// May still fail or be cancelled.
inline bool is_open(const Payment& payment) {
  return payment.status() == Payment::PENDING || payment.status() == Payment::IN_REVIEW;
}
Result<void> check_cancel(const Payment& payment);  // payment_not_cancellable

// What to refund: the amount asked for, or all that is left. payment_not_refundable, currency_mismatch,
// refund_exceeds_payment, too_many_refunds
Result<Money> refund_amount(const Payment& payment, const CreateRefundRequest& request);
std::string_view refund_detail_of(std::string_view failure_reason);  // for people
// So much more of it was given back, or less: a refund was taken back.
void count_refunded(Payment& payment, int64_t minor);

// Whether the entry of a payment or refund may be taken back, whole: already_refunded, not_reversible. The
// payment must not be under way.
Result<void> check_reversal(const Payment& payment);
Result<void> check_reversal(const Refund& refund);

// Whether the payment became the payee's business: its money moves or has moved. A payment that never was is
// seen by its payer and staff alone.
bool concerns_payee(Payment::Status status);
// Payer and staff see a payment, its payee one that concerns him.
bool may_see(const Principal& principal, const Payment& payment);
// Whether a refund became the business of the payer, who gets the money.
inline bool concerns_payer(Refund::Status status) {
  return status != Refund::PENDING && status != Refund::FAILED;
}
// Staff that acts: auditors only read.
bool may_act(const Principal& principal);

}  // namespace micropay::payment
