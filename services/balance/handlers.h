// What the files of this service share: handlers that service.cc lists, and the events of holding and
// releasing.
#pragma once

#include "contracts/balance.pb.h"
#include "libs/runtime/service.h"

namespace micropay::balance {

// transfers.cc
Result<void> decide_requested_transfers(Context& ctx, const TransactionTransfersRequested& event);

// queries.cc
Result<BalanceView> get_balance(QueryContext& ctx, const GetBalanceRequest& request);
Result<ListReservationsResponse> list_reservations(QueryContext& ctx, const ListReservationsRequest& request);
Result<TrialBalance> get_trial_balance(QueryContext& ctx, const GetTrialBalanceRequest& request);

// service.cc
AccountBalanceReserved reserved_event(const Reservation& reservation, const Balance& from);
AccountBalanceReleased released_event(const Reservation& reservation, const Balance& from, int64_t minor,
                                      const char* reason);
// Nothing happens when there is no live reservation of this id and kind, or when it is taken.
Result<void> release_hold(Context& ctx, const std::string& id, std::string_view kind, const char* reason);

}  // namespace micropay::balance
