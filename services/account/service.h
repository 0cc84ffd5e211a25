// The account service: wallets, their limits and restrictions, and money that comes in from payment
// providers. service.cc lists its handlers; top_ups.cc and queries.cc hold the rest of them.
#pragma once

#include <map>

#include "contracts/account.pb.h"
#include "libs/runtime/parts.h"

namespace micropay {

struct AccountSettings {
  explicit AccountSettings(Settings& settings);
  std::string default_currency;
  uint32_t max_per_user;
  Limits limits;                                           // of a new wallet, in minor units of the euro
  std::map<std::string, Limits, std::less<>> by_currency;  // what another currency has in place of that
  int64_t max_top_up_minor;                                // of the euro
  Limits limits_in(const std::string& currency) const;
};

Service account_service(const Parts& parts);

}  // namespace micropay
