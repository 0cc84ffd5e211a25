// What the config server has for this process: asked for at start, kept on disk, looked at again and again.
//
//   ConfigClient client(settings);
//   RemoteValues values = TRY(client.fetch());             // from the server, or else the last known ones
//   client.start([](const RemoteValues& changed) { … });   // on a thread of its own, when the version is new
//   client.look_now();                                     // config.changed arrived
//
// The server is away: fetch() tries again until `patience` is over, then takes the copy on disk (a file for
// its owner only: it holds what was decrypted) and says so in a log line and in micropay_config_client_stale.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/settings.h"
#include "libs/base/time.h"

namespace micropay {

struct ConfigClientSettings {
  std::vector<std::string> uris;  // "http://host:8888"; tried in order. Empty: there is no config server
  std::string application;        // "payment"; several with commas, the last the strongest
  std::string profile = "default";
  std::string label;  // empty: the server's default
  std::string user = "config";
  std::string password;
  std::string ca_file;               // authorities, PEM, for https://
  std::string cache;                 // the copy on disk; empty: none
  bool optional = false;             // neither server nor copy: go on without, instead of not starting
  Duration patience = 10 * kSecond;  // of fetch()
  Duration timeout = 3 * kSecond;    // of one call
  Duration interval = 30 * kSecond;  // between looks

  // Declares config_client.*; `application` is what it is called when no setting says otherwise.
  static ConfigClientSettings read(Settings& settings, const std::string& application);
  bool on() const { return !uris.empty(); }
};

struct RemoteValues {
  Settings::Values values;  // every key once; lists of scalars as one value with commas
  std::string version;
  std::string source;       // the server's address, or the copy's path
  bool last_known = false;  // from the copy
};

// The answer of /{application}/{profile}, merged: earlier sources are stronger. Error: malformed_settings.
Result<RemoteValues> read_environment(std::string_view json);

class ConfigClient {
 public:
  explicit ConfigClient(ConfigClientSettings settings);
  ~ConfigClient();

  // Errors: config_unavailable (nobody answers, and there is no copy), config_refused (no such label, wrong
  // password), malformed_settings.
  Result<RemoteValues> fetch();
  void start(std::function<void(const RemoteValues&)> on_changed);
  void look_now();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
