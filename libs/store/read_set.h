// What a tick has read of a store that others write, too, and what may become of it when they were first: the
// rules of decisions/0008, for the store in a database server and for its twin in the simulator.
//
//   reads.clear();                      // begin_tick()
//   reads.row(table, key);              // the tick reader, for every row looked for, found or not
//   if (std::ranges::any_of(foreign, [&](auto& other) { return reads.conflicts(tick, other); })) …refuse
//   move_tick(tick, end);               // behind the others
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "libs/store/store.h"

namespace micropay {

class ReadSet {
 public:
  ReadSet();
  ~ReadSet();
  void row(const contract::Table& table, std::string_view key);
  void listed(const contract::Table& table);  // every row of it counts as read
  void clear();

  // Whether `foreign` changed something that was read.
  bool touched_by(const Tick& foreign) const;
  // The same, or something that `mine` changes, or `mine` may not be moved: one of its rows says at which
  // position an event of the tick is.
  bool conflicts(const Tick& mine, const Tick& foreign) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
  std::vector<bool> listed_;  // by Table::id
};

// Numbers the tick and its events as the first behind `end`; its time is not before the end's.
void move_tick(Tick& tick, const LogEnd& end);

}  // namespace micropay
