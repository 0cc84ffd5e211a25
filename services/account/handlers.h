// Handlers of the account service that live outside service.cc.
#pragma once

#include <memory>

#include "contracts/balance.pb.h"
#include "contracts/transaction.pb.h"
#include "services/account/effects/provider.h"
#include "services/account/service.h"

namespace micropay::account {

// queries.cc
Result<Account> get_account(QueryContext& ctx, const GetAccountRequest& request);
Result<ListAccountsResponse> list_accounts(QueryContext& ctx, const ListAccountsRequest& request);
Result<TopUp> get_top_up(QueryContext& ctx, const GetTopUpRequest& request);
Result<ListTopUpsResponse> list_top_ups(QueryContext& ctx, const ListTopUpsRequest& request);

// top_ups.cc
Result<TopUp> create_top_up(Context& ctx, const CreateTopUpRequest& request, const AccountSettings& settings,
                            const ProviderRouter& providers);
Result<TopUp> confirm_top_up(Context& ctx, const ConfirmTopUpRequest& request);
Result<void> take_outcome(Context& ctx, const ProviderCall& call, const Outcome<ProviderOutcome>& outcome);
Result<void> complete_top_up(Context& ctx, const AccountBalanceUpdated& event);
Result<void> expire_top_up(Context& ctx, const TopUpExpiry& timer);

// reversals.cc
Result<void> decide_reversal(Context& ctx, const TransactionReversalRequested& event);
Result<void> finish_reversal(Context& ctx, const TransactionReversed& event);
Result<void> stay_as_it_is(Context& ctx, const TransactionReversalRefused& event);

}  // namespace micropay::account
