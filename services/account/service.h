// The account service: wallets, their limits and restrictions, and money that comes in from payment
// providers. service.cc lists its handlers; top_ups.cc and queries.cc hold the rest of them.
#pragma once

#include "contracts/account.pb.h"
#include "libs/runtime/parts.h"

namespace micropay {

struct AccountSettings {
  explicit AccountSettings(Settings& settings);
  std::string default_currency;
  uint32_t max_per_user;
  Limits limits;  // of a new wallet
  int64_t max_top_up_minor;
};

Service account_service(const Parts& parts);

}  // namespace micropay
