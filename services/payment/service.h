// The payment service: decides what becomes of a payment and tells the story of it. The other steps (holding
// the money, scoring, booking) are other services' answers to its events. service.cc lists its handlers and
// holds those of a plain payment; refunds, wallets, history, queries have files.
#pragma once

#include "contracts/payment.pb.h"
#include "libs/runtime/parts.h"

namespace micropay {

struct PaymentSettings {
  explicit PaymentSettings(Settings& settings);
  bool limits;               // account.limits: whether the wallets' limits hold
  Duration reservation_ttl;  // how long money is held for a payment under review
};

Service payment_service(const Parts& parts);

}  // namespace micropay
