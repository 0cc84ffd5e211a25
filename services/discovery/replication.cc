#include "services/discovery/replication.h"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/remote/http_client.h"

namespace micropay::discovery {
namespace {

constexpr size_t kMaxQueued = 10'000;
constexpr size_t kBatch = 250;
constexpr Duration kFirstPause = 200 * kMillisecond;  // after a failure; doubled up to the last
constexpr Duration kLastPause = 10 * kSecond;

HttpClientOptions client_options(const DiscoverySettings& settings) {
  return {.user = settings.user, .password = settings.password, .ca_file = settings.ca_file};
}

Counter& batches(bool ok) {
  return counter("micropay_discovery_replication_batches_total", "Batches of changes to other servers",
                 {{"outcome", ok ? "taken" : "failed"}});
}

}  // namespace

class Replication::Peer {
 public:
  Peer(std::string url, const DiscoverySettings& settings, Api& api)
      : url_(std::move(url)), api_(api), client_(client_options(settings)) {}
  ~Peer() { stop(); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    {
      std::scoped_lock lock(mutex_);
      stopped_ = true;
    }
    client_.cancel();
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  void tell(const Replica& replica);
  // Everything that it has, as JSON.
  Result<std::string> ask_for_all() {
    auto answer = TRY(client_.send({.url = url_ + "/apps", .headers = {"Accept: application/json"}}));
    if (!answer.ok())
      return fail(Code::kUnavailable, "remote_unavailable", fmt::format("status {}", answer.status));
    return std::move(answer.body);
  }
  const std::string& url() const { return url_; }

 private:
  void run();
  std::vector<Replica> next_batch();
  bool send(const std::vector<Replica>& batch);
  void look_at(const std::vector<Replica>& batch, const std::vector<ReplicaAnswer>& answers);
  void say_up(bool up, std::string_view why);

  const std::string url_;
  Api& api_;
  HttpClient client_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Replica> queue_;  // guarded by mutex_
  bool stopped_ = false;       // guarded by mutex_
  bool up_ = true;
  std::thread thread_;
};

// Renewals of the same instance are one, as long as nothing else of it waits behind.
void Replication::Peer::tell(const Replica& replica) {
  static Counter& dropped =
      counter("micropay_discovery_replication_dropped_total", "Changes that a peer that is away misses");
  {
    std::scoped_lock lock(mutex_);
    if (replica.kind == Replica::Kind::kHeartbeat) {
      for (size_t i = queue_.size(); i-- > 0;) {
        if (queue_[i].id != replica.id || queue_[i].app != replica.app) continue;
        if (queue_[i].kind == Replica::Kind::kHeartbeat) return void(queue_[i] = replica);
        break;
      }
    }
    if (queue_.size() >= kMaxQueued) {
      queue_.pop_front();
      dropped.add();
    }
    queue_.push_back(replica);
  }
  wake_.notify_one();
}

std::vector<Replica> Replication::Peer::next_batch() {
  std::vector<Replica> batch;
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
  if (stopped_) return batch;
  for (size_t i = 0; i < std::min(kBatch, queue_.size()); ++i) batch.push_back(queue_[i]);
  queue_.erase(queue_.begin(), queue_.begin() + ptrdiff_t(batch.size()));
  return batch;
}

void Replication::Peer::run() {
  pthread_setname_np(pthread_self(), "replication");
  while (true) {
    const auto batch = next_batch();
    if (batch.empty()) return;
    for (Duration pause = kFirstPause; !send(batch); pause = std::min(2 * pause, kLastPause)) {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::microseconds(pause), [this] { return stopped_; })) return;
    }
  }
}

void Replication::Peer::say_up(bool up, std::string_view why) {
  if (std::exchange(up_, up) == up) return;
  if (up) log_info("discovery.peer", "A peer takes changes again", {{"peer", url_}});
  else log_warn("discovery.peer", "A peer takes no changes", {{"peer", url_}, {"error.message", why}});
}

bool Replication::Peer::send(const std::vector<Replica>& batch) {
  const auto answer = client_.send({.method = "POST",
                                    .url = url_ + "/peerreplication/batch/",
                                    .headers = {"Content-Type: application/json", "Accept: application/json",
                                                "X-Netflix-Discovery-Replication: true"},
                                    .body = write_replicas(batch)});
  static Counter& taken = batches(true);
  static Counter& failed = batches(false);
  // What it refuses as a whole it will refuse again.
  const bool refused = answer && answer->status >= 400 && answer->status < 500 && answer->status != 401 &&
                       answer->status != 429;
  if (!answer || (!answer->ok() && !refused)) {
    failed.add();
    say_up(false, answer ? fmt::format("status {}", answer->status) : answer.error().detail);
    return false;
  }
  say_up(true, {});
  (refused ? failed : taken).add();
  if (const auto answers = read_replica_answers(answer->body); answers && !refused) look_at(batch, *answers);
  return true;
}

// It does not know an instance that is renewed: it is told of it. It knows a newer one: that one is taken.
void Replication::Peer::look_at(const std::vector<Replica>& batch,
                                const std::vector<ReplicaAnswer>& answers) {
  for (size_t i = 0; i < std::min(batch.size(), answers.size()); ++i) {
    const Replica& sent = batch[i];
    if (answers[i].status == 404 && sent.kind != Replica::Kind::kCancel) {
      const InstancePtr known = api_.find(sent.app, sent.id);
      if (known)
        tell({.kind = Replica::Kind::kRegister,
              .app = sent.app,
              .id = sent.id,
              .dirty_ms = known->dirty_ms,
              .status = known->status,
              .instance = known});
    } else if (answers[i].status == 409 && answers[i].newer) {
      const InstancePtr& newer = answers[i].newer;
      api_.apply({.kind = Replica::Kind::kRegister,
                  .app = newer->app,
                  .id = newer->id,
                  .dirty_ms = newer->dirty_ms,
                  .status = newer->status,
                  .instance = newer});
    }
  }
}

Replication::Replication(const DiscoverySettings& settings, Api& api, const Clock& clock)
    : settings_(settings), api_(api), clock_(clock) {
  for (const std::string& peer : settings.peers)
    peers_.push_back(std::make_unique<Peer>(peer, settings, api));
}
Replication::~Replication() { stop(); }

bool Replication::take_over() {
  if (peers_.empty()) return false;
  const Time end = clock_.monotonic() + settings_.sync_timeout;
  std::string why;
  bool worth_it =
      true;  // who refuses the connection is not there, or starts as we do; who is slow may answer yet
  do {
    worth_it = false;
    for (const auto& peer : peers_) {
      const auto all = peer->ask_for_all();
      const auto taken = all ? api_.take_in(*all) : Result<size_t>(std::unexpected(all.error()));
      if (taken) {
        log_info("discovery.synced", "The registry of a peer was taken over",
                 {{"peer", peer->url()}, {"instances", *taken}});
        return true;
      }
      why = taken.error().detail;
      worth_it |= taken.error().code == Code::kDeadlineExceeded;
    }
  } while (worth_it && clock_.monotonic() < end);
  log_warn("discovery.alone", "No peer answered: instances will register again", {{"error.message", why}});
  return false;
}

void Replication::start() {
  for (const auto& peer : peers_) peer->start();
}
void Replication::stop() {
  for (const auto& peer : peers_) peer->stop();
}
void Replication::tell(const Replica& replica) {
  for (const auto& peer : peers_) peer->tell(replica);
}

}  // namespace micropay::discovery
