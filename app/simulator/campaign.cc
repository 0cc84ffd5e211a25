#include "app/simulator/campaign.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <sstream>

#include "libs/base/time.h"

namespace micropay::app {
namespace {

constexpr const char* kCrashed = "the process crashed";

double now_seconds() { return double(system_clock().monotonic()) / 1e6; }

// What a worker tells: a line a run, then its coverage.
void report(FILE* out, uint64_t seed, const SimulationResult& result) {
  std::string problem = result.problem;
  std::replace(problem.begin(), problem.end(), '\n', ' ');
  fmt::print(out, "run {} {} {} {} {} {} {}\n", seed, result.steps, result.events, result.requests,
             result.digest, result.step, problem);
  std::fflush(out);
}

void work(const CampaignOptions& options, uint32_t worker, double deadline,
          const std::atomic<uint64_t>& stop_at, FILE* out) {
  Coverage coverage;
  for (uint64_t i = worker; i < options.seeds; i += options.jobs) {
    const uint64_t seed = options.first_seed + i;
    if (seed > stop_at || (options.seconds > 0 && now_seconds() > deadline)) break;
    fmt::print(out, "begin {}\n", seed);
    std::fflush(out);
    Coverage of_run;
    const SimulationResult result = Simulation(options_of(options, seed), of_run).run();
    coverage.add(of_run);
    report(out, seed, result);
    if (!result.problem.empty()) break;
  }
  fmt::print(out, "{}", coverage.text());
  std::fflush(out);
}

void take_run(const std::string& line, CampaignResult& result) {
  std::istringstream in(line);
  std::string word, problem;
  uint64_t seed = 0, steps = 0, events = 0, requests = 0, digest = 0;
  uint32_t step = 0;
  in >> word >> seed >> steps >> events >> requests >> digest >> step;
  std::getline(in >> std::ws, problem);
  ++result.runs;
  result.steps += steps, result.events += events, result.requests += requests;
  result.digest ^= digest * (2 * seed + 1);
  if (problem.empty() || (result.failed_seed != 0 && seed > result.failed_seed)) return;
  result.failed_seed = seed, result.problem = problem, result.failed_step = step;
}

// The workers' pipes, line by line, whoever writes first.
class Reader {
 public:
  explicit Reader(const std::vector<std::pair<pid_t, int>>& workers) : workers_(workers) {
    for (const auto& [pid, from] : workers) waiting_.push_back({.fd = from, .events = POLLIN, .revents = 0});
    text_.resize(workers.size());
    begun_.resize(workers.size());
  }
  // Waits for one of them to write or to end; false when all have ended.
  bool wait() {
    lines_.clear();
    crashed_ = false;
    if (ended_ == waiting_.size()) return false;
    CHECK(poll(waiting_.data(), waiting_.size(), -1) > 0);
    for (at_ = 0; waiting_[at_].revents == 0;) ++at_;
    char piece[65536];
    const ssize_t size = read(waiting_[at_].fd, piece, sizeof piece);
    if (size <= 0) return end();
    std::string& text = text_[at_];
    text.append(piece, size_t(size));
    for (size_t line_end; (line_end = text.find('\n')) != text.npos; text.erase(0, line_end + 1))
      lines_.push_back(text.substr(0, line_end));
    return true;
  }
  const std::vector<std::string>& lines() const { return lines_; }
  uint64_t& begun() { return begun_[at_]; }  // the seed that this worker is at
  bool crashed() const { return crashed_; }  // it has just ended so

