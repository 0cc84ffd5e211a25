// Two lists of ids walked side by side; what does not match is looked for, so that it can be named.
#include "app/cluster/heard_check.h"

#include <algorithm>
#include <charconv>

#include "libs/base/check.h"
#include "libs/kafka/key_partition.h"
#include "libs/runtime/handlers.h"

namespace micropay::app {
namespace {

constexpr std::string_view kSource = "source:";

// "source:payment/3"; empty: another name.
std::pair<std::string, uint32_t> place_of(std::string_view name) {
  const size_t slash = name.rfind('/');
  if (!name.starts_with(kSource) || slash == name.npos) return {};
  uint32_t partition = 0;
  std::from_chars(name.data() + slash + 1, name.data() + name.size(), partition);
  return {std::string(name.substr(kSource.size(), slash - kSource.size())), partition};
}

std::string named(const std::string& service, const HeardCheck::Emitted& event) {
  return fmt::format("event {} of {} ({})", event.position, service, event.type->type);
}

}  // namespace

HeardCheck::HeardCheck(const std::vector<Service>& services, uint32_t partitions) : partitions_(partitions) {
  for (const Service& service : services)
    participants_.push_back({.name = service.name,
                             .hears = HeardEvents(service),
                             .emitted = std::vector<std::vector<Emitted>>(partitions)});
}

HeardCheck::Participant& HeardCheck::at(const std::string& service) {
  const auto found = std::ranges::find(participants_, service, &Participant::name);
  CHECK(found != participants_.end());
  return *found;
}

void HeardCheck::event(const std::string& service, const Envelope& event) {
  Participant& own = at(service);
  const uint32_t partition = kafka::key_partition(event.key(), partitions_);
  if (event.service() == service) {
    if (const contract::Event* type = contract::model().event(event.type()))
      own.emitted[partition].push_back({hash_(event.id()), event.position(), type});
    return;
  }
  auto& heard = own.heard[event.service()];
  heard.resize(partitions_);
  heard[partition].ids.push_back(hash_(event.id()));
}

void HeardCheck::watermark(const std::string& service, const ConsumerRecord& record) {
  const auto [source, partition] = place_of(record.service());
  if (source.empty()) return;
  auto& heard = at(service).heard[source];
  heard.resize(partitions_);
  if (partition < partitions_) heard[partition].watermark = record.position();
}

// A handler that is new to a service begins behind what the service had taken in before.
void HeardCheck::record(const std::string& service, const TickRecord& record) {
  static const std::string& table = name_of(contract::model().table_of<ConsumerRecord>()->sql_name);
  for (const TickRecord::Change& change : record.changes) {
    if (change.table != &table || change.erased) continue;
    ConsumerRecord row;
    if (!row.ParseFromArray(change.row.data(), int(change.row.size()))) continue;
    Participant& own = at(service);
    if (const auto place = place_of(row.service()); !place.first.empty()) {
      own.taken_to[place] = row.position();
      continue;
    }
    const std::string prefix = hearing_of(service, "");
    if (row.service().starts_with(prefix) && row.position() > 1)
      own.began.try_emplace(row.service().substr(prefix.size()), own.taken_to);
  }
}

bool HeardCheck::Participant::hears_since(const Emitted& event, const Place& place) const {
  for (const std::string_view type : {std::string_view(event.type->type), std::string_view("*")})
    if (const auto since = began.find(std::string(type)); since != began.end()) {
      const auto taken = since->second.find(place);
      return taken == since->second.end() || event.position > taken->second;
    }
  return true;
}

const std::vector<HeardCheck::Emitted>& HeardCheck::emitted(const std::string& service,
                                                            uint32_t partition) const {
  return std::ranges::find(participants_, service, &Participant::name)->emitted[partition];
}

HeardCheck::Outcome HeardCheck::compare() const {
  Outcome outcome;
  for (const Participant& consumer : participants_)
    for (const Participant& source : participants_)
      for (uint32_t i = 0; &consumer != &source && i < partitions_; ++i)
        compare(consumer, source, i, outcome);
  return outcome;
}

void HeardCheck::compare(const Participant& consumer, const Participant& source, uint32_t partition,
                         Outcome& outcome) const {
  static const Partition kNothing;
  const auto of_source = consumer.heard.find(source.name);
  const Partition& heard = of_source == consumer.heard.end() ? kNothing : of_source->second[partition];
  const auto problem = [&](std::string text) {
    if (outcome.problem.empty()) outcome.problem = consumer.name + " " + text;
  };
  size_t next = 0;  // of heard.ids
  uint64_t last = 0;
  bool passed = false;  // the watermark is at an event that is not heard
  for (const Emitted& event : source.emitted[partition]) {
    const bool here = next < heard.ids.size() && heard.ids[next] == event.id;
    if (!consumer.hears.has(event.type) ||
        (!here && !consumer.hears_since(event, {source.name, partition}))) {
      passed |= event.position == heard.watermark;
      continue;
    }
    if (here) {
      ++next;
      last = event.position;
      continue;
    }
    const auto seen = [&](auto from, auto to) { return std::find(from, to, event.id) != to; };
    if (next < heard.ids.size() || event.position <= heard.watermark) {
      // Another one stands in its place, or the watermark says that it was taken.
      const auto here = heard.ids.begin() + ptrdiff_t(next);
      const bool twice = next < heard.ids.size() && std::find(heard.ids.begin(), here, *here) != here;
      if (twice)
        return problem(
            fmt::format("took one of {} twice, before {}", source.name, named(source.name, event)));
      const bool late = seen(here, heard.ids.end());
      return problem(
          fmt::format("{} {}", late ? "took others before" : "did not take", named(source.name, event)));
    }
    if (outcome.waiting++ == 0)
      outcome.first_waiting = fmt::format("{} for {}", named(source.name, event), consumer.name);
  }
  outcome.heard += next;
  const size_t more = heard.ids.size() - next;
  if (more > 0 && !source.went_on)
    return problem(fmt::format("took {} events of {} (partition {}) that its log does not have, or twice",
                               more, source.name, partition));
  const bool ahead = heard.watermark > last && (passed || source.went_on);
  if (more == 0 && last != heard.watermark && !ahead)
    problem(fmt::format("has the watermark {} for partition {} of {}, and took event {} last",
                        heard.watermark, partition, source.name, last));
}

}  // namespace micropay::app
