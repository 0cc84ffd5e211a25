// topics align: after databases or topics were restored, brings the topics to what the databases' logs have.
#include "libs/kafka/topics.h"
#include "app/cluster/alignment.h"
#include "app/cluster/service_node.h"
#include "app/commands/commands.h"
#include "app/console.h"
#include "app/instance.h"
#include "app/modules.h"
#include "libs/remote/remote_settings.h"

namespace micropay::app {
namespace {

// What is to be done, and was found; all is read again after it was done.
class Aligning {
 public:
  Aligning(const ClusterSettings& settings, std::vector<std::string> services, Progress& progress)
      : settings_(settings), services_(std::move(services)), progress_(progress) {}

  Result<void> open() {
    progress_.step("Looking at databases and topics");
    alignment_.emplace(TRY(Alignment::open(settings_, services_)));
    return {};
  }

  // Processes have their positions in memory, and publish meanwhile.
  Result<void> require_rest() {
    std::vector<std::string> running;
    for (const std::string& service : services_)
      for (const std::string& place : TRY(alignment_->log_of(service).instances()))
        running.push_back(fmt::format("{} ({})", service, place));
    if (running.empty()) return {};
    return fail(Code::kFailedPrecondition, "processes_run",
                fmt::format("these processes run, or ended less than {} s ago: {}",
                            settings_.store_lease / kSecond, fmt::join(running, ", ")));
  }

  // Topics that have to be made anew: those that do not fit, or have another number of partitions; or all.
  Result<void> judge(bool all) {
    misfits_ = TRY(alignment_->look());
    for (const Misfit& misfit : misfits_) {
      told_.push_back(misfit.text);
      if (!misfit.topics_mend_it())
        return fail(Code::kFailedPrecondition, "databases_differ",
                    fmt::format("the databases are not of one moment: {}", misfit.text));
      add(misfit.service);
    }
    for (const kafka::TopicInfo& topic : TRY(kafka::event_topics(settings_.kafka)))
      if (const std::string service = kafka::service_of(settings_.kafka, topic.name);
          topic.partitions != settings_.kafka.partitions && has_topic(service)) {
        told_.push_back(fmt::format("{} has {} partitions, and kafka.partitions is {}", topic.name,
                                    topic.partitions, settings_.kafka.partitions));
        add(service);
      }
    if (!all) return {};
    for (const std::string& service : services_)
      if (has_topic(service)) add(service);
    return {};
  }

  // The position first: whatever comes between, the topic is either still seen as what does not fit, or it is
  // empty and filled from the beginning.
  Result<void> mend() {
    progress_.step("Making topics anew");
    for (const std::string& service : anew_) TRY(alignment_->log_of(service).set_position(kShippingDuty, 0));
    TRY(kafka::make_anew(settings_.kafka, anew_));
    if (const auto left = TRY(alignment_->look()); !left.empty())
      return fail(Code::kFailedPrecondition, std::string(name_of(left.front().kind)), left.front().text);
    return {};
  }

  const std::vector<std::string>& anew() const { return anew_; }
  const std::vector<std::string>& told() const { return told_; }

 private:
  void add(const std::string& service) {
    if (std::ranges::count(anew_, service) == 0) anew_.push_back(service);
  }
  bool has_topic(const std::string& service) const {
    return std::ranges::count(services_, service) > 0 &&
           std::ranges::any_of(contract::model().events(),
                               [&](const contract::Event* event) { return event->service->name == service; });
  }

  const ClusterSettings& settings_;
  const std::vector<std::string> services_;
  Progress& progress_;
  std::optional<Alignment> alignment_;
  std::vector<Misfit> misfits_;
  std::vector<std::string> anew_, told_;
};

Result<void> run(const Arguments& arguments, Progress& progress) {
  Settings settings;
  TRY(load_settings(settings, arguments.text("--config"), arguments.all("--set")));
  const auto remote = TRY(RemoteSettings::load(settings, "micropay"));
  const ClusterSettings cluster(settings);
  if (!cluster.on)
    return fail(Code::kInvalidArgument, "no_cluster",
                "the settings are not those of a cluster: --config with profile: cluster");
  std::vector<std::string> services;
  for (const Service& service : TRY(make_services({settings, ""}, {}))) services.push_back(service.name);
  Aligning aligning(cluster, services, progress);
  TRY(aligning.open());
  TRY(aligning.judge(arguments.has("--all")));
  for (const std::string& text : aligning.told()) fmt::print("{}\n", text);
  if (aligning.anew().empty()) {
    fmt::print("Databases and topics belong together: there is nothing to do.\n");
    return {};
  }
  if (arguments.has("--dry-run")) {
    fmt::print("Would be made anew: the topics of {}.\n", fmt::join(aligning.anew(), ", "));
    return fail(Code::kFailedPrecondition, "not_aligned", "databases and topics do not belong together");
  }
  if (!arguments.has("--force")) TRY(aligning.require_rest());
  TRY(aligning.mend());
  fmt::print("Made anew, and filled from the logs at the next start: the topics of {}.\n",
             fmt::join(aligning.anew(), ", "));
  return {};
}

int align(const Arguments& arguments) {
  Progress progress("Aligning");
  const auto done = run(arguments, progress);
  if (done) return kOk;
  const std::string_view reason = done.error().reason;
  std::fflush(stdout);
  print_error(
      "topics align", done.error(),
      reason == "processes_run"
          ? "Stop all services, then run it again; --force does it while they run, and they have to be "
            "restarted."
      : reason == "databases_differ"
          ? "Restore all databases to one moment; micropay verify --cluster --kafka off says more."
          : "");
  return reason == "databases_differ" || reason == "not_aligned" ? kFailed : kUsage;
}

}  // namespace

const CommandInfo kTopicsAlignCommand{
    .path = "topics align",
    .summary = "Of a cluster: brings topics to what the databases have, after a restore",
    .description =
        "The services' logs, in their databases, are the truth; topics carry them. After databases were "
        "restored, topics have events that no log knows any more; after a broker lost its disk, they lack "
        "some. "
        "Processes notice at their start, take nothing in, and say so at /health/ready. This compares all "
        "databases with all topics, removes the topics that do not fit, makes them again, and lets each "
        "service "
        "begin with its log again: at the next start they are filled, and consumers leave out what they "
        "have. "
        "Run again it finds nothing to do; interrupted, it goes on where it was.\n"
        "It is refused while processes of the services run, and when the databases themselves are not of one "
        "moment, which no topic can mend. Dead letters (TOPIC-dlt) stay.",
    .options = {kConfigOption,
                kSetOption,
                {.name = "--dry-run", .help = "Only say what does not fit"},
                {.name = "--all", .help = "Make every topic anew, also those that fit"},
                {.name = "--force", .help = "Although processes run"}},
    .examples = "micropay topics align --config bootstrap.yaml",
    .exit_codes =
        "0 they belong together now, 1 the databases are not of one moment (or, with --dry-run, something "
        "does "
        "not fit), 2 it could not be done: processes run, a database or the broker does not answer, wrong "
        "arguments",
    .run = align};

}  // namespace micropay::app
