// Adds up balances per currency: debits, credits and their sum, which is zero when the ledger is sound.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "contracts/balance.pb.h"
#include "libs/base/time.h"

namespace micropay::balance {

class TrialBalanceSums {
 public:
  void add(const Balance& balance);
  // Lines: system accounts by name, then the largest others.
  TrialBalance finish(Time as_of) const;

 private:
  struct Line {
    std::string account_id, name;
    int64_t minor;
  };
  struct Currency {
    __int128 debits = 0, credits = 0;
    int64_t accounts = 0;
    std::vector<Line> system;
    std::vector<Line> largest;  // a heap, the smallest on top
  };
  std::map<std::string, Currency> currencies_;
};

}  // namespace micropay::balance
