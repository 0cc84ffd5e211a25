// Within a scope, a CHECK that fails throws instead of ending the process: around one piece of work that can
// be undone as a whole, a handler's. What a stored row or another service's event can break then fails that
// one input: it is undone before it reaches disk, said in the log, and answered, tried again or dead-lettered
// like any handler's error. Outside of a scope nothing can be undone, and the process ends (check.h).
// Decision 14.
//
//   const CheckScope scope;
//   try { result = handler(...); } catch (const CheckFailed& failed) { ... }
#pragma once

#include <stdexcept>

namespace micropay {

struct CheckFailed final : std::logic_error {
  using std::logic_error::logic_error;
};

class CheckScope {
 public:
  CheckScope();
  ~CheckScope();
  CheckScope(const CheckScope&) = delete;
  CheckScope& operator=(const CheckScope&) = delete;

  // From now on every CHECK that fails ends the process: a simulator wants to hear of it.
  static void never();
};

}  // namespace micropay
