// Calls of the engine in this process. Point reads are answered where they are asked; commands go to the
// engine's queue, and no thread lies between.
#include "libs/contract/validate.h"
#include "libs/http/worker_pool.h"
#include "services/gateway/backend.h"

namespace micropay::gateway {
namespace {

constexpr size_t kMaxQueuedQueries = 1'000;

// Reads by key alone. What else is asked for (a balance of the past) has to be looked for.
bool quick(const contract::Method& method, const google::protobuf::Message& request) {
  return contract::names_record_only(method, request) && !method.list && !method.options.on_engine() &&
         method.options.media_field().empty();
}

}  // namespace

Error overloaded() {
  return {.code = Code::kUnavailable,
          .reason = "overloaded",
          .detail = "Too much is queued: try again shortly.",
          .retry_after_s = 1};
}

LocalBackend::LocalBackend(Engine& engine, const Store& store, size_t query_threads)
    : engine_(engine), store_(store), pool_(std::make_unique<WorkerPool>(query_threads, kMaxQueuedQueries)) {}

LocalBackend::~LocalBackend() = default;

void LocalBackend::stop() { pool_->stop(); }

std::optional<Error> LocalBackend::refusal(const contract::Method&) const {
  return engine_.full() ? std::optional(overloaded()) : std::nullopt;
}

std::optional<Result<Row>> LocalBackend::query_now(const contract::Method& method, const Principal& principal,
                                                   const contract::Message& request) {
  if (!quick(method, request)) return {};
  if (auto owned = engine_.authorize(method, principal, request); !owned)
    return Result<Row>(std::unexpected(std::move(owned).error()));
  return engine_.query(method, principal, request);
}

void LocalBackend::query(Command ask) {
  if (auto owned = engine_.authorize(*ask.method, ask.principal, *ask.request); !owned)
    return ask.done({.result = std::unexpected(owned.error())});
  auto waiting = std::make_shared<const Command>(std::move(ask));
  const bool queued = pool_->submit([this, waiting] {
    waiting->done({.result = engine_.query(*waiting->method, waiting->principal, *waiting->request),
                   .status = waiting->method->success});
  });
  if (!queued) waiting->done({.result = std::unexpected(overloaded())});
}

void LocalBackend::submit(Command command) {
  if (auto owned = engine_.authorize(*command.method, command.principal, *command.request); !owned)
    return command.done({.result = std::unexpected(owned.error())});
  engine_.submit(std::move(command));
}

}  // namespace micropay::gateway
