// The clients of a run: they ask, wait, ask again with the same key when nobody answered, repeat what was
// answered to see that it is answered alike, and remember everything for the reckoning at the end.
#pragma once

#include <deque>
#include <functional>

#include "app/simulator/coverage.h"
#include "app/simulator/drafts.h"
#include "libs/runtime/engine.h"

namespace micropay::app {

struct Request {
  size_t number = 0;
  const contract::Method* method = nullptr;
  MessagePtr message;
  Principal principal;
  std::string key;  // Idempotency-Key; empty: none
  enum class State : uint8_t { kUnasked, kAsked, kUnknown, kAnswered } state = State::kUnasked;
  std::string answered_by;  // digest of the first answer that stands for ever; empty: none yet
  std::string reason;       // of the last answer; empty: success
  uint32_t status = 0;
  Row response;             // of the last success
  std::string resource_id;  // of the record that it made, also when it failed
  uint32_t asked = 0;
};

class Clients {
 public:
  Clients(Known& known, Coverage& coverage, const Clock& clock, std::vector<const contract::Method*> methods,
          Random& random);

  // What to ask next: something new, or one of those that were not answered or are worth repeating.
  Request& choose(Random& random);
  // Asks the engine as the gateway would: roles, bounds, owner; commands with their key. Says how it went so
  // far. `process` names who was asked: its crash leaves the outcome unknown.
  std::string ask(Request& request, Engine& engine, const void* process, Random& random);
  void crashed(const void* process);  // nobody it had promised an answer will get one
  void ignore_answers(bool yes) { deaf_ = yes; }
  const std::deque<Request>& requests() const { return requests_; }
  std::deque<Request>& requests() { return requests_; }
  std::function<void(const Request&)> on_answer;  // for a trace
  const std::string& problem() const { return problem_; }
  uint64_t digest() const { return digest_; }

 private:
  void answered(Request& request, const Answer& answer);
  void check_repeat(Request& request, const Answer& answer, const std::string& digest);
  void learn(const Request& request);
  void count(const std::string& text);

  Known& known_;
  Coverage& coverage_;
  Drafts drafts_;
  std::deque<Request> requests_;
  std::multimap<const void*, size_t> waiting_;  // process, request
  bool deaf_ = false;
  std::string problem_;
  uint64_t digest_ = 0;
};

}  // namespace micropay::app
