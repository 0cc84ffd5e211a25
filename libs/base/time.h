// Time is an int64 of microseconds since 1970 UTC everywhere inside; RFC 3339 outside. Only the runtime reads
// a clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace micropay {

using Time = int64_t;      // microseconds since 1970-01-01T00:00:00Z
using Duration = int64_t;  // microseconds

constexpr Duration kMillisecond = 1'000;
constexpr Duration kSecond = 1'000'000;
constexpr Duration kMinute = 60 * kSecond;
constexpr Duration kHour = 60 * kMinute;
constexpr Duration kDay = 24 * kHour;

// "2026-11-21T01:39:47.123456Z"; trailing zeros of the fraction are cut to 0, 3 or 6 digits. What is before
// the year 1 or after 9999 is written as their first or last instant.
std::string format_time(Time time);
void append_time(std::string& out, Time time);
// Any RFC 3339 date-time with offset, or a plain date (its midnight UTC), in the years 1 to 9999 of UTC.
std::optional<Time> parse_time(std::string_view text);
// "15m", "250ms", "2h", "30s", "7d"; none when it is not of that form.
std::optional<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);
// Midnight UTC of the day, first instant of the month.
Time start_of_day(Time time);
Time start_of_month(Time time);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;        // what is written down and compared with what was written down
  virtual Time monotonic() const = 0;  // for waiting and measuring
};
// Follows the wall clock and never goes back (libs/base/slewed_clock.h).
const Clock& system_clock();
// It is not before this from now on: the last instant of a log that is opened.
void keep_system_clock_after(Time time);
Duration wall_clock_offset();  // how far the wall clock is ahead of it

// A clock that a test moves by hand.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start = 1'700'000'000 * kSecond) : now_(start) {}
  Time now() const override { return now_; }
  Time monotonic() const override { return now_; }
  void advance(Duration duration) { now_ += duration; }

 private:
  Time now_;
};

}  // namespace micropay
