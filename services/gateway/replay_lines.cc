#include "services/gateway/replay_lines.h"

namespace micropay::gateway {

bool ReplayLines::add(const std::string& user, Piece piece) {
  const std::scoped_lock lock(mutex_);
  auto& line = lines_[user];
  line.push_back(std::move(piece));
  if (line.size() > 1 || pool_.submit([this, user] { run(user); })) return true;
  lines_.erase(user);
  return false;
}

void ReplayLines::run(const std::string& user) {
  while (true) {
    Piece* piece = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      piece = &lines_[user].front();  // stays where it is: others are put behind it
    }
    if ((*piece)() && ended(user)) return;
    // At the end of the queue; when that is full, nobody can be kept waiting longer than it is long.
    if (pool_.submit([this, user] { run(user); })) return;
  }
}

bool ReplayLines::ended(const std::string& user) {
  const std::scoped_lock lock(mutex_);
  auto& line = lines_[user];
  line.pop_front();
  if (!line.empty()) return false;
  lines_.erase(user);
  return true;
}

}  // namespace micropay::gateway
