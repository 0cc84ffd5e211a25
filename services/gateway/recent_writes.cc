#include "services/gateway/recent_writes.h"

#include "libs/base/ids.h"
#include "libs/base/keyed_hash.h"
#include "libs/contract/message_ids.h"

namespace micropay::gateway {
namespace {

constexpr Duration kRemembered = 10 * kSecond;
constexpr size_t kMostKeys = 32;  // of one command

void add_key(RecentWrites::Keys& keys, std::string_view id) {
  static const KeyedHash hash;  // of ids that strangers choose: none is taken for another
  const uint64_t key = hash(id);
  if (keys.size() < kMostKeys && std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
}

void add_ids(RecentWrites::Keys& keys, const contract::Message& message) {
  contract::each_id(message, [&](std::string_view id) {
    add_key(keys, id);
    return keys.size() < kMostKeys;
  });
}

}  // namespace

RecentWrites::Keys RecentWrites::keys_of(const Command& command) {
  Keys keys;
  if (!command.principal.user_id.empty()) add_key(keys, command.principal.user_id);
  add_ids(keys, *command.request);
  return keys;
}

void RecentWrites::note(Keys keys, const Answer& answer) {
  if (answer.marks.empty()) return;
  if (answer.result) {
    add_ids(keys, **answer.result);
  } else {
    for (const auto& [name, value] : answer.result.error().extensions)
      if (is_uuid(value)) add_key(keys, value);
  }
  const Time now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  while (!in_order_.empty() && (in_order_.front().first <= now || in_order_.size() >= most_)) {
    const auto old = entries_.find(in_order_.front().second);
    if (old != entries_.end() && old->second.until == in_order_.front().first) entries_.erase(old);
    in_order_.pop_front();
  }
  for (const uint64_t key : keys) {
    Entry& entry = entries_[key];
    if (entry.until <= now) entry.marks.clear();
    for (const Mark& mark : answer.marks) add_mark(entry.marks, mark);
    entry.until = now + kRemembered;
    in_order_.emplace_back(entry.until, key);
  }
  any_.store(true, std::memory_order_relaxed);
}

Marks RecentWrites::before(const Command& command) const {
  Marks marks;
  if (!any_.load(std::memory_order_relaxed)) return marks;
  const Keys keys = keys_of(command);
  const Time now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  for (const uint64_t key : keys) {
    const auto entry = entries_.find(key);
    if (entry == entries_.end() || entry->second.until <= now) continue;
    for (const Mark& mark : entry->second.marks)
      if (mark.service != command.method->service) add_mark(marks, mark);
  }
  return marks;
}

}  // namespace micropay::gateway
