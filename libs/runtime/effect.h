// The outside world as a service sees it: an effect is asked for in a tick, performed after it on a worker,
// and its outcome comes back as an input. A class per kind of call, with a test twin.
//
//   struct Provider : Effect<ProviderCall, ProviderOutcome> { Outcome<ProviderOutcome> perform(…) override; …
//   }; service.effect<ProviderCall, ProviderOutcome>(std::make_shared<Provider>(), settle_top_up);
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "libs/base/time.h"

namespace micropay {

using MessagePtr = std::shared_ptr<google::protobuf::Message>;

// What an attempt of an effect says.
template <typename Response>
struct Outcome {
  enum class Kind : uint8_t {
    kDone,     // it happened; `response` says how (a decline is done, too)
    kRetry,    // it certainly did not happen; try again later
    kFailed,   // it certainly did not happen and never will: handler is told, dead letter written
    kUnknown,  // nobody knows; the runtime polls until known
  } kind = Kind::kDone;
  Response response;
  std::string error;  // for people
};

// Runs on worker threads, may block for at most `timeout` of its policy.
template <typename Request, typename Response>
class Effect {
 public:
  virtual ~Effect() = default;
  // `key` is stable over retries: the outside's idempotency key.
  virtual Outcome<Response> perform(const Request& request, std::string_view key) = 0;
  // Asks what became of an attempt whose outcome was unknown; kRetry: it never arrived, perform again.
  virtual Outcome<Response> poll(const Request& request, std::string_view key) {
    return perform(request, key);
  }
};

struct EffectPolicy {
  Duration timeout = 10 * kSecond;
  uint32_t max_attempts = 8;                    // then a dead letter
  Duration first_backoff = 500 * kMillisecond;  // doubled each time up to max, with jitter
  Duration max_backoff = 5 * kMinute;
  uint32_t concurrency = 4;              // per target
  uint32_t breaker_failures = 5;         // in a row open the breaker
  Duration breaker_open = 10 * kSecond;  // then half-open: one attempt decides
};

// Type-erased forms, as the engine calls them.
struct AnyOutcome {
  enum class Kind : uint8_t { kDone, kRetry, kFailed, kUnknown } kind = Kind::kDone;
  MessagePtr response;
  std::string error;
};

}  // namespace micropay
