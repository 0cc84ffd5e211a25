// Events on the terminal: which are wanted, and how one looks. For the commands that read logs and topics.
#pragma once

#include <string>

#include "app/command.h"
#include "libs/store/envelope.h"

namespace micropay::app {

class EventPrinter {
 public:
  explicit EventPrinter(const Arguments& arguments);  // --type, --json
  // A type, or with a dot or star at its end the beginning of one: "payment.*".
  bool wanted(const Envelope& event) const;
  void print(const Envelope& event) const;

 private:
  std::string type_;
  bool json_, colours_;
};

// `events tail --kafka`: from topics instead of a folder.
int tail_topics(const Arguments& arguments);

}  // namespace micropay::app
