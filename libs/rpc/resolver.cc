#include "libs/rpc/resolver.h"

#include "libs/base/host_port.h"
#include "libs/contract/model.h"

namespace micropay::rpc {
namespace {

class StaticResolver final : public Resolver {
 public:
  explicit StaticResolver(Targets targets) : targets_(std::move(targets)) {}
  void watch(std::function<void(const Targets&)> changed) override {
    if (changed) changed(targets_);
  }

 private:
  const Targets targets_;
};

std::string_view next_part(std::string_view& text, char end) {
  const size_t length = std::min(text.find(end), text.size());
  std::string_view part = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  while (part.starts_with(' ')) part.remove_prefix(1);
  while (part.ends_with(' ')) part.remove_suffix(1);
  return part;
}

bool is_address(std::string_view text) {
  const auto address = parse_host_port(text);
  return address && !address->host.empty() && address->port != 0;
}

}  // namespace

Result<Targets> parse_targets(std::string_view text) {
  const auto wrong = [](std::string_view part) {
    return fail(Code::kInvalidArgument, "invalid_targets",
                fmt::format("'{}' is not service=host:port+host:port", part), "rpc.targets");
  };
  Targets targets;
  while (!text.empty()) {
    const std::string_view part = next_part(text, ',');
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    if (equals == part.npos || contract::model().service(part.substr(0, equals)) == nullptr)
      return wrong(part);
    std::string_view addresses = part.substr(equals + 1);
    auto& of_service = targets[std::string(part.substr(0, equals))];
    while (!addresses.empty()) {
      const std::string_view address = next_part(addresses, '+');
      if (!is_address(address)) return wrong(part);
      of_service.push_back({std::string(address), true});
    }
    if (of_service.empty()) return wrong(part);
  }
  return targets;
}

std::shared_ptr<Resolver> static_resolver(Targets targets) {
  return std::make_shared<StaticResolver>(std::move(targets));
}

}  // namespace micropay::rpc
