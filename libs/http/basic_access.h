// HTTP Basic credentials (RFC 7617) for servers that other processes of the installation call: config,
// discovery.
//
//   BasicAccess access({{"config", password}}, system_clock());
//   if (auto refused = access.refuse(request)) return responder.send(*std::move(refused));
//
// An address that gave wrong passwords 20 times within a minute is refused (429) for the rest of it, right
// ones too; not on loopback, where one process with a wrong setting would lock all others out. Any thread.
// Passwords are compared in constant time and never logged.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/base/time.h"
#include "libs/http/message.h"

namespace micropay {

struct BasicCredentials {
  std::string user;
  std::string password;
};

// Of the Authorization header; none when there is none, or it is not Basic.
std::optional<BasicCredentials> basic_credentials(const HttpRequest& request);
std::string basic_header(const BasicCredentials& credentials);  // "Basic dXNlcjpwYXNz"

class BasicAccess {
 public:
  // Credentials without a password let nobody in.
  BasicAccess(std::vector<BasicCredentials> allowed, const Clock& clock);

  bool open() const { return allowed_.empty(); }  // nobody could get in: the caller decides what that means
  // None: the caller is one of those allowed. Else the answer: 401 with a challenge, or 429.
  std::optional<HttpResponse> refuse(const HttpRequest& request);

 private:
  bool is_allowed(const BasicCredentials& given) const;
  bool too_many(const std::string& address, bool another);

  struct Failures {
    Time since = 0;
    size_t count = 0;
  };
  std::vector<BasicCredentials> allowed_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Failures> failures_;  // by address; guarded by mutex_
};

}  // namespace micropay
