// What the engine takes in, in the order of its inbox. Nobody but the engine includes this.
#pragma once

#include <functional>
#include <memory>
#include <variant>

#include "libs/runtime/effects.h"
#include "libs/runtime/engine.h"

namespace micropay {

using Event = std::shared_ptr<const EventRecord>;
using CommandPtr = std::shared_ptr<Command>;
struct PreparedCommand {
  CommandPtr command;
  MessagePtr prepared;
};
struct ForeignEvent {
  Event event;
  uint32_t partition = 0;
  uint64_t offset = 0;
  bool heard = true;  // else only its place counts
};
struct EngineQuery {
  std::function<void()> answer;
};
struct ForeignCommit {};  // wakes the engine: the store has news
using EngineInput = std::variant<PreparedCommand, EffectResult, ForeignEvent, EngineQuery, ForeignCommit>;

}  // namespace micropay
