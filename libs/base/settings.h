// Settings, each declared once beside its reader; a part reads its own in its constructor and keeps the
// value:
//
//   ttl_(settings.duration("payment.reservation_ttl", 15 * kMinute, "How long reserved money waits for its
//   payment"))
//
// Values come from, weakest first: the default, the config server, a YAML file, the environment
// (MICROPAY_PAYMENT_RESERVATION_TTL), flags and --set. A bad value yields the default and is remembered;
// after all parts have read theirs, finish() reports every mistake at once. Used at start by one thread,
// later by the one that takes new values over. Declaring a key twice ends the process: a setting has one
// reader.
//
// A reader that can take a new value while the process runs says so with live(); all others need a restart.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay {

// One declared setting as --print-config and the generated docs show it.
struct SettingInfo {
  std::string key;       // "payment.reservation_ttl"
  std::string value;     // in force, as text; "***" for a secret that is set
  std::string standard;  // the default
  std::string
      source;  // "default", "http://…:8888", "config.yaml:12", "MICROPAY_PAYMENT_RESERVATION_TTL", "--set"
  std::string allowed;  // "duration such as 250ms, 30s, 15m, 2h, 7d"
  std::string help;
  bool secret = false;
  bool live = false;  // a new value is taken over while the process runs
};

class Settings {
 public:
  using Apply = std::function<bool(const std::string& value)>;      // false: the value is not allowed
  using Values = std::vector<std::pair<std::string, std::string>>;  // by key

  // --- given values ---
  // Nested maps become dotted keys; a list of scalars becomes one value with commas. An unreadable or
  // malformed file is reason config_unreadable.
  Result<void> load_file(const std::string& path);
  Result<void> load_text(std::string_view yaml, const std::string& path);  // what a file of that path holds
  // Every MICROPAY_… variable but MICROPAY_TEST_…; `environment` ends with a null, as ::environ does.
  void load_environment(const char* const* environment);
  // "key=value" of --set; later ones win.
  Result<void> set(std::string_view assignment);
  // Any other flag that stands for a setting: give("gateway.listen", "0.0.0.0:80", "--listen").
  void give(std::string_view key, std::string_view value, std::string_view source);

  // All that a config server has for this process, in place of what it had. Keys that nobody declares are
  // somebody else's, and bad values are refused(): neither keeps a process from starting.
  void give_remote(const Values& values, std::string_view source);

  // --- readers: declare the key and return the value in force ---
  Duration duration(std::string_view key, Duration standard, std::string_view help);
  int64_t integer(std::string_view key, int64_t standard, int64_t min, int64_t max, std::string_view help);
  std::string text(std::string_view key, std::string_view standard, std::string_view help);
  bool flag(std::string_view key, bool standard, std::string_view help);  // on, off, true, false
  std::string choice(std::string_view key, std::string_view standard,
                     std::initializer_list<std::string_view> choices, std::string_view help);
  // Never printed. Also takes <key>_file, a path whose content (less the last newline) is the secret.
  std::string secret(std::string_view key, std::string_view help);

  // Of a key that was declared: new values are given to `apply`, in the form that the reader checks.
  void live(std::string_view key, Apply apply);

  // --- after all readers ---
  // unknown_setting when there is any key that nobody declared, else invalid_setting; the detail lists all
  // problems, one a line, an unknown key with the nearest known one.
  Result<void> finish() const;
  const std::vector<SettingInfo>& declared() const { return declared_; }
  std::string print() const;  // --print-config: key, value, source, help

  // --- while the process runs ---
  struct TakenOver {
    std::vector<std::string> applied;        // live keys with a new value
    std::vector<std::string> needs_restart;  // keys whose given value is not the one in force
    std::vector<std::string> refused;        // keys whose value is not allowed; what was in force stays
  };
  // give_remote(), then what can be applied is. What a file, the environment or a flag gives stays stronger.
  TakenOver take_over(const Values& values, std::string_view source);
  // Of the config server's values: what is not allowed (keys), and which keys nobody declared.
  const std::vector<std::string>& refused() const { return refused_; }
  std::vector<std::string> unknown_remote() const;

 private:
  struct Given {
    std::string value;
    std::string source;
  };
  // The order is the rank: a later one wins.
  enum Layer : uint8_t { kRemote, kFile, kEnvironment, kFlags, kLayers };
  // Beside each SettingInfo, what does not belong into a document.
  struct Declared {
    Apply allows;          // whether a text is a value
    Apply apply = {};      // of a live one
    std::string in_force;  // as text, of secrets, too
  };

  const Given* given(std::string_view key) const;
  SettingInfo& declare(std::string_view key, const std::string& standard, std::string allowed,
                       std::string_view help, Apply allows);
  void take_over_one(SettingInfo& info, Declared& own, TakenOver& taken);
  void reject(SettingInfo& info, const Given& given);
  std::string nearest(std::string_view key) const;

  std::map<std::string, Given, std::less<>> layers_[kLayers];  // the environment's by variable name
  std::vector<SettingInfo> declared_;
  std::vector<Declared> own_;  // beside declared_
  std::vector<std::string> problems_;
  std::vector<std::string> refused_;
};

}  // namespace micropay
