// Which instances there are: leases that are renewed or end, statuses that operators override, what changed
// lately. Pure: the caller gives the time, and holds a lock when there are several.
//
// A lease that is not renewed in its duration is evicted, unless more than 15 % of the expected renewals are
// missing: then it is rather the network that is ill, and everybody stays (self-preservation). Where there
// are fewer than `preserved_from` leases the death of one is more than that, and they just end. What was not
// renewed for an hour goes in any case.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/discovery/rules/renewals.h"
#include "services/discovery/rules/terms.h"

namespace micropay::discovery {

struct RegistryOptions {
  bool self_preservation = true;
  size_t preserved_from = 7;
  size_t max_instances = 10'000;
  Duration kept_changes = 3 * kMinute;  // what deltas tell of
};

class Registry {
 public:
  using Instances = std::map<std::string, InstancePtr, std::less<>>;  // by id
  using Applications = std::map<std::string, Instances, std::less<>>;

  explicit Registry(const RegistryOptions& options) : options_(options) {}

  // New, or in place of what was there under the id; an override that an operator set stays. `replicated`:
  // from a peer, whose word about the override counts. Error: too_many_instances.
  Result<void> add(Instance instance, Time now, bool replicated);
  // False: it has to register (anew).
  bool renew(std::string_view app, std::string_view id, Time now);
  bool cancel(std::string_view app, std::string_view id, Time now);
  bool override_status(std::string_view app, std::string_view id, Status status, Time now);
  // Ends an override; the instance is `status` until it says something itself.
  bool clear_override(std::string_view app, std::string_view id, Status status, Time now);
  // Errors: instance_not_found, invalid_instance.
  Result<void> set_metadata(std::string_view app, std::string_view id,
                            const std::vector<std::pair<std::string, std::string>>& entries, Time now);
  std::vector<InstancePtr> evict(Time now);  // those that went

  InstancePtr find(std::string_view app, std::string_view id) const;  // null when there is none
  const Applications& applications() const { return applications_; }
  std::vector<InstancePtr> changes(Time now);    // of the last minutes, one an instance, the oldest first
  std::string hash_code() const;                 // "DOWN_1_UP_3_"
  uint64_t version() const { return version_; }  // another after each change
  size_t size() const { return size_; }
  bool preserving(Time now);
  int64_t expected_renewals() const { return expected_milli_ / 1'000; }  // in a minute
  int64_t renewals(Time now) { return renewals_.last_minute(now); }

 private:
  struct Changed {
    Time time;
    InstancePtr instance;
  };
  InstancePtr* slot(std::string_view app, std::string_view id);
  void replace(InstancePtr& slot, Instance instance, Action action, Time now);
  InstancePtr take(std::string_view app, std::string_view id, Time now);
  Status effective(const Instance& instance) const;
  void prune(Time now);

  RegistryOptions options_;
  Applications applications_;
  std::map<std::string, std::pair<Status, Time>, std::less<>>
      overrides_;  // by id, with when it was last of use
  std::deque<Changed> changes_;
  Renewals renewals_;
  int64_t expected_milli_ = 0;
  size_t size_ = 0;
  uint64_t version_ = 1;
};

}  // namespace micropay::discovery
