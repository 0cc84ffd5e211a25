// simulate: the whole platform in one thread, in a world that breaks what it can.
#include <thread>

#include "app/commands/commands.h"
#include "app/console.h"
#include "app/modules.h"
#include "app/simulator/campaign.h"
#include "libs/base/check_scope.h"
#include "libs/base/log.h"

namespace micropay::app {
namespace {

constexpr double kShrinkSeconds = 60;
constexpr size_t kMostText = 600;
constexpr uint64_t kSeedsForCoverage = 100;  // fewer runs cannot be expected to reach everything

Result<uint64_t> number(const Arguments& arguments, std::string_view name, uint64_t most) {
  const std::string text = arguments.text(name);
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || value > most) value = UINT64_MAX;
    if (value == UINT64_MAX) break;
    value = value * 10 + uint64_t(c - '0');
  }
  if (text.empty() || value > most)
    return fail(Code::kInvalidArgument, "invalid_number",
                fmt::format("\"{}\" is not a number from 0 to {}", text, most), std::string(name));
  return value;
}

// "3,5-9" as a set.
Result<std::set<uint32_t>> ranges(const std::string& text) {
  std::set<uint32_t> steps;
  for (const std::string& part : split_names({text})) {
    const size_t dash = part.find('-');
    try {
      const auto from = std::stoul(part), to = dash == part.npos ? from : std::stoul(part.substr(dash + 1));
      if (from > to || to > 10'000'000) throw std::out_of_range(part);
      for (unsigned long step = from; step <= to; ++step) steps.insert(uint32_t(step));
    } catch (const std::exception&) {
      return fail(Code::kInvalidArgument, "invalid_steps",
                  fmt::format("\"{}\" is no step or range of steps", part), "--keep");
    }
  }
  return steps;
}

std::string as_ranges(const std::set<uint32_t>& steps) {
  std::string text;
  for (auto at = steps.begin(); at != steps.end();) {
    const uint32_t from = *at;
    uint32_t to = from;
    while (++at != steps.end() && *at == to + 1) to = *at;
    text += fmt::format("{}{}", text.empty() ? "" : ",",
                        from == to ? fmt::format("{}", from) : fmt::format("{}-{}", from, to));
  }
  return text;
}

