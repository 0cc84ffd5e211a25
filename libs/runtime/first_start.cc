// A service that is opened over this data for the first time, in a new folder or in one that is older than
// the service: its seeds run, and where its followers begin is written down, in one tick that is durable
// before anything else can be committed. Were that written with the first event that is followed, a process
// that ends between the two would begin behind it.
#include "libs/runtime/engine_impl.h"

namespace micropay {
namespace {

constexpr int kMostRaces = 20;  // with other instances that start at this moment

// What a service hears of others, each by a name of its own.
std::set<std::string> heard_names(const Service& service) {
  std::set<std::string> names;
  for (const auto* handlers : {&service.reactions, &service.followers, &service.projections})
    for (const Service::EventHandler& handler : *handlers)
      if (handler.event == nullptr || handler.event->service != service.contract)
        names.insert(hearing_of(service.name, handler.event == nullptr ? "*" : handler.event->type));
  return names;
}

}  // namespace

std::string hearing_of(std::string_view service, std::string_view type) {
  return fmt::format("hears:{}/{}", service, type);
}

Result<void> Engine::Impl::begin_services() {
  for (int race = 0; race < kMostRaces; ++race) {
    store_.begin_tick();
    const LogEnd end = store_.end();
    host_.begin_tick(clock_.now(), end.tick + 1, end.next_position);
    delivered_ = 0;
    conflicts_in_row_ = 0;
    try {
      for (const Service& service : services_) TRY(begin(service, end));
      if (options_.shared_store) TRY(begin_hearing(end));
      drain();
    } catch (const StoreConflict&) {
      host_.abandon_input();
      commit_conflicted();
      continue;
    } catch (const StoreUnavailable& away) {
      host_.abandon_input();
      return std::unexpected(away.error);
    }
    if (host_.tick_empty() || commit()) return {};
    if (conflicts_in_row_ == 0) return std::unexpected(store_error_);
  }
  return fail(Code::kUnavailable, "storage_contended", "Other instances that start write the same records.");
}

Result<void> Engine::Impl::begin(const Service& service, const LogEnd& end) {
  // With a store that others share, followers run in the tick of their event and need no place of their own.
  const uint64_t follows = options_.shared_store ? 0 : follows_digest(service);
  if (follows == 0 && service.seeds.empty()) return {};
  ConsumerRecord record;
  if (const auto* known = find_row<ConsumerRecord>(host_, service.name)) {
    if (known->follows() == follows || follows == 0) return {};
    record = *known;
    const bool followed_nothing = known->follows() == 0 && known->began() != 0;
    if (followed_nothing) record.set_position(end.next_position);
  } else {
    // Data from before these records were kept has rows of a service that was there.
    if (end.tick == 0 || TRY(has_no_rows(service))) TRY(run_seeds(service));
    record.set_service(service.name);
    record.set_position(end.next_position);
  }
  record.set_began(record.position());
  record.set_followed(0);
  record.set_follows(follows);
  if (follows != 0) follows_[&service] = record;
  host_.put(std::move(record));
  return {};
}

// Events of other processes come by topics, and a handler that is new hears those that come from now on:
// verify has to know since when. Data from before this was kept counts from its beginning.
Result<void> Engine::Impl::begin_hearing(const LogEnd& end) {
  std::set<std::string> known;
  TRY(store_.scan(detail::table_or_die(ConsumerRecord::descriptor()), [&](const Row& row) {
    const std::string& name = static_cast<const ConsumerRecord&>(*row).service();
    if (name.starts_with("hears:")) known.insert(name);
    return true;
  }));
  for (const Service& service : services_)
    for (const std::string& name : heard_names(service)) {
      if (known.contains(name)) continue;
      ConsumerRecord record;
      record.set_service(name);
      record.set_position(known.empty() ? 1 : end.next_position);
      host_.put(std::move(record));
    }
  return {};
}

Result<void> Engine::Impl::run_seeds(const Service& service) {
  for (const auto& seed : service.seeds) {
    const InputFrame frame{.service = service.contract,
                           .principal = &system_principal(),
                           .correlation_id = "seed",
                           .causation_id = "seed",
                           .actor = "system"};
    TRY(host_.run(frame, seed));
  }
  return {};
}

Result<bool> Engine::Impl::has_no_rows(const Service& service) const {
  bool none = true;
  for (const contract::Table* table : service.contract->tables)
    if (none) TRY(store_.scan(*table, [&](const Row&) { return none = false; }));
  return none;
}

}  // namespace micropay
