// Services in other processes, called by gRPC. The connections live on the gateway's own I/O threads, so a
// request goes out and its answer comes back on the thread that its client is on.
#pragma once

#include "libs/rpc/client.h"
#include "services/gateway/backend.h"
#include "services/gateway/everywhere.h"
#include "services/gateway/key_notes.h"
#include "services/gateway/recent_writes.h"

namespace micropay::gateway {

class RemoteBackend final : public Backend {
 public:
  // `redis`: to notice that a key was used with another service's method; none: it is not.
  RemoteBackend(rpc::ClientOptions options, std::shared_ptr<rpc::Resolver> resolver, const Clock& clock,
                TraceSink* traces = nullptr, RedisClient* redis = nullptr);
  ~RemoteBackend() override;
  Result<void> start(HttpServer& server) override;
  void stop() override;

  std::optional<Error> refusal(const contract::Method& method) const override;
  std::optional<Result<Row>> query_now(const contract::Method&, const Principal&,
                                       const contract::Message&) override {
    return {};
  }
  void query(Command ask) override;
  void submit(Command command) override;
  Engine::State state() const override { return state_; }

 private:
  class IoLoop;
  Command traced(Command command) const;
  rpc::Loop* loop_here() const;
  void check_key(rpc::Loop& loop, Command command);
  void send(Command command);

  rpc::Client client_;
  Everywhere everywhere_;
  RecentWrites writes_;
  std::unique_ptr<KeyNotes> keys_;
  TraceSink* const traces_;
  std::vector<std::unique_ptr<IoLoop>> loops_;
  std::atomic<Engine::State> state_{Engine::State::kNew};
};

}  // namespace micropay::gateway
