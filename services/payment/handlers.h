// Handlers of the payment service that live outside service.cc, and what its files share.
#pragma once

#include <functional>

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/transaction.pb.h"
#include "contracts/user.pb.h"
#include "services/payment/service.h"

namespace micropay::payment {

// service.cc: an open payment ends; what it counted against limits is given back, and its money is released
// by the event.
void fail_payment(Context& ctx, const std::string& payment_id, std::string_view reason);

// refunds.cc
Result<Refund> create_refund(Context& ctx, const CreateRefundRequest& request);
Result<void> process_refund_when_reserved(Context& ctx, const AccountBalanceReserved& event);
Result<void> complete_refund(Context& ctx, const AccountBalanceUpdated& event);
Result<void> fail_refund(Context& ctx, const std::string& refund_id, std::string_view reason);

// reversals.cc
Result<void> decide_reversal(Context& ctx, const TransactionReversalRequested& event);
Result<void> finish_reversal(Context& ctx, const TransactionReversed& event);
Result<void> stay_as_it_is(Context& ctx, const TransactionReversalRefused& event);

// wallets.cc: this service's copy of who owns which wallet, and what may be done with it
Result<void> know_user(Context& ctx, const UserEmailVerified& event);
Result<void> know_wallet(Context& ctx, const AccountCreated& event);
Result<void> fail_pending_when_frozen(Context& ctx, const AccountFrozen& event);
Result<void> know_unfrozen(Context& ctx, const AccountUnfrozen& event);
Result<void> know_closing(Context& ctx, const AccountCloseRequested& event);
Result<void> know_close_refused(Context& ctx, const AccountCloseRefused& event);
Result<void> know_closed(Context& ctx, const AccountClosed& event);
Result<void> know_limits(Context& ctx, const AccountLimitsChanged& event);
Result<void> know_holder_limits(Context& ctx, const AccountHolderLimitsChanged& event);
// The row of what this person has spent, made when there is none.
Result<std::reference_wrapper<PayerPerson>> person_of(Context& ctx, const std::string& user_id);

// history.cc
void keep_history(Service& service);
Result<ListPaymentEventsResponse> list_payment_events(QueryContext& ctx,
                                                      const ListPaymentEventsRequest& request);

// tags.cc
constexpr uint32_t kMostOfReference = 500;  // of one reference, for staff: each payer has his own
void tag(Context& ctx, const PaymentInitiated& event);
void tag(Context& ctx, const PaymentCompleted& event);
std::string entry_of(const Metadata& metadata);  // of its first entry, as PaymentTag has it
// reference_taken, with the paymentId of the first. (A handler that fails leaves nothing behind, so neither
// does the payment.)
Result<void> keep_reference(Context& ctx, const Payment& payment);
Result<ListPaymentsResponse> list_by_reference(QueryContext& ctx, const ListPaymentsRequest& request);

// queries.cc
Result<Payment> visible_payment(QueryContext& ctx, const std::string& id);
Result<Payment> get_payment(QueryContext& ctx, const GetPaymentRequest& request);
Result<ListPaymentsResponse> list_payments(QueryContext& ctx, const ListPaymentsRequest& request);
Result<ListRefundsResponse> list_refunds(QueryContext& ctx, const ListRefundsRequest& request);

}  // namespace micropay::payment
