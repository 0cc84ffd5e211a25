// What the files of this service share: handlers that service.cc lists, and the writing of an entry.
#pragma once

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "libs/runtime/service.h"
#include "services/transaction/rules.h"

namespace micropay::transaction {

// service.cc. Writes the entry and says so: transaction.created, transaction.settled. An entry that is there
// already stays as it is; nothing is said twice. `key` is the partition key of its events.
Result<void> book(Context& ctx, const Movement& movement, const std::string& key,
                  const std::string& reservation_id);
// Four eyes: kPermissionDenied is_party when the account is the caller's own.
Result<void> check_no_party(Context& ctx, const std::string& account_id);

// transfers.cc
Result<TransferBatch> create_transfers(Context& ctx, const CreateTransfersRequest& request);
Result<void> finish_decided_batch(Context& ctx, const AccountBalanceTransfersDecided& event);
Result<void> expire_transfer(Context& ctx, const AccountBalanceReleased& event);
Result<Transfer> get_transfer(QueryContext& ctx, const GetTransferRequest& request);

// reversals.cc
Result<Transaction> reverse_transaction(Context& ctx, const ReverseTransactionRequest& request);
Result<void> go_on_as_payment_says(Context& ctx, const PaymentReversalDecided& event);
Result<void> go_on_as_top_up_says(Context& ctx, const AccountTopUpReversalDecided& event);
Result<void> finish_reversal(Context& ctx, const std::string& reversal_id, const TransferStep& step);

// queries.cc
Result<Transaction> get_transaction(QueryContext& ctx, const GetTransactionRequest& request);
Result<ListTransactionsResponse> list_transactions(QueryContext& ctx, const ListTransactionsRequest& request);

}  // namespace micropay::transaction
