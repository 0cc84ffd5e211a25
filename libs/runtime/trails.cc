// What the caller of a command has to find at other services, too (marks.h): all events of its correlation
// that are committed here until it is answered, its own and those that came from others.
#include "libs/runtime/engine_impl.h"

namespace micropay {
namespace {

const contract::Table& consumers() {
  static const contract::Table& table = detail::table_or_die(ConsumerRecord::descriptor());
  return table;
}

}  // namespace

// How far the tick that was committed, here or by another instance, and with it this service, is in the
// topics of others.
Engine::Impl::Consumed Engine::Impl::note_consumed(const Tick* foreign) {
  Consumed consumed;
  const auto note = [&](const Row& row) {
    if (!row) return;
    const auto& record = static_cast<const ConsumerRecord&>(*row);
    watermarks_.reached(record.service(), record.position());
    consumed[source_of(record.service())] = record.position();
  };
  if (foreign == nullptr) {
    host_.work().each_changed(consumers(), [&](const Row&, const Row& after) { note(after); });
  } else {
    for (const RowChange& change : foreign->changes)
      if (change.table == &consumers()) note(change.row);
  }
  if (!consumed.empty()) watermarks_.wake();
  return consumed;
}

// An event of another service has a place of its own in this log; its place there, or a little behind it, is
// what the tick has noted of its partition.
void Engine::Impl::follow_trails(const std::vector<Event>& events, const Consumed& consumed) {
  if (trails_.empty()) return;
  for (const Event& event : events) {
    const auto trail = trails_.find(std::string(event->envelope.correlation_id()));
    if (trail == trails_.end()) continue;
    const contract::Service* source = event->type->service;
    const uint32_t partition = options_.partition_of(event->envelope.key());
    uint64_t position = event->envelope.position();
    if (std::ranges::none_of(services_, [&](const Service& own) { return own.contract == source; })) {
      const auto at = consumed.find({source, partition});
      if (at == consumed.end()) continue;
      position = at->second;
    }
    add_mark(trail->second, {source, partition, type_digest(event->type->type), position});
  }
}

void Engine::Impl::begin_trail(const Command& command) { trails_.try_emplace(command.correlation_id); }

// Before the answers of a tick go out. Commands of one correlation get the same.
void Engine::Impl::end_trails() {
  if (trails_.empty()) return;
  for (auto& [command, answer] : answers_)
    if (const auto trail = trails_.find(command->correlation_id); trail != trails_.end())
      answer.marks = trail->second;
  for (const auto& [command, answer] : answers_) trails_.erase(command->correlation_id);
}

Result<void> Engine::Impl::load_watermarks() {
  if (!options_.shared_store) return {};
  return store_.scan(consumers(), [this](const Row& row) {
    const auto& record = static_cast<const ConsumerRecord&>(*row);
    watermarks_.reached(record.service(), record.position());
    return true;
  });
}

}  // namespace micropay
