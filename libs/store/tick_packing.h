// A tick as the bytes of a log record, before compression. Ids are 16 bytes and not text, and what an event
// shares with the one before it is said in a byte.
//
//   payload := event * (as many as the header counts) | varint changes | change *
//   event   := name type | if the type is new: name of its service | zigzag varint: µs after the tick's time
//              | text id | text key | text correlation | text causation | text actor | text traceparent
//              | varint size, bytes of the message
//   change  := name table | varint size, bytes of the key | varint size + 1, bytes of the row; 0: erased
//   name    := varint: its number among the payload's names; the next free number: it is new, and follows as
//              varint size, bytes
//   text    := varint 0: empty | 1: a UUID, 16 bytes | 2: as in the event before | 3: the id of the event
//              before | 4 + size: bytes
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/store/store.h"

namespace micropay {

// A record taken apart. Types and services are names that stay; the views of changes are into `payload`.
struct TickRecord {
  struct Change {
    const std::string* table;  // SQL name
    std::string_view key, row;
    bool erased;
  };
  uint64_t tick = 0;
  uint64_t first_position = 0;
  Time time = 0;
  std::vector<Envelope> events;  // with their positions
  std::vector<Change> changes;
  std::vector<char> payload;

  TickRecord() = default;
  TickRecord(TickRecord&&) = default;
  TickRecord& operator=(TickRecord&&) = default;
};

// Where a change stands in a payload.
struct ChangePlace {
  uint32_t key = 0, key_bytes = 0, row = 0, row_bytes = 0;
};
// Appends the payload, and notes where its changes are. Events whose envelope has no data yet get it from
// their message.
void pack_tick(const Tick& tick, std::string& payload, std::vector<ChangePlace>& places);
// Of a record whose tick, first position and time are set and whose payload is there; false when it is none
// with `events` events.
bool unpack_tick(TickRecord& record, size_t events);

// A row as protobuf bytes; maps in the order of their keys, so equal rows have equal bytes.
void append_row(std::string& out, const google::protobuf::Message& row);
std::string row_bytes(const google::protobuf::Message& row);

}  // namespace micropay
