// Who wants to know what is revoked: an authenticator, or what tells other processes of it. The same may be
// told again and again, in any order. Any thread.
#pragma once

#include <string>

#include "libs/base/time.h"

namespace micropay {

class RevocationSink {
 public:
  virtual ~RevocationSink() = default;
  virtual void revoke_session(const std::string& session_id) = 0;
  virtual void revoke_user_before(const std::string& user_id, Time issued_until) = 0;
  virtual void revoke_api_key(const std::string& key_id) = 0;
};

}  // namespace micropay