 private:
  bool end() {
    int status = 0;
    waitpid(workers_[at_].first, &status, 0);
    crashed_ = status != 0;
    close(waiting_[at_].fd);
    waiting_[at_].fd = -1;
    ++ended_;
    return true;
  }
  const std::vector<std::pair<pid_t, int>>& workers_;
  std::vector<pollfd> waiting_;
  std::vector<std::string> text_, lines_;
  std::vector<uint64_t> begun_;
  size_t ended_ = 0, at_ = 0;
  bool crashed_ = false;
};

// "account 0192…: reserved is 5" and "account 0193…: reserved is 7" are the same problem.
std::string kind_of(const std::string& problem) {
  std::string kind;
  for (const char c : problem)
    if (!std::isdigit(c) && (c < 'a' || c > 'f') && c != '-') kind += c;
  return kind.substr(0, 40);
}

}  // namespace

SimulationOptions options_of(const CampaignOptions& options, uint64_t seed) {
  SimulationOptions one{
      .seed = seed, .steps = options.steps, .services = options.services, .fault = options.fault};
  one.cluster = options.profile == Profile::kCluster || (options.profile == Profile::kBoth && seed % 2 == 0);
  return one;
}

CampaignResult run_campaign(const CampaignOptions& options) {
  CampaignResult result;
  const double began = now_seconds(), deadline = began + options.seconds;
  {
    Simulation(options_of({.steps = 0, .services = options.services}, 1), result.coverage).run();
  }
  std::vector<std::pair<pid_t, int>> workers;
  // Read by the workers: nobody begins a seed behind one that failed.
  void* shared =
      mmap(nullptr, sizeof(std::atomic<uint64_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  auto* stop_at = new (shared) std::atomic<uint64_t>(UINT64_MAX);
  for (uint32_t worker = 0; worker < options.jobs; ++worker) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      close(ends[0]);
      work(options, worker, deadline, *stop_at, fdopen(ends[1], "w"));
      _exit(0);
    }
    close(ends[1]);
    workers.emplace_back(pid, ends[0]);
  }
  for (Reader reader(workers); reader.wait();) {
    for (const std::string& line : reader.lines()) {
      if (line.starts_with("begin ")) reader.begun() = std::stoull(line.substr(6));
      else if (line.starts_with("run ")) take_run(line, result);
      else result.coverage.add_text(line);
    }
    if (options.progress) options.progress(result.runs, result.failed_seed != 0);
    if (result.failed_seed != 0) *stop_at = result.failed_seed;
    if (!reader.crashed()) continue;
    const uint64_t seed = reader.begun();
    if (result.failed_seed != 0 && result.failed_seed < seed) continue;
    result.failed_seed = seed, result.problem = kCrashed, result.failed_step = options.steps;
  }
  result.seconds = now_seconds() - began;
  return result;
}

SimulationResult run_apart(const SimulationOptions& options) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  std::fflush(stdout);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    Coverage unused;
    const SimulationResult result = Simulation(options, unused).run();
    FILE* out = fdopen(ends[1], "w");
    report(out, options.seed, result);
    std::fflush(stdout);
    _exit(0);
  }
  close(ends[1]);
  FILE* in = fdopen(ends[0], "r");
  char* line = nullptr;
  size_t size = 0;
  CampaignResult told;
  if (getline(&line, &size, in) > 0) {
    std::string text(line);
    text.pop_back();
    take_run(text, told);
  }
  free(line);
  fclose(in);
  int status = 0;
  waitpid(pid, &status, 0);
  SimulationResult result{.problem = told.problem, .step = told.failed_step, .steps = told.steps};
  if (status != 0) result.problem = kCrashed, result.step = options.steps;
  return result;
}

std::set<uint32_t> shrink(SimulationOptions options, const SimulationResult& failed, double seconds,
                          const std::function<void(size_t left)>& progress) {
  const double deadline = now_seconds() + seconds;
  std::vector<uint32_t> steps;
  for (uint32_t step = 0; step <= failed.step && step < options.steps; ++step) steps.push_back(step);
  const std::string wanted = kind_of(failed.problem);
  const auto still_fails = [&](const std::vector<uint32_t>& kept) {
    options.keep = std::set<uint32_t>(kept.begin(), kept.end());
    return kind_of(run_apart(options).problem) == wanted;
  };
  // ddmin (Zeller and Hildebrandt, 2002): leave out ever smaller pieces.
  for (size_t piece = std::max<size_t>(1, steps.size() / 2); now_seconds() < deadline;) {
    bool smaller = false;
    for (size_t at = 0; at < steps.size() && now_seconds() < deadline;) {
      std::vector<uint32_t> rest(steps.begin(), steps.begin() + ptrdiff_t(at));
      rest.insert(rest.end(), steps.begin() + ptrdiff_t(std::min(at + piece, steps.size())), steps.end());
      if (rest.size() < steps.size() && still_fails(rest)) {
        steps = std::move(rest), smaller = true;
        if (progress) progress(steps.size());
      } else {
        at += piece;
      }
    }
    if (piece == 1 && !smaller) break;
    piece = std::max<size_t>(1, piece / 2);
  }
  return {steps.begin(), steps.end()};
}

}  // namespace micropay::app
