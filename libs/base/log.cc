// The log: formatting on the caller's thread, one bounded queue, one writer thread. The state is never
// destroyed, so that records of ending threads are safe; after the writer has stopped at exit, records are
// written at once.
#include "libs/base/log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>

#include "libs/base/metrics.h"
#include "libs/base/settings.h"
#include "libs/base/time.h"
#include "libs/base/unicode.h"

namespace micropay {
namespace {

constexpr const char* kLevelNames[] = {"debug", "info", "warn", "error"};
constexpr const char* kLevelTexts[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
constexpr const char* kLevelColours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[1;31m"};
constexpr const char* kDim = "\033[2m";
constexpr const char* kPlain = "\033[0m";
// How long a record waits for company, so that a busy process does not pay a system call for each.
constexpr auto kGather = std::chrono::milliseconds(2);

thread_local LogScope::Ids current_ids;

bool is_shown(char32_t character) {
  const Glyph glyph = glyph_of(character);
  return glyph == Glyph::kVisible || glyph == Glyph::kBlank || glyph == Glyph::kMark;
}

// For inside JSON quotes; used for readable lines too, so that nobody's input can forge a line or steer a
// terminal.
void append_escaped(std::string& out, std::string_view text) {
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; };
  for (size_t i = 0; i < text.size();) {
    const size_t run = i;
    while (i < text.size() && plain(text[i])) ++i;
    out.append(text, run, i - run);
    if (i == text.size()) return;
    const size_t begin = i;
    const auto character = next_character(text, i);
    if (!character) out += "\\ufffd";
    else if (*character == '"' || *character == '\\') (out += '\\') += char(*character);
    else if (*character == '\n') out += "\\n";
    else if (is_shown(*character)) out.append(text, begin, i - begin);
    else append_json_escape(out, *character);
  }
}

void append_json(std::string& out, std::string_view key, const LogValue& value) {
  if (out.back() != '{') out += ',';
  out += '"';
  append_escaped(out, key);
  out += "\":";
  switch (value.kind) {
    case LogValue::Kind::kInteger: fmt::format_to(std::back_inserter(out), "{}", value.integer); break;
    case LogValue::Kind::kBool: out += value.integer != 0 ? "true" : "false"; break;
    case LogValue::Kind::kNumber:
      if (std::isfinite(value.number)) fmt::format_to(std::back_inserter(out), "{}", value.number);
      else out += "null";
      break;
    case LogValue::Kind::kText:
      out += '"';
      append_escaped(out, value.text);
      out += '"';
  }
}

bool has_field(LogFields fields, std::string_view key) {
  return std::ranges::any_of(fields, [&](const LogField& field) { return field.key == key; });
}

void append_json_line(std::string& out, std::string_view service, LogLevel level, std::string_view action,
                      std::string_view message, LogFields fields) {
  out += "{\"@timestamp\":\"";
  append_time(out, system_clock().now());
  ((out += "\",\"log.level\":\"") += kLevelNames[size_t(level)]) += '"';
  append_json(out, "message", message);
  append_json(out, "ecs.version", "8.11.0");
  append_json(out, "service.name", current_ids.service.empty() ? service : current_ids.service);
  append_json(out, "event.action", action);
  if (!current_ids.trace_id.empty() && !has_field(fields, "trace.id"))
    append_json(out, "trace.id", current_ids.trace_id);
  const auto is_label = [](const LogField& field) { return field.key.find('.') == std::string_view::npos; };
  for (const LogField& field : fields)
    if (!is_label(field)) append_json(out, field.key, field.value);
  const bool correlated = !current_ids.correlation_id.empty() && !has_field(fields, "correlation_id");
  if (correlated || std::ranges::any_of(fields, is_label)) {
    out += ",\"labels\":{";
    if (correlated) append_json(out, "correlation_id", current_ids.correlation_id);
    for (const LogField& field : fields)
      if (is_label(field)) append_json(out, field.key, field.value);
    out += '}';
  }
  out += "}\n";
}

// 01:39:47.123 INFO  payment.completed  Payment completed  payment_id=… amount_minor=1234
void append_text_line(std::string& out, bool colour, LogLevel level, std::string_view action,
                      std::string_view message, LogFields fields) {
  const auto paint = [&](const char* code) {
    if (colour) out += code;
  };
  const Duration of_day = system_clock().now() % kDay;
  paint(kDim);
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}.{:03} ", of_day / kHour, of_day / kMinute % 60,
                 of_day / kSecond % 60, of_day / kMillisecond % 1000);
  paint(kPlain), paint(kLevelColours[size_t(level)]);
  (out += kLevelTexts[size_t(level)]) += ' ';
  paint(kPlain);
  append_escaped(out, action);
  out += "  ";
  append_escaped(out, message);
  paint(kDim);
  if (fields.size() > 0) out += ' ';
  for (const LogField& field : fields) {
    out += ' ';
    append_escaped(out, field.key);
    out += '=';
    std::string value = "{";
    append_json(value, "", field.value);
    std::string_view shown(value);
    shown.remove_prefix(4);  // {"":
    const bool bare =
        field.value.kind == LogValue::Kind::kText && shown.find_first_of(" =\\") == std::string_view::npos;
    out += bare ? shown.substr(1, shown.size() - 2) : shown;
  }
  paint(kPlain);
  out += '\n';
}

void write_stderr(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, lines.data(), lines.size());
    if (written >= 0) lines.remove_prefix(size_t(written));
    else if (errno == EAGAIN) {  // somebody made it non-blocking; this thread may wait
      pollfd waiting{STDERR_FILENO, POLLOUT, 0};
      ::poll(&waiting, 1, 1000);
    } else if (errno != EINTR) return;
  }
}

