#include "services/gateway/remote_backend.h"

#include "libs/http/server.h"

namespace micropay::gateway {

// One I/O thread of the HTTP server, as the client of libs/rpc sees it.
class RemoteBackend::IoLoop final : public rpc::Loop {
 public:
  IoLoop(HttpServer& server, size_t index) : server_(server), index_(index) {}
  void post(std::function<void()> job) override { server_.post(index_, std::move(job)); }
  bool here() const override { return server_.here(index_); }
  boost::asio::io_context& context() override { return server_.context(index_); }

 private:
  HttpServer& server_;
  const size_t index_;
};

RemoteBackend::RemoteBackend(rpc::ClientOptions options, std::shared_ptr<rpc::Resolver> resolver,
                             const Clock& clock)
    : client_(std::move(options), std::move(resolver), clock) {}

RemoteBackend::~RemoteBackend() = default;

Result<void> RemoteBackend::start(HttpServer& server) {
  std::vector<rpc::Loop*> loops;
  for (size_t i = 0; i < server.loops(); ++i) {
    loops_.push_back(std::make_unique<IoLoop>(server, i));
    loops.push_back(loops_.back().get());
  }
  TRY(client_.start(loops));
  state_ = Engine::State::kRunning;
  return {};
}

void RemoteBackend::stop() {
  if (state_.exchange(Engine::State::kStopped) == Engine::State::kStopped) return;
  client_.stop();
}

}  // namespace micropay::gateway
