// What may befall the world of a run, and how it is healed at the end.
#include "app/simulator/world.h"

namespace micropay::app {

// kill -9, or the power fails: in the embedded profile what was not synced is lost or torn, sometimes in the
// middle of a commit that nobody will ever hear of.
std::string SimulatedWorld::crash(Random& random) {
  Process* process = busy(random);
  if (process == nullptr) return {};
  LogDisk* disk = process->site_.disk.get();
  const bool within = random.chance(40);
  if (within && disk != nullptr) {
    disk->folder().stop_at_sync = true;
    clients_->ignore_answers(true);
    process->engine().step();
    clients_->ignore_answers(false);
  }
  return stop_machine(*process, random) + (within ? " within a commit" : "");
}

std::string SimulatedWorld::stop_machine(Process& process, Random& random) {
  process.stop();
  clients_->crashed(&process);
  if (process.site_.disk) process.site_.disk->crash(random);
  return "crashes";
}

// What is assumed of a row, and is only written with the first use, shows when a process ends behind a first
// time and before a second; or between a call to the outside and its answer.
std::string SimulatedWorld::after_first_time(Process& process, Random& random) {
  if (!std::exchange(process.site_.first_time, false) || !first_times_ || !random.chance(40)) return {};
  if (process.jobs() > 0 && random.chance(50)) process.run_job(random.below(process.jobs()));
  std::string what = ", and then " + stop_machine(process, random);
  if (random.chance(70)) start(process, random), what += " and starts";
  return what;
}

std::string SimulatedWorld::restart(Random& random) {
  for (const auto& site : sites_)
    for (const auto& process : site->processes)
      if (!process->up()) {
        note(process->name());
        start(*process, random);
        return process->up() ? "starts" : "cannot start yet";
      }
  return {};
}

std::string SimulatedWorld::hurt_store(Random& random) {
  Site& site = any_site(random);
  note(site.name());
  if (site.disk) {
    LogFolderTwin& folder = site.disk->folder();
    if (folder.fail_sync || folder.capacity == 0) {
      folder.fail_sync = false, folder.capacity = UINT64_MAX;
      return "the disk is well again";
    }
    if (random.chance(50)) folder.fail_sync = true;
    else folder.capacity = 0;
    return folder.fail_sync ? "the disk fails to sync" : "the disk is full";
  }
  using Mood = Database::Mood;
  site.database->mood = site.database->mood != Mood::kWell ? Mood::kWell
                        : random.chance(50)                ? Mood::kRefuses
                                                           : Mood::kLosesAnswers;
  return fmt::format("the database {}", site.database->mood == Mood::kWell ? "is well again"
                                        : site.database->mood == Mood::kRefuses
                                            ? "refuses"
                                            : "commits and does not say so");
}

std::string SimulatedWorld::jump_clock(Random& random) {
  const Duration by = random.of<Duration>({kHour, -kHour, 5 * kMinute, -3 * kSecond});
  clock_.jump(by);
  return fmt::format("the clock jumps {}{}", by < 0 ? "back " : "forth ", format_duration(std::abs(by)));
}

std::string SimulatedWorld::pause(Random& random) {
  Site& site = any_site(random);
  Process& process = site.any(random);
  if (!process.up()) return {};
  note(process.name());
  process.paused = !process.paused;
  return process.paused ? "is stopped, and does not know" : "goes on";
}

// Another instance takes a partition over, from somewhere before where it has to be.
std::string SimulatedWorld::rebalance(Random& random) {
  Site& site = any_site(random);
  if (site.topics().empty()) return {};
  auto topic = site.topics().begin();
  std::advance(topic, random.below(site.topics().size()));
  const auto partition = uint32_t(random.below(kPartitions));
  Process& process = site.any(random);
  if (!process.up()) return {};
  site.owners[{*topic, partition}] = process.instance_;
  process.rewind(bus_, *topic, partition, random.below(5));
  note(process.name());
  return fmt::format("takes over {} {}", *topic, partition);
}

void SimulatedWorld::heal(Random& random) {
  honest_ = true;
  for (const auto& site : sites_) {
    if (site->disk) site->disk->folder().fail_sync = false, site->disk->folder().capacity = UINT64_MAX;
    if (site->database) site->database->mood = Database::Mood::kWell;
    for (const auto& process : site->processes) {
      process->paused = false;
      if (!process->up()) start(*process, random);
    }
  }
}

bool SimulatedWorld::run_all(Random& random) {
  bool progress = false;
  for (const auto& site : sites_)
    for (const auto& process : site->processes) {
      for (int i = 0; i < 200 && process->engine().step(); ++i) progress = true;
      while (process->jobs() > 0) process->run_job(0), progress = true;
      while (process->publish(bus_, 100)) progress = true;
      for (const std::string& topic : site->topics())
        for (uint32_t partition = 0; partition < kPartitions; ++partition)
          if (site->owners[{topic, partition}] % site->processes.size() == process->instance_)
            while (process->deliver(bus_, topic, partition)) progress = true;
    }
  (void)random;
  return progress;
}

// Runs until nothing is due within the horizon; false when it never comes to rest.
bool SimulatedWorld::settle(Random& random, Duration horizon) {
  clock_.advance(kSecond);
  const Time end = clock_.monotonic() + horizon;
  for (int rounds = 0; rounds < 20'000 && watch_.problem().empty(); ++rounds) {
    if (run_all(random)) continue;
    Time due = INT64_MAX;
    for (const auto& site : sites_)
      for (const auto& process : site->processes) due = std::min(due, process->engine().next_due());
    if (due > end) {
      clock_.advance(kSecond);  // an engine that was refused a commit tries again after a moment
      return true;
    }
    clock_.advance(std::max(due - clock_.monotonic(), 50 * kMillisecond));
  }
  return !watch_.problem().empty();
}

// Clients that do not know what became of their request ask until they do.
void SimulatedWorld::answer_open(Random& random) {
  for (int rounds = 0; rounds < 20; ++rounds) {
    size_t open = 0;
    for (Request& request : clients_->requests()) {
      if (request.key.empty() || request.state == Request::State::kAnswered) continue;
      if (request.state == Request::State::kUnasked) continue;
      ++open;
      for (const auto& site : sites_) {
        if (!site->runs(request.method->service->name)) continue;
        const std::string answer =
            clients_->ask(request, site->processes[0]->engine(), site->processes[0].get(), random);
        if (options_.tell)
          options_.tell({number_, clock_.monotonic() - began_, site->name(),
                         fmt::format("the client of {} asks again: {}", request.number, answer)});
      }
      if (open % 32 == 0) run_all(random);
    }
    settle(random, kMinute);
    if (open == 0) return;
  }
}

// Who still has what to do.
std::string SimulatedWorld::unrest() {
  std::string text;
  for (const auto& site : sites_)
    for (const auto& process : site->processes) {
      const EngineStats stats = process->engine().stats();
      const Time due = process->engine().next_due();
      if (due == INT64_MAX && stats.queued == 0 && process->jobs() == 0) continue;
      text += fmt::format(
          "{}: due in {}, {} queued, {} effects, {} deliveries, {} timers, {} jobs; ", process->name(),
          due == INT64_MAX ? "never" : format_duration(due - clock_.monotonic()), stats.queued,
          stats.effects_pending, stats.deliveries_pending, stats.timers_pending, process->jobs());
    }
  return text;
}

void SimulatedWorld::finish(uint32_t number) {
  Random random(options_.seed, uint64_t(1) << 42);
  random_ = &random;
  number_ = number;
  heal(random);
  for (const auto& site : sites_)
    for (const std::string& topic : site->topics())
      for (uint32_t partition = 0; partition < kPartitions; ++partition)
        for (const auto& process : site->processes) process->rewind(bus_, topic, partition, 0);
  const auto rest = [&](Duration horizon) {
    if (!settle(random, horizon)) watch_.blame("it does not come to rest: " + unrest());
    after_step();
  };
  rest(random.chance(50) ? kMinute : 4 * kDay);
  if (problem().empty()) answer_open(random);
  if (problem().empty()) rest(4 * kDay);
  for (const auto& site : sites_)  // and once more from what is kept alone
    for (const auto& process : site->processes) {
      process->stop();
      clients_->crashed(process.get());
      start(*process, random);
    }
  if (problem().empty()) rest(kMinute);
  if (problem().empty() && options_.services.empty())
    if (std::string found = reckon(sites_, *clients_, watch_); !found.empty()) watch_.blame(std::move(found));
  if (options_.tell)
    options_.tell(
        {number_, clock_.monotonic() - began_, "", "everything is healed, comes to rest and is reckoned"});
  random_ = nullptr;
}

}  // namespace micropay::app
