// Services in other processes, called by gRPC. The connections live on the gateway's own I/O threads, so a
// request goes out and its answer comes back on the thread that its client is on.
#pragma once

#include "libs/rpc/client.h"
#include "services/gateway/backend.h"

namespace micropay::gateway {

class RemoteBackend final : public Backend {
 public:
  RemoteBackend(rpc::ClientOptions options, std::shared_ptr<rpc::Resolver> resolver, const Clock& clock,
                TraceSink* traces = nullptr);
  ~RemoteBackend() override;
  Result<void> start(HttpServer& server) override;
  void stop() override;

  bool full(const contract::Method& method) const override { return client_.refuses(method); }
  std::optional<Result<Row>> query_now(const contract::Method&, const Principal&,
                                       const contract::Message&) override {
    return {};
  }
  void query(Command ask) override { client_.call(traced(std::move(ask))); }
  void submit(Command command) override { client_.call(traced(std::move(command))); }
  Engine::State state() const override { return state_; }

 private:
  class IoLoop;
  Command traced(Command command) const;

  rpc::Client client_;
  TraceSink* const traces_;
  std::vector<std::unique_ptr<IoLoop>> loops_;
  std::atomic<Engine::State> state_{Engine::State::kNew};
};

}  // namespace micropay::gateway
