#include "app/commands/event_printer.h"

#include <unistd.h>

#include "app/event_text.h"

namespace micropay::app {

EventPrinter::EventPrinter(const Arguments& arguments)
    : type_(arguments.text("--type")), json_(arguments.has("--json")), colours_(isatty(STDOUT_FILENO) == 1) {}

bool EventPrinter::wanted(const Envelope& event) const {
  if (type_.empty()) return true;
  const std::string_view prefix = std::string_view(type_).substr(0, type_.find('*'));
  return prefix.size() < type_.size() || prefix.ends_with('.') ? event.type().starts_with(prefix)
                                                               : event.type() == type_;
}

void EventPrinter::print(const Envelope& event) const {
  fmt::print("{}\n", json_ ? event_json(event) : event_line(event, colours_));
}

}  // namespace micropay::app
