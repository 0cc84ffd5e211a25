#include "libs/runtime/watermarks.h"

#include <algorithm>
#include <charconv>

#include "libs/runtime/service.h"

namespace micropay {
namespace {

constexpr size_t kMostWaiting = 1'000;
constexpr size_t kMostWaitingForMore = 100;  // each commit lets them all look again
constexpr std::string_view kSource = "source:";

}  // namespace

std::pair<const contract::Service*, uint32_t> source_of(std::string_view name) {
  if (!name.starts_with(kSource)) return {};
  name.remove_prefix(kSource.size());
  const size_t slash = name.find('/');
  uint32_t partition = 0;
  if (slash == name.npos ||
      std::from_chars(name.data() + slash + 1, name.data() + name.size(), partition).ec != std::errc())
    return {};
  return {contract::model().service(name.substr(0, slash)), partition};
}

Watermarks::Watermarks(const std::vector<Service>& services) {
  for (const Service& service : services) {
    own_.push_back(service.contract);
    for (const auto* list : {&service.reactions, &service.followers, &service.projections})
      for (const Service::EventHandler& handler : *list)
        if (handler.event == nullptr) hears_all_ = true;
        else heard_.insert(type_digest(handler.event->type));
  }
}

bool Watermarks::hears(const Mark& mark) const {
  return std::ranges::find(own_, mark.service) == own_.end() && (hears_all_ || heard_.contains(mark.type));
}

bool Watermarks::known(const Mark& mark) const {
  const auto at = positions_.find({mark.service, mark.partition});
  return at != positions_.end() && at->second >= mark.position;
}

void Watermarks::reached(std::string_view name, uint64_t position) {
  const auto place = source_of(name);
  if (place.first == nullptr) return;
  const std::lock_guard lock(mutex_);
  uint64_t& at = positions_[place];
  at = std::max(at, position);
  ++told_;
}

template <typename Chosen>
void Watermarks::run_if(Chosen chosen, bool known) {
  for (size_t i = waiting_.size(); i-- > 0;) {
    if (!chosen(waiting_[i])) continue;
    const auto go = std::move(waiting_[i].go);
    waiting_[i] = std::move(waiting_.back());
    waiting_.pop_back();
    count_.store(waiting_.size(), std::memory_order_relaxed);
    go(known);
  }
}

// Of each only the first that is missing is looked at: most commits bring it to none of them.
void Watermarks::wake() {
  const std::lock_guard lock(mutex_);
  run_if(
      [this](Waiting& one) {
        while (!one.marks.empty() && known(one.marks.back())) one.marks.pop_back();
        return one.marks.empty();
      },
      true);
}

bool Watermarks::cover(const Marks& marks) const {
  if (marks.empty()) return true;
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(marks, [this](const Mark& mark) { return !hears(mark) || known(mark); });
}

void Watermarks::add(Waiting waiting) {
  waiting_.push_back(std::move(waiting));
  count_.store(waiting_.size(), std::memory_order_relaxed);
  if (ask_) ask_();
}

bool Watermarks::wait_for(Marks marks, Time deadline, std::function<void(bool)> go) {
  std::erase_if(marks, [this](const Mark& mark) { return !hears(mark); });
  const std::lock_guard lock(mutex_);
  if (closed_ || waiting_.size() >= kMostWaiting) return false;
  // It may have come since it was asked for.
  if (std::ranges::all_of(marks, [this](const Mark& mark) { return known(mark); })) go(true);
  else add({std::move(marks), deadline, std::move(go)});
  return true;
}

bool Watermarks::wait_for_more(uint64_t seen, Time deadline, std::function<void()> go) {
  const std::lock_guard lock(mutex_);
  const auto like_it = std::ranges::count(waiting_, true, &Waiting::any);
  if (closed_ || waiting_.size() >= kMostWaiting || size_t(like_it) >= kMostWaitingForMore) return false;
  if (told_ != seen) go();
  else add({.deadline = deadline, .go = [go = std::move(go)](bool) { go(); }, .any = true});
  return true;
}

uint64_t Watermarks::told() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

void Watermarks::expire(Time now) {
  const std::lock_guard lock(mutex_);
  run_if([now](const Waiting& one) { return one.deadline <= now; }, false);
}

void Watermarks::forget_waiting() {
  const std::lock_guard lock(mutex_);
  waiting_.clear();
  count_.store(0, std::memory_order_relaxed);
  closed_ = true;
}

}  // namespace micropay
