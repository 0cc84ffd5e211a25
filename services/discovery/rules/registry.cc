#include "services/discovery/rules/registry.h"

#include <algorithm>
#include <set>

namespace micropay::discovery {
namespace {

constexpr Duration kForgottenAfter = kHour;  // leases without renewal, overrides of who is gone
constexpr int64_t kLeastPercent = 85;
constexpr size_t kMaxOverrides = 20'000;

int64_t milli_renewals(const Instance& instance) {
  return 60'000 / std::max<int64_t>(1, instance.lease.renewal_s);
}

bool expired(const Instance& instance, Time now) {
  return now - instance.lease.renewed > instance.lease.duration_s * kSecond;
}

}  // namespace

InstancePtr* Registry::slot(std::string_view app, std::string_view id) {
  const auto application = applications_.find(app);
  if (application == applications_.end()) return nullptr;
  const auto found = application->second.find(id);
  return found == application->second.end() ? nullptr : &found->second;
}

InstancePtr Registry::find(std::string_view app, std::string_view id) const {
  const auto application = applications_.find(app);
  if (application == applications_.end()) return nullptr;
  const auto found = application->second.find(id);
  return found == application->second.end() ? nullptr : found->second;
}

// An instance that says it is down or starting is believed; that it is up, an operator may overrule.
Status Registry::effective(const Instance& instance) const {
  if (instance.status == Status::kDown || instance.status == Status::kStarting) return instance.status;
  const auto found = overrides_.find(instance.id);
  return found == overrides_.end() ? instance.status : found->second.first;
}

void Registry::replace(InstancePtr& slot, Instance instance, Action action, Time now) {
  instance.action = action;
  instance.updated_ms = now / kMillisecond;
  slot = std::make_shared<const Instance>(std::move(instance));
  changes_.push_back({now, slot});
  ++version_;
  prune(now);
}

void Registry::prune(Time now) {
  while (!changes_.empty() && (now - changes_.front().time > options_.kept_changes ||
                               changes_.size() > 4 * options_.max_instances))
    changes_.pop_front();
}

Result<void> Registry::add(Instance instance, Time now, bool replicated) {
  InstancePtr* place = slot(instance.app, instance.id);
  if (place == nullptr && size_ >= options_.max_instances)
    return fail(Code::kResourceExhausted, "too_many_instances",
                fmt::format("There are {} instances already.", size_));
  const auto known = overrides_.find(instance.id);
  if (instance.overridden != Status::kUnknown && (known == overrides_.end() || replicated) &&
      overrides_.size() < kMaxOverrides)
    overrides_[instance.id] = {instance.overridden, now};
  const auto kept = overrides_.find(instance.id);
  instance.overridden = kept == overrides_.end() ? Status::kUnknown : kept->second.first;
  instance.status = effective(instance);
  instance.lease.renewed = now;
  if (!replicated || instance.lease.registered == 0) instance.lease.registered = now;
  const Time up_since = place == nullptr ? 0 : (*place)->lease.up_since;
  if (instance.status == Status::kUp && instance.lease.up_since == 0)
    instance.lease.up_since = up_since != 0 ? up_since : now;
  if (place == nullptr) {
    place = &applications_[instance.app][instance.id];
    ++size_;
  } else {
    expected_milli_ -= milli_renewals(**place);
  }
  expected_milli_ += milli_renewals(instance);
  replace(*place, std::move(instance), Action::kAdded, now);
  return {};
}

// The renewal alone is no change that others have to hear of. An instance that was there all along keeps its
// place; only its lease is written anew.
bool Registry::renew(std::string_view app, std::string_view id, Time now) {
  InstancePtr* place = slot(app, id);
  if (place == nullptr) return false;
  // Nobody knows its status since an override ended: it has to register anew and say it.
  if ((*place)->status == Status::kUnknown && (*place)->overridden == Status::kUnknown) return false;
  renewals_.add(now);
  auto renewed = std::make_shared<Instance>(**place);
  renewed->lease.renewed = now;
  *place = std::move(renewed);
  if (const auto found = overrides_.find(id); found != overrides_.end()) found->second.second = now;
  return true;
}

InstancePtr Registry::take(std::string_view app, std::string_view id, Time now) {
  InstancePtr* place = slot(app, id);
  if (place == nullptr) return nullptr;
  InstancePtr gone = *place;
  expected_milli_ -= milli_renewals(*gone);
  Instance last = *gone;
  last.lease.evicted = now;
  replace(*place, std::move(last), Action::kDeleted, now);
  const auto application = applications_.find(app);
  application->second.erase(application->second.find(id));
  if (application->second.empty()) applications_.erase(application);
  --size_;
  return gone;
}

bool Registry::cancel(std::string_view app, std::string_view id, Time now) {
  if (take(app, id, now) == nullptr) return false;
  if (const auto found = overrides_.find(id); found != overrides_.end()) overrides_.erase(found);
  return true;
}

bool Registry::override_status(std::string_view app, std::string_view id, Status status, Time now) {
  InstancePtr* place = slot(app, id);
  if (place == nullptr) return false;
  Instance changed = **place;
  overrides_[changed.id] = {status, now};
  changed.overridden = changed.status = status;
  if (status == Status::kUp && changed.lease.up_since == 0) changed.lease.up_since = now;
  replace(*place, std::move(changed), Action::kModified, now);
  return true;
}

bool Registry::clear_override(std::string_view app, std::string_view id, Status status, Time now) {
  InstancePtr* place = slot(app, id);
  if (place == nullptr) return false;
  if (const auto found = overrides_.find(id); found != overrides_.end()) overrides_.erase(found);
  Instance changed = **place;
  changed.overridden = Status::kUnknown;
  changed.status = status;
  replace(*place, std::move(changed), Action::kModified, now);
  return true;
}

Result<void> Registry::set_metadata(std::string_view app, std::string_view id,
                                    const std::vector<std::pair<std::string, std::string>>& entries,
                                    Time now) {
  InstancePtr* place = slot(app, id);
  if (place == nullptr) return fail(Code::kNotFound, "instance_not_found", "There is no such instance.");
  Instance changed = **place;
  for (const auto& [key, value] : entries) {
    if (!is_metadata_key(key) || value.size() > kMaxText)
      return fail(Code::kInvalidArgument, "invalid_instance", "metadata has a key or value that is too long",
                  "metadata");
    changed.metadata[key] = value;
  }
  if (changed.metadata.size() > kMaxMetadata)
    return fail(Code::kInvalidArgument, "invalid_instance", "metadata has too many entries", "metadata");
  replace(*place, std::move(changed), Action::kModified, now);
  return {};
}

bool Registry::preserving(Time now) {
  if (!options_.self_preservation || size_ < options_.preserved_from) return false;
  return renewals_.last_minute(now) * 1'000 * 100 < expected_milli_ * kLeastPercent;
}

std::vector<InstancePtr> Registry::evict(Time now) {
  const bool preserved = preserving(now);
  std::vector<InstancePtr> ended;
  for (const auto& [app, instances] : applications_)
    for (const auto& [id, instance] : instances)
      if (expired(*instance, now) && (!preserved || now - instance->lease.renewed > kForgottenAfter))
        ended.push_back(instance);
  // However it looks, not more than 15 % at once; the longest silent first.
  std::ranges::sort(ended, {}, [](const InstancePtr& one) { return one->lease.renewed; });
  if (options_.self_preservation && size_ >= options_.preserved_from)
    ended.resize(std::min(ended.size(), std::max<size_t>(1, size_ * (100 - kLeastPercent) / 100)));
  for (const InstancePtr& one : ended) take(one->app, one->id, now);
  std::erase_if(overrides_, [&](const auto& entry) { return now - entry.second.second > kForgottenAfter; });
  prune(now);
  return ended;
}

std::vector<InstancePtr> Registry::changes(Time now) {
  prune(now);
  std::vector<InstancePtr> last;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (size_t i = changes_.size(); i-- > 0;) {
    const InstancePtr& one = changes_[i].instance;
    if (seen.emplace(one->app, one->id).second) last.push_back(one);
  }
  std::ranges::reverse(last);
  return last;
}

std::string Registry::hash_code() const {
  std::map<std::string_view, size_t> counts;
  for (const auto& [app, instances] : applications_)
    for (const auto& [id, instance] : instances) ++counts[status_text(instance->status)];
  std::string code;
  for (const auto& [status, count] : counts) code += fmt::format("{}_{}_", status, count);
  return code;
}

}  // namespace micropay::discovery
