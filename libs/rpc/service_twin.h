// A made-up account service for tests of calls: what it does beside keeping accounts is up to the test.
#pragma once

#include <condition_variable>
#include <mutex>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/runtime/service.h"

namespace micropay::rpc {

constexpr Code kAllCodes[] = {
    Code::kInvalidArgument,  Code::kUnauthenticated,    Code::kPermissionDenied,   Code::kNotFound,
    Code::kAlreadyExists,    Code::kFailedPrecondition, Code::kPreconditionFailed, Code::kAborted,
    Code::kPaymentRequired,  Code::kUnprocessable,      Code::kResourceExhausted,  Code::kUnavailable,
    Code::kDeadlineExceeded, Code::kUnimplemented,      Code::kInternal,           Code::kTooLarge};

// Holds back what waits for it, until it is opened.
class Gate {
 public:
  void close() { set(false); }
  void open() { set(true); }
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  int waiting() {
    std::scoped_lock lock(mutex_);
    return waiting_;
  }

 private:
  void set(bool open) {
    std::scoped_lock lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

// What the service of a TestServer does beside keeping accounts; the name of a new account asks for it.
struct Conduct {
  Gate gate;  // "wait"
  std::atomic<int> creations{0};
  std::mutex mutex;
  Error error;        // "fail"; guarded by mutex
  Principal seen;     // of the last creation; guarded by mutex
  std::string large;  // answered as name by "large"
};

inline std::vector<Service> account_service(const std::shared_ptr<Conduct>& conduct) {
  Service service{"account"};
  service.command([conduct](Context& ctx, const CreateAccountRequest& request) -> Result<Account> {
    ++conduct->creations;
    if (request.name() == "wait") conduct->gate.wait();
    std::scoped_lock lock(conduct->mutex);
    conduct->seen = ctx.principal();
    if (request.name() == "fail") return std::unexpected(conduct->error);
    Account account;
    account.set_id(ctx.new_id());
    account.set_user_id(ctx.principal().user_id);
    account.set_currency(request.currency());
    account.set_name(request.name() == "large" ? conduct->large : request.name());
    account.set_created_at(ctx.now());
    ctx.table<Account>().insert(account);
    AccountCreated created;
    created.set_account_id(account.id());
    ctx.emit(created);
    return account;
  });
  service.command([](Context& ctx, const FreezeAccountRequest& request) -> Result<Account> {
    TRY(ctx.table<Account>().get(request.id()));
    Account& account = ctx.table<Account>().edit(request.id());
    account.set_status(Account::FROZEN);
    return account;
  });
  service.command([](Context& ctx, const CreateTopUpRequest& request) -> Result<TopUp> {
    TopUp top_up;
    top_up.set_id(ctx.new_id());
    top_up.set_account_id(request.account_id());
    if (request.payment_method() == "card_declined") {
      top_up.set_failure_reason("declined");
      AccountTopUpFailed failed;
      failed.set_top_up_id(top_up.id());
      ctx.emit(failed);
    }
    ctx.table<TopUp>().insert(top_up);
    return top_up;  // nothing ever completes the others
  });
  service.on([](Context&, const PaymentCompleted&) -> Result<void> { return {}; });
  service.query([](QueryContext& ctx, const GetAccountRequest& request) -> Result<Account> {
    return TRY(ctx.table<Account>().get(request.id())).get();
  });
  service.query([conduct](QueryContext& ctx,
                          const ListAccountsRequest& request) -> Result<ListAccountsResponse> {
    if (request.page_size() == 499) conduct->gate.wait();
    auto page = TRY(
        ctx.table<Account>().list({.filters = {{"user_id", Filter::Op::kEqual, ctx.principal().user_id, {}}},
                                   .page_size = static_cast<uint32_t>(request.page_size())}));
    ListAccountsResponse response;
    for (size_t i = 0; i < page.size(); ++i) *response.add_accounts() = page[i];
    return response;
  });
  std::vector<Service> services;
  services.push_back(std::move(service));
  return services;
}

}  // namespace micropay::rpc