Result<CampaignOptions> read_options(const Arguments& arguments) {
  CampaignOptions options;
  options.first_seed = TRY(number(arguments, "--seed", uint64_t(1) << 40));
  options.seeds = TRY(number(arguments, "--seeds", 1'000'000'000));
  options.steps = uint32_t(TRY(number(arguments, "--steps", 10'000'000)));
  options.seconds = double(TRY(number(arguments, "--seconds", 1'000'000)));
  options.jobs = uint32_t(TRY(number(arguments, "--jobs", 256)));
  if (options.jobs == 0) options.jobs = std::max(1u, std::thread::hardware_concurrency());
  options.jobs = uint32_t(std::min<uint64_t>(options.jobs, std::max<uint64_t>(1, options.seeds)));
  options.services = split_names(arguments.all("--services"));
  const std::string profile = arguments.text("--profile");
  options.profile = profile == "embedded"  ? Profile::kEmbedded
                    : profile == "cluster" ? Profile::kCluster
                                           : Profile::kBoth;
  if (const std::string name = arguments.text("--plant"); !name.empty()) {
    const auto fault = fault_named(name);
    if (!fault) {
      std::vector<std::string> names;
      for (const FaultInfo& info : all_faults()) names.emplace_back(info.name);
      return fail(Code::kInvalidArgument, "unknown_fault",
                  fmt::format("there is no fault \"{}\"; there are {}", name, fmt::join(names, ", ")),
                  "--plant");
    }
    options.fault = *fault;
  }
  Settings settings;
  TRY(make_services({settings, ""}, options.services));
  return options;
}

void print_line(const TraceLine& line) {
  fmt::print("{:>7}  {:>14}  {:<22}  {}\n", line.step, fmt::format("{:.3f} s", double(line.time) / 1e6),
             line.where, line.what.substr(0, kMostText));
  std::fflush(stdout);
}

// The history of one run, shrunk first when asked for.
void explain(const CampaignOptions& campaign, uint64_t seed, const std::optional<std::set<uint32_t>>& keep,
             Progress& progress) {
  SimulationOptions options = options_of(campaign, seed);
  options.keep = keep;
  if (!keep) {
    const SimulationResult failed = run_apart(options);
    if (failed.problem.empty()) return;
    options.keep = shrink(options, failed, kShrinkSeconds, [&](size_t left) {
      progress.step(fmt::format("shrinking: {} steps are left", left));
    });
  }
  options.tell = print_line;
  fmt::print("{:>7}  {:>14}  {:<22}  what\n", "step", "time", "where");
  const SimulationResult result = run_apart(options);
  fmt::print("\n{}\n", result.problem.empty() ? "Every invariant held." : "WRONG: " + result.problem);
  std::string command =
      fmt::format("micropay simulate --seed {} --steps {} --profile {} --keep {}", seed, options.steps,
                  options.cluster ? "cluster" : "embedded", as_ranges(*options.keep));
  for (const FaultInfo& info : all_faults())
    if (info.fault == options.fault) command += fmt::format(" --plant {}", info.name);
  fmt::print("To see it again:\n  {}\n", command);
}

int print_result(const CampaignOptions& options, const CampaignResult& result, bool details) {
  fmt::print("{} runs, {} steps, {} requests, {} events in {:.1f} s: {} steps/s; digest {:016x}\n",
             grouped(result.runs), grouped(result.steps), grouped(result.requests), grouped(result.events),
             result.seconds, grouped(uint64_t(double(result.steps) / std::max(result.seconds, 0.001))),
             result.digest);
  if (result.failed_seed != 0) return kFailed;
  const auto missed = result.coverage.missed(), undeclared = result.coverage.undeclared();
  fmt::print("coverage: {} of {} commands, reasons, handlers, timers and outcomes\n", result.coverage.hit(),
             result.coverage.expected());
  const bool whole = options.seeds >= kSeedsForCoverage && options.services.empty() &&
                     options.fault == Fault::kNone && options.seconds == 0;
  if (!whole && !details) return kOk;
  for (const std::string& item : missed) fmt::print("not reached: {}\n", item);
  for (const std::string& item : undeclared) fmt::print("not in the contract: {}\n", item);
  return whole && (!missed.empty() || !undeclared.empty()) ? kFailed : kOk;
}

int simulate(const Arguments& arguments) {
  const auto options = read_options(arguments);
  if (!options) {
    print_error("simulate", options.error());
    return kUsage;
  }
  detail::log_level = LogLevel::kOff;  // a world of failures would fill the screen
  CheckScope::never();                 // nothing in it is damaged: what must hold has to hold
  Progress progress("Simulating");
  if (arguments.has("--keep")) {
    const auto keep = ranges(arguments.text("--keep"));
    if (!keep) {
      print_error("simulate", keep.error());
      return kUsage;
    }
    explain(*options, options->first_seed, *keep, progress);
    return kOk;
  }
  CampaignOptions campaign = *options;
  campaign.progress = [&](uint64_t done, uint64_t) { progress.count(done, "runs"); };
  const CampaignResult result = run_campaign(campaign);
  const int code = print_result(campaign, result, arguments.has("--coverage"));
  if (result.failed_seed == 0) return code;
  fmt::print("seed {} failed at step {}: {}\n", result.failed_seed, result.failed_step, result.problem);
  if (!arguments.has("--no-shrink")) explain(campaign, result.failed_seed, std::nullopt, progress);
  return code;
}

}  // namespace

const CommandInfo kSimulateCommand = {
    .path = "simulate",
    .summary = "Runs the platform in a simulated world and checks every invariant",
    .description =
        "Runs all services in one thread on a virtual clock, with clients that ask for everything the "
        "contracts "
        "allow and a world that crashes, delays, repeats, reorders and lies, and checks the invariants after "
        "every step. The same seed gives the same run on every machine. A seed that fails is shrunk to the "
        "shortest history that still does, which is printed with the command that repeats it.",
    .options = {{.name = "--seed", .value = "N", .help = "The first seed", .standard = "1"},
                {.name = "--seeds", .value = "N", .help = "How many, one after another", .standard = "1"},
                {.name = "--steps", .value = "N", .help = "Steps of a run", .standard = "2000"},
                {.name = "--profile",
                 .value = "NAME",
                 .help = "How services reach each other; both: by turns",
                 .standard = "both",
                 .choices = "both embedded cluster"},
                {.name = "--services", .value = "LIST", .help = "Only these", .repeatable = true},
                {.name = "--seconds", .value = "S", .help = "End early; 0: do not", .standard = "0"},
                {.name = "--jobs", .value = "N", .help = "Processes; 0: one a core", .standard = "0"},
                {.name = "--coverage", .help = "List what was not reached"},
                {.name = "--plant", .value = "FAULT", .help = "A fault that has to be found"},
                {.name = "--keep",
                 .value = "STEPS",
                 .help = "Only these steps of one seed, told step by step"},
                {.name = "--no-shrink", .help = "Do not look for a shorter history"}},
    .examples =
        "micropay simulate --seed 7\n"
        "micropay simulate --seeds 300 --coverage\n"
        "micropay simulate --seeds 50 --plant rounds-a-cent",
    .exit_codes = "0 every invariant held, 1 one did not or something was never reached, 2 wrong arguments",
    .run = simulate};

}  // namespace micropay::app
