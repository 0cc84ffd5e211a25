// Takes calls from anywhere to the loop that they go out on.
#include "libs/rpc/client.h"

#include <future>

#include "libs/rpc/client_site.h"

namespace micropay::rpc {

struct Client::Impl {
  Impl(ClientOptions options, std::shared_ptr<Resolver> with, const Clock& clock)
      : resolver(std::move(with)), core(std::make_shared<ClientCore>(std::move(options), clock)) {
    for (const contract::Method* method : contract::model().methods()) {
      if (core->paths.size() <= method->id) core->paths.resize(method->id + 1);
      core->paths[method->id] = "/" + method->full_name;
    }
  }
  ClientSite* here() const {
    for (const auto& site : sites)
      if (site->loop().here()) return site.get();
    return nullptr;
  }

  std::shared_ptr<Resolver> resolver;
  std::shared_ptr<ClientCore> core;
  std::unique_ptr<LoopThread> own;
  std::vector<std::shared_ptr<ClientSite>> sites;  // never changes between start and stop
  std::atomic<size_t> next{0};
};

Client::Client(ClientOptions options, std::shared_ptr<Resolver> resolver, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(resolver), clock)) {}

Client::~Client() { stop(); }

Result<void> Client::start() {
  impl_->own = std::make_unique<LoopThread>("rpc-client");
  TRY(start({impl_->own.get()}));
  impl_->own->start();
  return {};
}

Result<void> Client::start(std::vector<Loop*> loops) {
  Impl& impl = *impl_;
  if (impl.core->options.keys == nullptr && !impl.core->options.plaintext)
    return fail(Code::kInvalidArgument, "plaintext_refused", "Calls between processes need certificates.",
                "rpc.certificate");
  for (Loop* loop : loops) {
    auto site = std::make_shared<ClientSite>(*loop, impl.core);
    loop->post([site] { site->begin(); });
    impl.sites.push_back(std::move(site));
  }
  impl.resolver->watch([&impl](const Targets& targets) {
    for (const auto& site : impl.sites) site->loop().post([site, targets] { site->apply(targets); });
  });
  return {};
}

void Client::stop() {
  Impl& impl = *impl_;
  impl.resolver->watch({});
  if (impl.own) impl.own->stop();
  for (const auto& site : impl.sites) site->end();
  impl.sites.clear();
  impl.own.reset();
}

void Client::call(Command command, Duration timeout, const contract::Service* at) {
  Impl& impl = *impl_;
  auto call = std::make_unique<OutCall>();
  call->path = impl.core->paths[command.method->id];
  call->service = at != nullptr ? at : command.method->service;
  append_frame(call->frame, *command.request);
  // Without a certificate to say who calls, the words of the caller do.
  const bool named = impl.core->options.keys == nullptr;
  call->context =
      encode_binary(encode_context(command, named ? impl.core->options.caller : std::string_view()));
  call->began = impl.core->clock.monotonic();
  call->deadline = call->began + (timeout > 0 ? timeout : impl.core->options.timeout);
  call->command = std::move(command);
  if (ClientSite* site = impl.here()) return site->call(std::move(call));
  const auto& site = impl.sites[impl.next.fetch_add(1) % impl.sites.size()];
  site->loop().post(
      [site, shared = std::make_shared<OutCallPtr>(std::move(call))] { site->call(std::move(*shared)); });
}

Answer Client::call_and_wait(Command command, Duration timeout) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  command.done = [promise](Answer given) { promise->set_value(std::move(given)); };
  call(std::move(command), timeout);
  try {
    return answer.get();
  } catch (const std::future_error&) {  // the client was stopped meanwhile
    return {.result = ::micropay::fail(Code::kUnavailable, "upstream_unavailable", "This process ends.")};
  }
}

std::optional<Error> Client::refusal(const contract::Service& service) const {
  const ClientSite* site = impl_->here();
  return site == nullptr ? std::nullopt : site->refusal(service);
}

}  // namespace micropay::rpc
