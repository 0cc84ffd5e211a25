// Who calls, when finding out takes a question to another process: on threads of its own, so that no I/O
// thread waits for it. What is known is answered at once, by Authenticator::known.
//
//   if (auto known = callers.known(token)) return go_on(*std::move(known));
//   callers.ask(token, loop, [this, exchange](Result<Identity> identity) { go_on(std::move(identity)); });
//
// Bounded: a few questions at a time, so many tokens waiting, none longer than kPatience: beyond it the
// answer is kUnavailable overloaded, and the caller may come again. Of many requests with one key the first
// asks, the others find its answer.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "libs/base/metrics.h"
#include "libs/http/worker_pool.h"
#include "libs/security/authenticator.h"

namespace micropay::gateway {

class Callers {
 public:
  using Post = std::function<void(size_t loop, std::function<void()> job)>;
  using Found = std::function<void(Result<Identity>)>;
  static constexpr size_t kThreads = 4, kMostWaiting = 500;
  static constexpr Duration kPatience = 2 * kSecond;

  Callers(Authenticator& authenticator, const Clock& clock, Post post)
      : authenticator_(authenticator),
        clock_(clock),
        post_(std::move(post)),
        asking_(kThreads, kMostWaiting) {}

  std::optional<Result<Identity>> known(std::string_view token) { return authenticator_.known(token); }
  // `found` is called on the I/O thread: later, or at once when there is no room.
  void ask(std::string_view token, size_t loop, Found found);
  void stop() { asking_.stop(); }  // what waits is not answered any more

 private:
  static Counter& asked(std::string_view outcome) {
    return counter("micropay_gateway_callers_asked_total", "Tokens that another process was asked about",
                   {{"outcome", std::string(outcome)}});
  }

  Authenticator& authenticator_;
  const Clock& clock_;
  const Post post_;
  Counter &found_ = asked("found"), &refused_ = asked("refused"), &failed_ = asked("failed"),
          &overloaded_ = asked("overloaded");
  WorkerPool asking_;  // last: its threads use the rest
};

}  // namespace micropay::gateway