// What a record is formatted by. Old ones are kept: a caller may still be formatting with one.
struct Active {
  LogOptions options;
  bool json;
  bool colour;
};

class Log {
 public:
  Log() { activate({}); }

  void start(LogOptions options) {
    std::unique_lock lock(mutex_);
    settle(lock);
    activate(std::move(options));
  }

  const Active& active() const { return *active_.load(std::memory_order_acquire); }

  void put(std::string_view line, bool urgent) {
    const std::lock_guard lock(mutex_);
    if (stopped_) return sink(line);
    if (queue_.size() + line.size() > active().options.queue_bytes) return dropped_.add();
    const bool idle = queue_.empty();
    queue_ += line;
    urgent_ |= urgent;
    if (!thread_.joinable()) begin();
    else if (idle || urgent) ready_.notify_one();
  }

  void flush() {
    std::unique_lock lock(mutex_);
    settle(lock);
  }

 private:
  void activate(LogOptions options) {
    const bool terminal = isatty(STDERR_FILENO) == 1 && !options.write;
    const bool json = options.format == LogFormat::kJson || (options.format == LogFormat::kAuto && !terminal);
    detail::log_level.store(options.level, std::memory_order_relaxed);
    kept_.push_back({std::move(options), json, terminal && std::getenv("NO_COLOR") == nullptr});
    active_.store(&kept_.back(), std::memory_order_release);
  }

  void begin() {
    thread_ = std::thread([this] { run(); });
    std::atexit([] { the().stop(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = urgent_ = true;
      ready_.notify_one();
    }
    thread_.join();
  }

  // Waits until the queue is written; the lock is held again on return.
  void settle(std::unique_lock<std::mutex>& lock) {
    while (!queue_.empty() || writing_) {
      urgent_ = true;
      ready_.notify_one();
      drained_.wait(lock);
    }
  }

  void sink(std::string_view lines) {
    const auto& write = active().options.write;
    write ? write(lines) : write_stderr(lines);
  }

  void run() {
    std::unique_lock lock(mutex_);
    uint64_t reported = dropped_.value();
    std::string lines;
    while (true) {
      ready_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) break;
      ready_.wait_for(lock, kGather, [&] { return urgent_; });
      lines.swap(queue_);
      writing_ = true, urgent_ = stopping_;
      lock.unlock();
      sink(lines);
      lines.clear();
      if (const uint64_t dropped = dropped_.value(); dropped != std::exchange(reported, dropped)) {
        append_json_line(lines, active().options.service, LogLevel::kWarn, "log.dropped",
                         "The log queue was full; records were dropped", {{"dropped_so_far", dropped}});
        sink(lines);
        lines.clear();
      }
      lock.lock();
      writing_ = false;
      drained_.notify_all();
    }
    stopped_ = true;
  }

 public:
  static Log& the() {
    static Log& log = *new Log;
    return log;
  }

 private:
  Counter& dropped_ = counter("micropay_log_dropped_total", "Log records dropped because the queue was full");
  std::deque<Active> kept_;
  std::atomic<const Active*> active_;
  std::mutex mutex_;
  std::condition_variable ready_, drained_;
  std::string queue_;
  bool urgent_ = false, writing_ = false, stopping_ = false, stopped_ = false;
  std::thread thread_;
};

}  // namespace

void write_log(LogLevel level, std::string_view action, std::string_view message, LogFields fields) {
  thread_local std::string line;
  line.clear();
  const Active& active = Log::the().active();
  if (active.json) append_json_line(line, active.options.service, level, action, message, fields);
  else append_text_line(line, active.colour, level, action, message, fields);
  Log::the().put(line, level == LogLevel::kError);
}

LogScope::LogScope(const Ids& ids) : outer_(current_ids) { current_ids = ids; }
LogScope::~LogScope() { current_ids = outer_; }

namespace {

LogLevel level_of(std::string_view text) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError})
    if (text == kLevelNames[size_t(level)]) return level;
  return LogLevel::kOff;
}

}  // namespace

LogOptions log_options(Settings& settings) {
  LogOptions options;
  const std::string format = settings.choice("log.format", "auto", {"auto", "json", "text"},
                                             "Form of the logs; auto is text on a terminal, else JSON");
  const std::string level = settings.choice("log.level", "info", {"debug", "info", "warn", "error", "off"},
                                            "The least severe records that are written");
  options.format = format == "json"   ? LogFormat::kJson
                   : format == "text" ? LogFormat::kText
                                      : LogFormat::kAuto;
  options.level = level_of(level);
  settings.live("log.level", [](const std::string& text) {
    detail::log_level.store(level_of(text), std::memory_order_relaxed);
    return true;
  });
  return options;
}

void start_log(LogOptions options) { Log::the().start(std::move(options)); }
void flush_log() { Log::the().flush(); }

}  // namespace micropay
