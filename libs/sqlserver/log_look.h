// A look at a service's database from another process: how far its log is, what it has taken in of others,
// which event stands at a position. For comparing databases and topics (app/cluster/alignment.h). One thread
// at a time.
//
// Errors: as the server says (kUnavailable), log_damaged.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/sqlserver/sql_session.h"

namespace micropay {

class LogLook {
 public:
  // What was taken last of a partition of another service's topic.
  struct Mark {
    std::string source;  // the service
    uint32_t partition = 0;
    uint64_t position = 0, offset = 0;
  };

  static Result<std::unique_ptr<LogLook>> open(const SqlAddress& address);

  bool made() const { return made_; }  // false: it has no tables yet
  Result<LogEnd> end();
  Result<std::vector<Mark>> marks();
  // The id of the event at the position; empty: there is none.
  Result<std::string> event_id(uint64_t position);
  // Whether the service itself has emitted one of the events up to the position; looks at the first ones.
  Result<bool> emitted(std::string_view service, uint64_t up_to);
  // Of a projection or a duty; 0: nobody has begun with it.
  Result<uint64_t> position(std::string_view name);
  Result<void> set_position(std::string_view name, uint64_t position);
  // Processes that use the database: those whose lease has not ended.
  Result<std::vector<std::string>> instances();

 private:
  explicit LogLook(std::unique_ptr<SqlSession> session) : session_(std::move(session)) {}

  std::unique_ptr<SqlSession> session_;
  bool made_ = false;
};

}  // namespace micropay
