// What can be set about the config service. Read once, at start.
#pragma once

#include <string>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/http/tls.h"

namespace micropay {
class Settings;
}

namespace micropay::config {

struct ConfigSettings {
  std::string listen = "127.0.0.1:8888";
  std::string ops_listen = "127.0.0.1:9888";  // 9088 is audit's
  std::string directory;                      // one of the two: a plain directory
  std::string git;                            // or a repository, a path or URL
  std::string git_label = "main";
  std::string work = "data/config";  // for the copy of a remote repository
  std::string user = "config";
  std::string password;           // of clients; empty: anybody, on loopback only
  std::string operator_password;  // of user "operator": encrypt, decrypt, busrefresh; empty: nobody
  HttpTlsFiles tls;               // empty: plain HTTP
  std::string key_file;           // of {cipher} values
  Duration watch_interval = 5 * kSecond;
  size_t threads = 2;

  static ConfigSettings read(Settings& settings);
  Result<void> check() const;  // invalid_setting
};

}  // namespace micropay::config
