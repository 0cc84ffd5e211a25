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
                             const Clock& clock, TraceSink* traces, RedisClient* redis)
    : client_(std::move(options), std::move(resolver), clock),
      everywhere_(client_),
      writes_(clock),
      keys_(redis == nullptr ? nullptr : std::make_unique<KeyNotes>(*redis)),
      traces_(traces) {}

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

std::optional<Error> RemoteBackend::refusal(const contract::Method& method) const {
  return everywhere_.has(method) ? everywhere_.refusal() : client_.refusal(*method.service);
}

void RemoteBackend::query(Command ask) {
  if (everywhere_.has(*ask.method)) return everywhere_.call(traced(std::move(ask)));
  ask.after = writes_.before(ask);
  client_.call(traced(std::move(ask)));
}

void RemoteBackend::submit(Command command) {
  if (everywhere_.has(*command.method)) return everywhere_.call(traced(std::move(command)));
  rpc::Loop* loop = keys_ && KeyNotes::concerns(command) ? loop_here() : nullptr;
  if (loop == nullptr) return send(std::move(command));
  check_key(*loop, std::move(command));
}

rpc::Loop* RemoteBackend::loop_here() const {
  const auto at = std::ranges::find_if(loops_, [](const auto& loop) { return loop->here(); });
  return at == loops_.end() ? nullptr : at->get();
}

void RemoteBackend::check_key(rpc::Loop& loop, Command command) {
  auto waiting = std::make_shared<Command>(std::move(command));
  keys_->note(*waiting, [this, &loop, waiting](bool same) {
    const auto go_on = [this, waiting, same] {
      if (same) return send(std::move(*waiting));
      waiting->done({.result = fail(Code::kUnprocessable, "idempotency_key_reused",
                                    "This Idempotency-Key was used with another request.")});
    };
    if (loop.here()) go_on();
    else loop.post(go_on);
  });
}

void RemoteBackend::send(Command command) {
  command.after = writes_.before(command);
  command.done = [this, keys = RecentWrites::keys_of(command),
                  done = std::move(command.done)](Answer answer) mutable {
    writes_.note(std::move(keys), answer);
    done(std::move(answer));
  };
  client_.call(traced(std::move(command)));
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
