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

// restrictions.cc: what staff restricts, of a wallet and of its holder
Result<Account> freeze_account(Context& ctx, const FreezeAccountRequest& request);
Result<Account> unfreeze_account(Context& ctx, const UnfreezeAccountRequest& request);
Result<Account> set_limits(Context& ctx, const SetLimitsRequest& request);
Result<AccountHolder> freeze_holder(Context& ctx, const FreezeHolderRequest& request);
Result<AccountHolder> unfreeze_holder(Context& ctx, const UnfreezeHolderRequest& request);
Result<AccountHolder> set_holder_limits(Context& ctx, const SetHolderLimitsRequest& request);
Result<AccountHolder> get_holder(QueryContext& ctx, const GetHolderRequest& request);
// A wallet that stays open while its holder is frozen is frozen, too.
void freeze_with_holder(Context& ctx, const std::string& account_id);

// service.cc
Account& change(Context& ctx, const std::string& id, Account::Status status, const std::string& reason);

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
