// How far a caller has seen the topics of services, so that other services answer it from no older state
// (decisions/0010): the engine makes marks of what a command led to, the gateway carries them, the calls'
// dispatch waits for them. Marks of what is not known here are left out: they delay, they never decide.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libs/contract/model.h"

namespace micropay {

constexpr size_t kMostMarks = 48;  // of a call; the highest position of each kind counts

// An event that was seen, or one before which all were: a position in a service's log.
struct Mark {
  const contract::Service* service = nullptr;  // whose topic
  uint32_t partition = 0;
  uint32_t type = 0;  // digest of the event's type: who does not hear it need not wait for it
  uint64_t position = 0;
};
using Marks = std::vector<Mark>;

uint32_t type_digest(std::string_view event_type);
void add_mark(Marks& marks, const Mark& mark);  // the higher position of two; beyond kMostMarks: none

}  // namespace micropay
