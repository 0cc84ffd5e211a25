// The reference model of the money: what the clients asked for, and what they were told became of it, makes
// what every account should have. It knows nothing of entries, reservations or events.
#include "app/simulator/reckoning.h"
#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"

namespace micropay::app {
namespace {

struct Move {
  std::string from, to;
  __int128 minor = 0;
};

class MoneyModel {
 public:
  explicit MoneyModel(const Store& tables) : tables_(tables) {}

  std::string check(const std::deque<Request>& requests) {
    for (const Request& request : requests) take(request);
    take_transfers();
    take_reversals();
    if (problem_.empty()) check_given_back();
    if (problem_.empty())
      count_rows<Payment>(payments_), count_rows<Refund>(refunds_), count_rows<TopUp>(top_ups_);
    if (problem_.empty()) compare();
    return problem_;
  }

 private:
  template <typename T>
  std::shared_ptr<const T> get(const std::string& id) const {
    const contract::Table& table = *contract::model().table_of<T>();
    const auto key = table.encode_key({id});
    return key ? std::static_pointer_cast<const T>(tables_.get(table, *key)) : nullptr;
  }
  template <typename T, typename F>
  void each(F take) const {
    const auto read = tables_.scan(*contract::model().table_of<T>(), [&](const Row& row) {
      take(static_cast<const T&>(*row));
      return true;
    });
    CHECK(read.has_value());
  }
  void blame(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  void move(const std::string& cause, const std::string& from, const std::string& to, int64_t minor) {
    moves_[cause].push_back({from, to, minor});
  }

  void take(const Request& request) {
    if (request.resource_id.empty()) return;
    const auto* type = request.message->GetDescriptor();
    if (type == CreatePaymentRequest::descriptor())
      take_payment(request, static_cast<const CreatePaymentRequest&>(*request.message));
    else if (type == CreateRefundRequest::descriptor())
      take_refund(request, static_cast<const CreateRefundRequest&>(*request.message));
    else if (type == CreateTopUpRequest::descriptor())
      take_top_up(request, static_cast<const CreateTopUpRequest&>(*request.message));
    else if (type == ReverseTransactionRequest::descriptor()) reversals_.insert(request.resource_id);
  }

  void take_payment(const Request& request, const CreatePaymentRequest& asked) {
    if (!payments_.insert(request.resource_id).second)
      return blame(fmt::format("two requests made payment {}", request.resource_id));
    const auto payment = get<Payment>(request.resource_id);
    if (payment == nullptr) return blame(fmt::format("payment {} is not there", request.resource_id));
    const auto status = payment->status();
    if (status != Payment::COMPLETED && status != Payment::PARTIALLY_REFUNDED &&
        status != Payment::REFUNDED && status != Payment::REVERSED)
      return;
    // Where money for an e-mail address goes is the service's to say.
    const std::string& payee =
        asked.payee_account_id().empty() ? payment->payee_account_id() : asked.payee_account_id();
    move(request.resource_id, asked.payer_account_id(), payee, asked.amount().minor());
  }

  void take_refund(const Request& request, const CreateRefundRequest& asked) {
    if (!refunds_.insert(request.resource_id).second)
      return blame(fmt::format("two requests made refund {}", request.resource_id));
    const auto refund = get<Refund>(request.resource_id);
    if (refund == nullptr) return blame(fmt::format("refund {} is not there", request.resource_id));
    if (refund->status() != Refund::COMPLETED && refund->status() != Refund::REVERSED) return;
    const auto payment = get<Payment>(asked.payment_id());
    if (payment == nullptr) return blame(fmt::format("refund {} is of nothing", refund->id()));
    const int64_t minor = asked.has_amount() ? asked.amount().minor() : refund->amount().minor();
    move(refund->id(), payment->payee_account_id(), payment->payer_account_id(), minor);
    given_back_[payment->id()] += minor;
    refunded_[refund->id()] = payment->id();
  }

  void take_top_up(const Request& request, const CreateTopUpRequest& asked) {
    if (!top_ups_.insert(request.resource_id).second)
      return blame(fmt::format("two requests made top-up {}", request.resource_id));
    const auto top_up = get<TopUp>(request.resource_id);
    if (top_up == nullptr) return blame(fmt::format("top-up {} is not there", request.resource_id));
    if (top_up->status() == TopUp::COMPLETED || top_up->status() == TopUp::REVERSED)
      move(top_up->id(), "provider " + asked.amount().currency(), asked.account_id(), asked.amount().minor());
  }

  // Transfers bear the ids that their clients gave them.
  void take_transfers() {
    each<Transfer>([&](const Transfer& row) {
      if (row.status() != Transfer::POSTED && row.status() != Transfer::REVERSED) return;
      if (row.action() == TransferStep::POST_NOW)
        move(row.transaction_id(), row.debit_account_id(), row.credit_account_id(), row.amount().minor());
      else if (row.action() == TransferStep::RESERVE)
        move(row.transaction_id(), row.debit_account_id(), row.credit_account_id(), row.posted_minor());
    });
  }

  void take_reversals() {
    std::vector<Move> back;
    std::set<std::string> once;
    each<Transaction>([&](const Transaction& entry) {
      if (entry.kind() != "reversal") return;
      if (!reversals_.contains(entry.id()))
        blame(
            fmt::format("reversal {} is there, and no client that asked for one was told of it", entry.id()));
      if (entry.status() != Transaction::SETTLED) return;
      const std::string& id = entry.reverses_id();
      if (!once.insert(id).second) return blame(fmt::format("entry {} was taken back twice", id));
      const auto cause = moves_.find(id);
      if (cause == moves_.end()) return blame(fmt::format("entry {} reverses what never moved", entry.id()));
      for (const Move& moved : cause->second) {
        back.push_back({moved.to, moved.from, moved.minor});
        // The entry of a payment or refund bears its id.
        if (payments_.contains(id)) given_back_[id] += moved.minor;
        else if (const auto of = refunded_.find(id); of != refunded_.end())
          given_back_[of->second] -= moved.minor;
      }
    });
    moves_["reversals"] = std::move(back);
  }

  // By refunds and reversals together.
  void check_given_back() {
    for (const auto& [id, minor] : given_back_) {
      const auto payment = get<Payment>(id);
      if (payment == nullptr || minor > payment->amount().minor())
        blame(fmt::format("payment {} was given back beyond its amount: {}", id, int64_t(minor)));
    }
  }

  // Nothing is there that nobody asked for.
  template <typename T>
  void count_rows(const std::set<std::string>& asked) {
    size_t rows = 0;
    each<T>([&](const T& row) {
      ++rows;
      if (!asked.contains(row.id()))
        blame(fmt::format("{} {} is there, and no client that asked for one was told of it",
                          T::descriptor()->name(), row.id()));
    });
    if (rows != asked.size())
      blame(
          fmt::format("{} {}s are there, clients asked for {}", rows, T::descriptor()->name(), asked.size()));
  }

  void compare() {
    std::map<std::string, __int128> sums;
    for (const auto& [cause, list] : moves_)
      for (const Move& moved : list) sums[moved.from] -= moved.minor, sums[moved.to] += moved.minor;
    each<Balance>([&](const Balance& balance) {
      std::string id = balance.account_id();
      if (balance.name() == "provider_settlement:sandbox") id = "provider " + balance.currency();
      const __int128 expected = sums.contains(id) ? sums[id] : 0;
      sums.erase(id);
      if (expected != balance.posted_minor())
        blame(fmt::format("account {} {}: what clients asked for makes {}, its balance is {}",
                          balance.account_id(), balance.name(), int64_t(expected), balance.posted_minor()));
    });
    for (const auto& [id, sum] : sums)
      if (sum != 0) blame(fmt::format("account {} has no balance, and should have {}", id, int64_t(sum)));
  }

  const Store& tables_;
  std::string problem_;
  std::map<std::string, std::vector<Move>> moves_;  // by the id of the cause's entry
  std::map<std::string, __int128> given_back_;      // by payment
  std::map<std::string, std::string> refunded_;     // payment by refund
  std::set<std::string> payments_, refunds_, top_ups_, reversals_;
};

}  // namespace

std::string check_money(const Store& tables, const std::deque<Request>& requests) {
  return MoneyModel(tables).check(requests);
}

}  // namespace micropay::app
