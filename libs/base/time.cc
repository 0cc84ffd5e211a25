#include "libs/base/time.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "libs/base/slewed_clock.h"

namespace micropay {
namespace {

using Days = std::chrono::sys_days;

constexpr Time from_civil(int year, unsigned month, unsigned day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  return std::chrono::duration_cast<std::chrono::microseconds>(Days(date).time_since_epoch()).count();
}

// Beyond them there is no RFC 3339 text to answer with; an offset or a leap second may lead there.
constexpr Time kFirstTime = from_civil(1, 1, 1);
constexpr Time kLastTime = from_civil(9999, 12, 31) + kDay - 1;

std::optional<Time> within_range(Time time) {
  if (time < kFirstTime || time > kLastTime) return {};
  return time;
}

struct Civil {
  int year;
  unsigned month, day;
  int64_t day_us;
};

// What a damaged record holds may be beyond; the day of the lowest numbers is no number of microseconds.
Civil civil(Time time) {
  time = std::clamp(time, kFirstTime, kLastTime);
  const auto days = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(time)));
  const std::chrono::year_month_day date{days};
  return {int(date.year()), unsigned(date.month()), unsigned(date.day()),
          time - std::chrono::duration_cast<std::chrono::microseconds>(days.time_since_epoch()).count()};
}

bool digits(std::string_view text, size_t at, size_t count, int& out) {
  if (at + count > text.size()) return false;
  for (size_t i = at; i < at + count; ++i)
    if (text[i] < '0' || text[i] > '9') return false;
  std::from_chars(text.data() + at, text.data() + at + count, out);
  return true;
}

void put(char* at, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i, value /= 10) at[i] = char('0' + value % 10);
}

Time wall_time() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Counts on while the machine sleeps, and nobody can set it.
Time time_since_boot() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return time.tv_sec * kSecond + time.tv_nsec / 1'000;
}

class SystemClock final : public Clock {
 public:
  Time now() const override { return slewed_.now(); }
  Time monotonic() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  void not_before(Time time) { slewed_.not_before(time); }
  Duration wall_offset() const { return slewed_.wall_offset(); }

 private:
  SlewedClock slewed_{{wall_time, time_since_boot}};
};

SystemClock& the_system_clock() {
  static SystemClock& clock = *new SystemClock;  // threads may ask until the very end
  return clock;
}

}  // namespace

void append_time(std::string& out, Time time) {
  const Civil at = civil(time);
  const unsigned seconds = unsigned(at.day_us / kSecond), micros = unsigned(at.day_us % kSecond);
  char text[] = "0000-00-00T00:00:00.000000Z";
  put(text, unsigned(at.year), 4), put(text + 5, at.month, 2), put(text + 8, at.day, 2);
  put(text + 11, seconds / 3600, 2), put(text + 14, seconds / 60 % 60, 2), put(text + 17, seconds % 60, 2);
  size_t length = 19;
  if (micros % 1000 != 0) put(text + 20, micros, 6), length = 26;
  else if (micros != 0) put(text + 20, micros / 1000, 3), length = 23;
  text[length] = 'Z';
  out.append(text, length + 1);
}

std::string format_time(Time time) {
  std::string out;
  append_time(out, time);
  return out;
}

std::optional<Time> parse_time(std::string_view text) {
  int year, month, day, hour = 0, minute = 0, second = 0;
  if (!digits(text, 0, 4, year) || !digits(text, 5, 2, month) || !digits(text, 8, 2, day)) return {};
  if (text[4] != '-' || text[7] != '-') return {};
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(unsigned(month)),
                                         std::chrono::day(unsigned(day))};
  if (!date.ok() || year < 1) return {};
  Time time = from_civil(year, unsigned(month), unsigned(day));
  if (text.size() == 10) return time;
  if ((text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text.size() < 20) return {};
  if (!digits(text, 11, 2, hour) || !digits(text, 14, 2, minute) || !digits(text, 17, 2, second)) return {};
  if (text[13] != ':' || text[16] != ':' || hour > 23 || minute > 59 || second > 60) return {};
  time += hour * kHour + minute * kMinute + second * kSecond;
  size_t at = 19;
  if (text[at] == '.') {
    Duration unit = kSecond / 10;
    const size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      time += (text[at] - '0') * unit;
    if (at == first) return {};
  }
  if (at + 1 == text.size() && (text[at] == 'Z' || text[at] == 'z')) return within_range(time);
  int offset_hours, offset_minutes;
  if (at + 6 != text.size() || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':') return {};
  if (!digits(text, at + 1, 2, offset_hours) || !digits(text, at + 4, 2, offset_minutes)) return {};
  if (offset_hours > 23 || offset_minutes > 59) return {};
  const Duration offset = offset_hours * kHour + offset_minutes * kMinute;
  return within_range(text[at] == '+' ? time - offset : time + offset);
}

std::optional<Duration> parse_duration(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return {};
  const std::string_view unit(end, size_t(text.data() + text.size() - end));
  const Duration factor = unit == "us"   ? 1
                          : unit == "ms" ? kMillisecond
                          : unit == "s"  ? kSecond
                          : unit == "m"  ? kMinute
                          : unit == "h"  ? kHour
                          : unit == "d"  ? kDay
                                         : 0;
  Duration duration;
  if (factor == 0 || __builtin_mul_overflow(number, factor, &duration)) return {};
  return duration;
}

std::string format_duration(Duration duration) {
  for (const auto& [factor, unit] :
       {std::pair{kDay, "d"}, {kHour, "h"}, {kMinute, "m"}, {kSecond, "s"}, {kMillisecond, "ms"}})
    if (duration != 0 && duration % factor == 0) return fmt::format("{}{}", duration / factor, unit);
  return fmt::format("{}us", duration);
}

Time start_of_day(Time time) { return time - civil(time).day_us; }

Time start_of_month(Time time) {
  const Civil at = civil(time);
  return from_civil(at.year, at.month, 1);
}

const Clock& system_clock() { return the_system_clock(); }
void keep_system_clock_after(Time time) { the_system_clock().not_before(time); }
Duration wall_clock_offset() { return the_system_clock().wall_offset(); }

}  // namespace micropay
