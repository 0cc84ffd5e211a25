// Ids are UUIDv7 (RFC 9562) in their 36-character text form; 16 bytes where they are stored. They sort by
// time.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "libs/base/time.h"

namespace micropay {

using Uuid = std::array<uint8_t, 16>;
constexpr size_t kUuidText = 36;  // characters

std::string format_uuid(const Uuid& uuid);
void format_uuid(const uint8_t* bytes, std::string& into);        // replaces what was there
void format_uuid(const uint8_t* bytes, char* into);               // kUuidText characters
std::optional<Uuid> parse_uuid(std::string_view text);            // lower or upper case, with hyphens
std::optional<Uuid> parse_canonical_uuid(std::string_view text);  // lower case only
inline bool is_uuid(std::string_view text) { return parse_canonical_uuid(text).has_value(); }
Time uuid_time(const Uuid& uuid);  // of a v7

// A UUID derived from text: the same text gives the same id (version 8 of RFC 9562 over BLAKE2b).
std::string derived_uuid(std::string_view text);

// Makes ids that are unique and ordered even when the clock stands or jumps back: the millisecond never
// decreases, a counter of 32 bits fills the gap, and 42 seeded bits keep two processes apart. Not a secret.
class IdGenerator {
 public:
  explicit IdGenerator(uint64_t seed) : seed_(seed) {}
  std::string next(Time now);
  // From now on, made_since_mark() is true of the ids that come, and only of these.
  void mark() { marked_ = {last_ms_, counter_}; }
  // `uuid`: 16 bytes. An id of another generator is never one, as long as the seeds differ.
  bool made_since_mark(std::string_view uuid) const;
  // The ids that come sort behind all of this instant: another process may have made some.
  void begin_after(Time time);

 private:
  uint64_t seed_;
  uint64_t last_ms_ = 0;
  uint32_t counter_ = 0;
  std::pair<uint64_t, uint32_t> marked_;  // millisecond and counter of the last id before mark()
};

}  // namespace micropay
