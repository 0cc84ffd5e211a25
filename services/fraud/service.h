// The fraud service: scores every payment once its money is reserved, explains the score, and opens cases for
// staff. service.cc lists its handlers; rules.cc decides.
#pragma once

#include "contracts/fraud.pb.h"
#include "libs/base/live.h"
#include "libs/runtime/parts.h"

namespace micropay {

struct FraudSettings {
  explicit FraudSettings(Settings& settings);
  // Live: what is decided is an event, so another mode from now on changes nothing of before.
  enum class Mode : uint8_t {
    kEnforce,
    kShadow,  // scores and records, but approves everything
    kOff,     // approves without a look
  };
  Live<Mode> mode;
};

Service fraud_service(const Parts& parts);

}  // namespace micropay
