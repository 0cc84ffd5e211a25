// Messages that the runtime has stored as bytes inside of its own records (timers, effects, dead letters) and
// reads again some day: by another version of the code, or from a row that something has damaged. What does
// not read is an error, never the end of the process (decision 14).
#pragma once

#include "contracts/runtime.pb.h"
#include "libs/runtime/service.h"

namespace micropay {

// A message of the handler's own type, whatever the record calls it. Null: the bytes are none.
MessagePtr read_stored(const google::protobuf::Descriptor& type, const std::string& bytes);

// What a dead letter holds, when it is that: the record that a letter of this kind has, and the same event,
// effect or timer as the letter says. Error: dead_letter_unreadable.
Result<DeliveryRecord> delivery_in(const DeadLetter& letter);
Result<EffectRecord> effect_in(const DeadLetter& letter);
Result<TimerRecord> timer_in(const DeadLetter& letter);

}  // namespace micropay
