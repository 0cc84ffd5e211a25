#include "libs/remote/registry_copy.h"

#include <algorithm>

namespace micropay {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return out;
}

// Calls `visit` for each instance of the answer; one that is none is left out. The registry's hash code.
template <typename Visit>
Result<std::string> each_instance(std::string_view json, const Visit& visit) {
  const eureka::Node root = TRY(eureka::read_json(json));
  const eureka::Node* all = root.child("applications");
  if (all == nullptr)
    return fail(Code::kUnavailable, "malformed_body", "The registry's answer has no applications.");
  for (const eureka::Node& application : all->children) {
    if (application.name != "application") continue;
    for (const eureka::Node& node : application.children) {
      if (node.name != "instance") continue;
      if (auto instance = eureka::instance_from(node))
        visit(*std::move(instance), node.text_of("actionType"));
    }
  }
  return std::string(all->text_of("apps__hashcode"));
}

}  // namespace

Result<void> RegistryCopy::take_all(std::string_view json, Time now, Duration grace) {
  Instances all;
  TRY(each_instance(json, [&](eureka::Instance&& instance, std::string_view) {
    auto key = std::pair(instance.app, instance.id);
    all.insert_or_assign(std::move(key), std::move(instance));
  }));
  if (known_.size() >= 2 && all.size() * 2 < known_.size()) {
    if (shrunk_since_ == 0) shrunk_since_ = now;
    if (now - shrunk_since_ < grace) return {};
  }
  shrunk_since_ = 0;
  known_ = std::move(all);
  return {};
}

Result<bool> RegistryCopy::take_delta(std::string_view json) {
  const std::string wanted =
      TRY(each_instance(json, [&](eureka::Instance&& instance, std::string_view action) {
        auto key = std::pair(instance.app, instance.id);
        if (action == "DELETED") known_.erase(key);
        else known_.insert_or_assign(std::move(key), std::move(instance));
      }));
  return hash_code() == wanted;
}

std::string RegistryCopy::hash_code() const {
  std::map<std::string_view, size_t> counts;
  for (const auto& [key, instance] : known_) ++counts[eureka::status_text(instance.status)];
  std::string code;
  for (const auto& [status, count] : counts) code += fmt::format("{}_{}_", status, count);
  return code;
}

ServiceInstances RegistryCopy::instances() const {
  ServiceInstances services;
  for (const auto& [key, instance] : known_) {
    services[lower(instance.app)].push_back({.id = instance.id,
                                             .host = instance.ip.empty() ? instance.host : instance.ip,
                                             .port = instance.port.number,
                                             .up = instance.status == eureka::Status::kUp,
                                             .metadata = instance.metadata});
  }
  return services;
}

size_t RegistryCopy::size() const { return known_.size(); }

}  // namespace micropay
