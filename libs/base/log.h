// Structured logs: one line a record on stderr, JSON in the field names of the Elastic Common Schema, or
// coloured and readable when stderr is a terminal.
//
//   log_info("payment.completed", "Payment completed", {{"payment_id", id}, {"amount_minor", minor}});
//
// The caller formats into memory; a thread of the log's own writes. A full queue drops the record and counts
// it (metric micropay_log_dropped_total): logging never blocks and never fails. Whatever is queued is written
// at a normal exit. Personal and secret data does not belong in here: log ids, mask messages with
// libs/contract first.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace micropay {

class Settings;

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : uint8_t { kAuto, kJson, kText };

struct LogValue {
  enum class Kind : uint8_t { kText, kInteger, kNumber, kBool };

  LogValue(std::string_view value) : kind(Kind::kText), text(value) {}
  LogValue(const std::string& value) : kind(Kind::kText), text(value) {}
  LogValue(const char* value) : kind(Kind::kText), text(value) {}
  LogValue(bool value) : kind(Kind::kBool), integer(value) {}
  LogValue(double value) : kind(Kind::kNumber), number(value) {}
  template <std::integral T>
  LogValue(T value) : kind(Kind::kInteger), integer(int64_t(value)) {}

  Kind kind;
  std::string_view text;
  int64_t integer = 0;
  double number = 0;
};

// A key with a dot ("user.id", "http.response.status_code") is an ECS field; any other is put below "labels".
struct LogField {
  std::string_view key;
  LogValue value;
};
using LogFields = std::initializer_list<LogField>;

namespace detail {
inline std::atomic<LogLevel> log_level{LogLevel::kInfo};
}

// Guards work that only a log line needs.
inline bool log_enabled(LogLevel level) { return level >= detail::log_level.load(std::memory_order_relaxed); }

// `action` is the stable dotted name that people search for; `message` is for reading.
void write_log(LogLevel level, std::string_view action, std::string_view message, LogFields fields);

inline void log_debug(std::string_view action, std::string_view message, LogFields fields = {}) {
  if (log_enabled(LogLevel::kDebug)) write_log(LogLevel::kDebug, action, message, fields);
}
inline void log_info(std::string_view action, std::string_view message, LogFields fields = {}) {
  if (log_enabled(LogLevel::kInfo)) write_log(LogLevel::kInfo, action, message, fields);
}
inline void log_warn(std::string_view action, std::string_view message, LogFields fields = {}) {
  if (log_enabled(LogLevel::kWarn)) write_log(LogLevel::kWarn, action, message, fields);
}
inline void log_error(std::string_view action, std::string_view message, LogFields fields = {}) {
  if (log_enabled(LogLevel::kError)) write_log(LogLevel::kError, action, message, fields);
}

// While one lives, the records of this thread carry these ids. The views must outlive it; scopes nest.
class LogScope {
 public:
  struct Ids {
    std::string_view service;         // service.name; the process's when empty
    std::string_view trace_id;        // trace.id, 32 hex digits
    std::string_view correlation_id;  // labels.correlation_id
  };
  explicit LogScope(const Ids& ids);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  Ids outer_;
};

struct LogOptions {
  LogFormat format = LogFormat::kAuto;
  LogLevel level = LogLevel::kInfo;
  std::string service = "micropay";             // service.name
  size_t queue_bytes = 4 << 20;                 // beyond it records are dropped
  std::function<void(std::string_view)> write;  // whole lines; empty: stderr. A test's own.
};

// Declares log.format and log.level.
LogOptions log_options(Settings& settings);
// May be called again; the records so far go where they were meant to.
void start_log(LogOptions options);
// Returns when everything logged before the call is written.
void flush_log();

}  // namespace micropay
