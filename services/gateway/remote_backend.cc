#include "services/gateway/remote_backend.h"

#include "libs/base/span_names.h"
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
                             const Clock& clock, TraceSink* traces)
    : client_(std::move(options), std::move(resolver), clock), traces_(traces) {}

RemoteBackend::~RemoteBackend() = default;

// A span of the call, from here to its answer, its repetitions included.
Command RemoteBackend::traced(Command command) const {
  Span span = begin_span(traces_, {.name = command.method->name,
                                   .service = "gateway",
                                   .kind = SpanKind::kClient,
                                   .parent = command.traceparent,
                                   .may_begin_trace = false});
  if (!span.recorded()) return command;
  name_rpc(span, command.method->full_name);
  command.traceparent = span.traceparent();
  command.done = [span = std::make_shared<Span>(std::move(span)),
                  done = std::move(command.done)](Answer answer) {
    if (!answer.result) span->fail(answer.result.error().reason);
    span->end();
    done(std::move(answer));
  };
  return command;
}

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
