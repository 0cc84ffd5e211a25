// The gateway in a process of the cluster profile: the public edge, over services elsewhere. It has no data:
// the keys that verify tokens and what an API key may do it asks of the user service (the keys that it knew
// last are kept in a file, so that it serves while that service is away), who was signed out it hears from
// that service's topic.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "app/cluster/settings.h"
#include "app/cluster/topic_feed.h"
#include "libs/redis/shared_revocations.h"
#include "libs/rpc/resolver.h"
#include "libs/security/token_authenticator.h"
#include "services/gateway/gateway.h"
#include "services/gateway/remote_backend.h"

namespace micropay::app {

class GatewayNode {
 public:
  struct Parts {
    std::shared_ptr<rpc::TlsKeys> keys;
    std::function<std::shared_ptr<rpc::Resolver>()> make_resolver;
    TraceSink* traces = nullptr;
    std::string keys_file = {};  // where the keys that were known last are kept; empty: nowhere
  };
  GatewayNode(const ClusterSettings& settings, gateway::GatewaySettings own, const Parts& parts);
  ~GatewayNode();

  Result<void> start();
  void refuse_new() { gateway_->refuse_new(); }
  void stop(Duration grace);
  std::string address() const { return gateway_->address(); }
  std::string ops_address() const { return gateway_->ops_address(); }

 private:
  void follow_keys();
  void take_kept_keys();
  void keep_keys(const std::string& jwks);
  Result<void> fetch_keys();
  Result<std::optional<ApiKeyFacts>> find_api_key(const std::string& id);
  void open_redis();

  const ClusterSettings& settings_;
  const gateway::GatewaySettings own_;
  const std::shared_ptr<rpc::Resolver> resolver_;
  std::shared_ptr<KeyRing> ring_ = KeyRing::verifying();
  const std::string keys_file_;
  std::string kept_keys_;  // what the file has
  Time kept_at_ = 0;
  std::unique_ptr<rpc::Client> client_;             // what the gateway asks as itself
  std::unique_ptr<RedisClient> redis_, key_facts_;  // of rate limits, of API keys; none without Redis
  std::unique_ptr<TokenAuthenticator> authenticator_;
  std::unique_ptr<RevocationFollower> revocations_;
  std::unique_ptr<gateway::RemoteBackend> backend_;
  std::unique_ptr<TopicFeed> feed_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread keys_thread_;
};

}  // namespace micropay::app
