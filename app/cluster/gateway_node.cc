#include "app/cluster/gateway_node.h"

#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <set>

#include "app/cluster/instances.h"
#include "app/version.h"
#include "contracts/user.pb.h"
#include "libs/base/log.h"
#include "libs/kafka/topics.h"
#include "services/user/authentication.h"

namespace micropay::app {
namespace {

constexpr Duration kKeyPeriod = 2 * kSecond;  // a new key signs; its tokens are refused until it is known
constexpr Duration kAskTimeout = 2 * kSecond;
constexpr Duration kInstancesPatience = 10 * kSecond;

std::vector<std::string> all_topics(const kafka::KafkaSettings& settings) {
  std::vector<std::string> topics;
  for (const contract::Service* service : contract::model().services())
    for (const contract::Event* event : contract::model().events())
      if (event->service == service) {
        topics.push_back(kafka::topic_of(settings, service->name));
        break;
      }
  return topics;
}

std::vector<std::string> called_services() {
  std::set<std::string> names;
  for (const contract::Method* method : contract::model().methods())
    if (method->service->port != 0) names.insert(method->service->name);
  return {names.begin(), names.end()};
}

template <typename Response, typename Request>
Result<Response> ask(rpc::Client& client, Request request) {
  Answer answer = client.call_and_wait({.method = contract::model().method_of<Request>(),
                                        .request = std::make_shared<Request>(std::move(request)),
                                        .principal = system_principal()},
                                       kAskTimeout);
  if (!answer.result) return std::unexpected(std::move(answer.result).error());
  return static_cast<const Response&>(**answer.result);
}

}  // namespace

GatewayNode::GatewayNode(const ClusterSettings& settings, gateway::GatewaySettings own, const Parts& parts)
    : settings_(settings),
      own_(std::move(own)),
      resolver_(parts.make_resolver()),
      keys_file_(parts.keys_file) {
  take_kept_keys();
  const rpc::ClientOptions options{.caller = "gateway", .keys = parts.keys, .plaintext = settings.plaintext};
  client_ = std::make_unique<rpc::Client>(options, parts.make_resolver(), system_clock());
  ApiKeyLookup lookup = [this](const std::string& id) { return find_api_key(id); };
  open_redis();
  if (key_facts_) lookup = cached_api_keys(*key_facts_, std::move(lookup));
  authenticator_ = std::make_unique<TokenAuthenticator>(ring_, std::move(lookup), system_clock(),
                                                        TokenAuthenticator::Options{.lookup_waits = true});
  backend_ = std::make_unique<gateway::RemoteBackend>(options, parts.make_resolver(), system_clock(),
                                                      parts.traces, redis_.get());
  feed_ = std::make_unique<TopicFeed>(settings.kafka, all_topics(settings.kafka),
                                      system_clock().now() - kLongestTokenLife);
  feed_->on_any([this](const gateway::EventBatch& events) { tell_revocations(events, *authenticator_); });
  gateway_ =
      std::make_unique<gateway::Gateway>(own_, gateway::Gateway::Parts{.backend = *backend_,
                                                                       .events = *feed_,
                                                                       .authenticator = *authenticator_,
                                                                       .clock = system_clock(),
                                                                       .version = std::string(kVersion),
                                                                       .traces = parts.traces,
                                                                       .redis = redis_.get()});
}

// The address was looked at when the settings were read.
void GatewayNode::open_redis() {
  if (settings_.redis.url.empty()) return;
  const auto limits = settings_.redis.options("limits"), facts = settings_.redis.options("api_keys");
  if (!limits || !facts) return;
  redis_ = std::make_unique<RedisClient>(*limits);
  key_facts_ = std::make_unique<RedisClient>(*facts);
}

GatewayNode::~GatewayNode() { stop(0); }

// Serves once there is whom to ask: a gateway that is ready, and knows nobody yet, would refuse everything.
Result<void> GatewayNode::start() {
  for (const std::string& name : missing_services(*resolver_, called_services(), kInstancesPatience))
    log_warn("gateway.service_unknown", "No instance of a service is known; its routes answer 503",
             {{"service", name}});
  TRY(client_->start());
  if (redis_) {
    key_facts_->start();
    revocations_ =
        std::make_unique<RevocationFollower>(TRY(settings_.redis.options("revocations")), *authenticator_);
    revocations_->start();
    redis_->start();
  }
  feed_->start();
  if (const auto known = fetch_keys(); !known)
    log_warn("gateway.keys_unknown",
             ring_->empty() ? "No token can be checked until the user service answers"
                            : "The user service does not answer: the keys that were known last are used",
             {{"reason", known.error().reason}});
  keys_thread_ = std::thread([this] { follow_keys(); });
  return gateway_->start();
}

void GatewayNode::follow_keys() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::microseconds(kKeyPeriod), [this] { return stopping_; })) {
    lock.unlock();
    (void)fetch_keys();  // the keys that are known stay good
    lock.lock();
  }
}

// While nobody can be asked, a token of a key that is not known here may be a good one.
Result<void> GatewayNode::fetch_keys() {
  const auto answer = ask<SigningKeys>(*client_, GetSigningKeysRequest());
  ring_->set_outdated(!answer);
  if (!answer) return std::unexpected(answer.error());
  TRY(ring_->show(answer->jwks()));
  keep_keys(answer->jwks());
  return {};
}

// Keys that were replaced go on verifying for a day; of what is older, nobody knows.
void GatewayNode::take_kept_keys() {
  struct stat status{};
  if (keys_file_.empty() || ::stat(keys_file_.c_str(), &status) != 0) return;
  const Time age = system_clock().now() - Time(status.st_mtim.tv_sec) * kSecond;
  if (age > kRetiredKeyLife || age < -kRetiredKeyLife) return;
  std::ifstream file(keys_file_);
  const std::string jwks{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (const auto shown = ring_->show(jwks); !shown)
    return log_warn("gateway.kept_keys_unreadable", shown.error().detail, {{"file", keys_file_}});
  ring_->set_outdated(true);
}

// Written whole beside the old one. Its time says when they were known to be right.
void GatewayNode::keep_keys(const std::string& jwks) {
  const Time now = system_clock().monotonic();
  if (keys_file_.empty() || (jwks == kept_keys_ && now - kept_at_ < kHour)) return;
  kept_keys_ = jwks, kept_at_ = now;
  const std::string fresh = keys_file_ + ".new";
  std::ofstream(fresh, std::ios::trunc) << jwks;
  if (std::rename(fresh.c_str(), keys_file_.c_str()) != 0)
    log_warn("gateway.keys_not_kept", "The keys that verify tokens cannot be written down",
             {{"file", keys_file_}});
}

// On a thread of gateway::Callers; a key is asked for once in a while (TokenAuthenticator::Options).
Result<std::optional<ApiKeyFacts>> GatewayNode::find_api_key(const std::string& id) {
  FindApiKeyRequest request;
  request.set_id(id);
  const auto grant = ask<ApiKeyGrant>(*client_, std::move(request));
  if (grant) return facts_of(*grant);
  if (grant.error().code == Code::kNotFound) return std::nullopt;
  return std::unexpected(grant.error());
}

void GatewayNode::stop(Duration grace) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (keys_thread_.joinable()) keys_thread_.join();
  if (gateway_) gateway_->stop(grace);
  feed_.reset();
  revocations_.reset();
  if (redis_) redis_->stop(), key_facts_->stop();
  if (client_) client_->stop();
}

}  // namespace micropay::app
