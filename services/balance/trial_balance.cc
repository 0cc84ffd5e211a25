// Sums are kept in 128 bits, and told as text: nine wallets that hold the most that one can are more than an
// amount holds. An amount that fits is told as one, too.
#include "services/balance/trial_balance.h"

#include <algorithm>

#include "libs/base/money.h"

namespace micropay::balance {
namespace {

constexpr size_t kLargestLines = 100;

bool fits(__int128 value) { return value <= INT64_MAX && value >= INT64_MIN; }

// As format_minor().
std::string decimal(__int128 minor, const std::string& currency) {
  const int exponent = currency_exponent(currency).value_or(2);
  auto rest = minor < 0 ? -(unsigned __int128)minor : (unsigned __int128)minor;
  std::string text;
  for (int digit = 0; rest != 0 || digit <= exponent; ++digit, rest /= 10) {
    if (digit == exponent && exponent != 0) text += '.';
    text += char('0' + int(rest % 10));
  }
  if (minor < 0) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

}  // namespace

void TrialBalanceSums::add(const Balance& balance) {
  Currency& sums = currencies_[balance.currency()];
  const int64_t minor = balance.posted_minor();
  (minor < 0 ? sums.debits : sums.credits) += minor;
  ++sums.accounts;
  Line line{balance.account_id(), balance.name(), minor};
  if (!line.name.empty()) {
    sums.system.push_back(std::move(line));
    return;
  }
  const auto larger = [](const Line& a, const Line& b) { return a.minor > b.minor; };
  if (sums.largest.size() == kLargestLines && sums.largest.front().minor >= minor) return;
  sums.largest.push_back(std::move(line));
  std::push_heap(sums.largest.begin(), sums.largest.end(), larger);
  if (sums.largest.size() <= kLargestLines) return;
  std::pop_heap(sums.largest.begin(), sums.largest.end(), larger);
  sums.largest.pop_back();
}

TrialBalance TrialBalanceSums::finish(Time as_of) const {
  TrialBalance answer;
  answer.set_as_of(as_of);
  answer.set_balanced(true);
  for (const auto& [currency, sums] : currencies_) {
    TrialBalanceCurrency& total = *answer.add_currencies();
    const auto money = [&currency = currency](Money& amount, __int128 minor) {
      amount.set_currency(currency);
      amount.set_minor(int64_t(minor));
    };
    const __int128 sum = sums.debits + sums.credits;
    total.set_currency(currency);
    if (fits(sums.debits)) money(*total.mutable_debits(), sums.debits);
    if (fits(sums.credits)) money(*total.mutable_credits(), sums.credits);
    if (fits(sum)) money(*total.mutable_sum(), sum);
    total.set_debits_value(decimal(sums.debits, currency));
    total.set_credits_value(decimal(sums.credits, currency));
    total.set_sum_value(decimal(sum, currency));
    total.set_accounts(sums.accounts);
    if (sum != 0) answer.set_balanced(false);

    std::vector<Line> system = sums.system, largest = sums.largest;
    std::sort(system.begin(), system.end(), [](const Line& a, const Line& b) { return a.name < b.name; });
    std::sort(largest.begin(), largest.end(), [](const Line& a, const Line& b) {
      return a.minor != b.minor ? a.minor > b.minor : a.account_id < b.account_id;
    });
    system.insert(system.end(), largest.begin(), largest.end());
    for (const Line& line : system) {
      TrialBalanceLine& written = *total.add_lines();
      written.set_account_id(line.account_id);
      written.set_name(line.name);
      money(*written.mutable_balance(), line.minor);
    }
  }
  return answer;
}

}  // namespace micropay::balance
