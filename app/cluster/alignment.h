// Whether databases and topics belong together: a topic carries what its service's log has, and nobody has
// taken in what no log knows. They do not when databases were restored and topics were not, or the other way
// round, or one database alone. Then whoever takes events in would act on what never happened, or leave out
// what did: so nothing is started before this holds (process.cc), and `micropay topics align` mends what
// topics can mend.
//
//   auto aligned = TRY(Alignment::look(settings, services));    // a fraction of a second
//   for (const Misfit& misfit : aligned.misfits) …
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/cluster/settings.h"
#include "libs/kafka/topic_ends.h"
#include "libs/sqlserver/log_look.h"

namespace micropay::app {

struct Misfit {
  enum class Kind : uint8_t {
    kTopicAhead,     // it has events that the log does not have, or others in their place
    kTopicBehind,    // it lacks events that were published, or taken from it
    kConsumerAhead,  // of a log: a service has taken in what its source does not have
  };
  Kind kind = Kind::kTopicAhead;
  std::string service;  // whose topic, or whose log
  std::string text;
  bool topics_mend_it() const { return kind != Kind::kConsumerAhead; }
};
std::string_view name_of(Misfit::Kind kind);  // "topic_ahead"

// What was found of one service.
struct AlignmentFacts {
  std::string service;
  LogEnd end = {};
  uint64_t published = 0;       // up to this position, it says
  bool published_some = false;  // one of these was its own
  std::vector<LogLook::Mark> marks = {};
};
// The id of the event at a position of a service's log; empty: there is none.
using EventIdAt = std::function<Result<std::string>(const std::string& service, uint64_t position)>;

// The first misfit of each kind, topic and consumer.
Result<std::vector<Misfit>> compare(const std::vector<AlignmentFacts>& all, const kafka::TopicEnds& ends,
                                    const kafka::KafkaSettings& settings, const EventIdAt& event_id);

class Alignment {
 public:
  // The databases of these services; an error says which cannot be looked at. Those that are not `needed` are
  // left out then.
  using Needed = std::function<bool(const std::string& service)>;
  static Result<Alignment> open(
      const ClusterSettings& settings, const std::vector<std::string>& services,
      const Needed& needed = [](const std::string&) { return true; });
  // May be called again, whoever writes meanwhile.
  Result<std::vector<Misfit>> look();

  LogLook& log_of(const std::string& service) { return *logs_.at(service); }
  const std::vector<std::string>& services() const { return services_; }  // that are compared

 private:
  Alignment(const ClusterSettings& settings, std::vector<std::string> services)
      : settings_(&settings), services_(std::move(services)) {}

  const ClusterSettings* settings_;
  std::vector<std::string> services_;
  std::map<std::string, std::unique_ptr<LogLook>> logs_;
};

// Returns when databases and topics belong together, and not before: until then it says why by `tell`, in the
// log and in metrics, and looks again. `stopped` when `pause` says that the process shall end; without a
// pause it is looked once.
struct StartCheck {
  std::vector<std::string> services;  // all that there are
  Alignment::Needed needed;           // without whose databases nothing can be said
  std::function<bool(Duration)> pause = {};
  std::function<void(const Error&)> tell = [](const Error&) {};
};
Result<void> wait_until_aligned(const ClusterSettings& settings, const StartCheck& check);

}  // namespace micropay::app
