#include "libs/eureka/instance.h"

#include <algorithm>
#include <charconv>

namespace micropay::eureka {
namespace {

constexpr std::string_view kStatusTexts[] = {"UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"};
constexpr std::string_view kActionTexts[] = {"ADDED", "MODIFIED", "DELETED"};
constexpr int64_t kMaxLease_s = 24 * 3'600;

std::unexpected<Error> invalid(std::string_view field, std::string_view what) {
  return fail(Code::kInvalidArgument, "invalid_instance", fmt::format("{} {}", field, what),
              std::string(field));
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// Texts of an instance, each with its place and its name on the wire.
constexpr std::pair<std::string Instance::*, std::string_view> kTexts[] = {
    {&Instance::id, "instanceId"},
    {&Instance::host, "hostName"},
    {&Instance::ip, "ipAddr"},
    {&Instance::app, "app"},
    {&Instance::group, "appGroupName"},
    {&Instance::sid, "sid"},
    {&Instance::asg, "asgName"},
    {&Instance::home_page, "homePageUrl"},
    {&Instance::status_page, "statusPageUrl"},
    {&Instance::health_check, "healthCheckUrl"},
    {&Instance::secure_health_check, "secureHealthCheckUrl"},
    {&Instance::vip, "vipAddress"},
    {&Instance::secure_vip, "secureVipAddress"}};

Result<void> read_texts(const Node& node, Instance& instance) {
  for (const auto& [place, name] : kTexts) {
    const std::string_view text = node.text_of(name);
    if (text.size() > kMaxText) return invalid(name, "is too long");
    instance.*place = text;
  }
  if (instance.id.empty()) instance.id = instance.host;  // clients of old have no id of their own
  if (instance.id.empty()) return invalid("instanceId", "is missing");
  if (instance.host.empty()) return invalid("hostName", "is missing");
  if (instance.ip.empty()) return invalid("ipAddr", "is missing");
  if (instance.app.empty()) return invalid("app", "is missing");
  if (!is_id(instance.id)) return invalid("instanceId", "is no id");
  if (!is_id(instance.app)) return invalid("app", "is no name");
  instance.app = upper(instance.app);
  return {};
}

Result<Port> read_port(const Node& node, std::string_view name) {
  const Node* found = node.child(name);
  if (found == nullptr) return Port{};
  const auto value = number(found->text);
  if (!value || *value < -1 || *value > 65'535) return invalid(name, "is no port");
  return Port{.number = uint16_t(std::max<int64_t>(*value, 0)),
              .enabled = found->attribute("enabled") == "true"};
}

Result<void> read_metadata(const Node* node, std::map<std::string, std::string>& metadata) {
  if (node == nullptr) return {};
  for (const Node& entry : node->children) {
    if (!is_metadata_key(entry.name) || entry.text.size() > kMaxText || metadata.size() == kMaxMetadata)
      return invalid("metadata", "has a key or value that is too long, or too many of them");
    metadata[entry.name] = entry.text;
  }
  return {};
}

Result<int64_t> read_number(const Node* node, std::string_view name, int64_t standard, int64_t min,
                            int64_t max) {
  const std::string_view text = node == nullptr ? std::string_view() : node->text_of(name);
  if (text.empty()) return standard;
  const auto value = number(text);
  if (!value || *value < min || *value > max)
    return invalid(name, fmt::format("is not from {} to {}", min, max));
  return *value;
}

Result<void> read_lease(const Node& node, Lease& lease) {
  const Node* info = node.child("leaseInfo");
  constexpr int64_t kLast_ms = 253'402'300'799'000;  // the year 9999
  // Some clients send 0 for what they do not know.
  lease.renewal_s = TRY(read_number(info, "renewalIntervalInSecs", 30, 0, kMaxLease_s));
  lease.duration_s = TRY(read_number(info, "durationInSecs", 90, 0, kMaxLease_s));
  if (lease.renewal_s == 0) lease.renewal_s = 30;
  if (lease.duration_s == 0) lease.duration_s = 90;
  lease.up_since = TRY(read_number(info, "serviceUpTimestamp", 0, 0, kLast_ms)) * kMillisecond;
  lease.registered = TRY(read_number(info, "registrationTimestamp", 0, 0, kLast_ms)) * kMillisecond;
  return {};
}

void write_port(Node& node, std::string name, const Port& port) {
  node.add(std::move(name), int64_t(port.number));
  node.children.back().attributes.emplace_back("enabled", port.enabled ? "true" : "false");
}

void write_lease(Node& node, const Lease& lease) {
  Node& info = node.object("leaseInfo");
  info.add("renewalIntervalInSecs", lease.renewal_s);
  info.add("durationInSecs", lease.duration_s);
  info.add("registrationTimestamp", lease.registered / kMillisecond);
  info.add("lastRenewalTimestamp", lease.renewed / kMillisecond);
  info.add("evictionTimestamp", lease.evicted / kMillisecond);
  info.add("serviceUpTimestamp", lease.up_since / kMillisecond);
}

void write_map(Node& node, std::string name, const std::map<std::string, std::string>& entries) {
  Node& map = node.object(std::move(name));
  // The class by which XStream knows a map without entries.
  if (entries.empty()) map.attributes.emplace_back("class", "java.util.Collections$EmptyMap");
  for (const auto& [key, value] : entries) map.add(key, value);
}

void write_text(Node& node, std::string_view name, std::string_view text) {
  if (!text.empty()) node.add(std::string(name), text);
}

}  // namespace

std::string_view status_text(Status status) { return kStatusTexts[size_t(status)]; }

std::optional<Status> parse_status(std::string_view text) {
  for (size_t i = 0; i < std::size(kStatusTexts); ++i)
    if (kStatusTexts[i] == text) return Status(i);
  return {};
}

bool is_id(std::string_view text) {
  constexpr std::string_view kOther = "._-:@#+~/";
  return !text.empty() && text.size() <= 255 && text != "." && text != ".." &&
         std::ranges::all_of(text, [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  kOther.contains(c);
         });
}

bool is_metadata_key(std::string_view text) {
  // What begins like an attribute, or is called as the text beside them, would not be read back from JSON.
  return !text.empty() && text.size() <= 128 && text.front() != '@' && text != "$" &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  return out;
}

Result<Instance> instance_from(const Node& node) {
  Instance instance;
  TRY(read_texts(node, instance));
  instance.port = TRY(read_port(node, "port"));
  instance.secure_port = TRY(read_port(node, "securePort"));
  instance.country = TRY(read_number(&node, "countryId", 1, 0, 10'000));
  const Node* center = node.child("dataCenterInfo");
  if (center == nullptr || center->text_of("name").empty()) return invalid("dataCenterInfo", "is missing");
  instance.data_center = std::string(center->text_of("name")).substr(0, 100);
  if (const auto name = center->attribute("class"); !name.empty())
    instance.data_center_class = std::string(name).substr(0, 256);
  TRY(read_metadata(center->child("metadata"), instance.data_center_metadata));
  instance.status = parse_status(node.text_of("status")).value_or(Status::kUnknown);
  // Codecs disagree about the spelling.
  for (const char* name : {"overriddenStatus", "overriddenstatus"})
    if (const auto given = parse_status(node.text_of(name))) instance.overridden = *given;
  TRY(read_lease(node, instance.lease));
  TRY(read_metadata(node.child("metadata"), instance.metadata));
  instance.coordinating = node.text_of("isCoordinatingDiscoveryServer") == "true";
  instance.updated_ms = TRY(read_number(&node, "lastUpdatedTimestamp", 0, 0, INT64_MAX));
  instance.dirty_ms = TRY(read_number(&node, "lastDirtyTimestamp", 0, 0, INT64_MAX));
  return instance;
}

void write_instance(const Instance& instance, Node& node) {
  for (const auto& [place, name] : kTexts) write_text(node, name, instance.*place);
  node.add("status", status_text(instance.status));
  node.add("overriddenStatus", status_text(instance.overridden));
  node.add("overriddenstatus", status_text(instance.overridden));
  write_port(node, "port", instance.port);
  write_port(node, "securePort", instance.secure_port);
  node.add("countryId", instance.country);
  Node& center = node.object("dataCenterInfo");
  center.attributes.emplace_back("class", instance.data_center_class);
  center.add("name", instance.data_center);
  if (!instance.data_center_metadata.empty()) write_map(center, "metadata", instance.data_center_metadata);
  write_lease(node, instance.lease);
  write_map(node, "metadata", instance.metadata);
  node.add("isCoordinatingDiscoveryServer", instance.coordinating ? "true" : "false");
  node.add("lastUpdatedTimestamp", std::to_string(instance.updated_ms));
  node.add("lastDirtyTimestamp", std::to_string(instance.dirty_ms));
  node.add("actionType", kActionTexts[size_t(instance.action)]);
}

}  // namespace micropay::eureka
