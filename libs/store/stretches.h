// The stretches of a table with `arrival` (contracts/options.proto): where each begins, and which one a row
// is of. A stretch has the rows whose arrival value is neither before its beginning nor in the next one; a
// new one begins behind everything that has come, when the newest has enough rows. So a value stays where it
// was, and whoever walks through the stretches in order meets the values in order.
#pragma once

#include <cstdint>
#include <vector>

#include "libs/store/list_query.h"

namespace micropay {

class Stretches {
 public:
  static constexpr uint64_t kRows = 32'768;  // about; of one stretch

  // In order, as they are kept; the first begins before everything.
  void add(OwnedValue first) { firsts_.push_back(std::move(first)); }
  // What the newest holds: rows, and the greatest value.
  void set_newest(uint64_t rows, OwnedValue greatest) { rows_ = rows, greatest_ = std::move(greatest); }
  size_t count() const { return firsts_.size(); }

  int64_t of(const contract::Value& value) const;
  // Whether a new one has to begin with this row, which is about to be written.
  bool begins_with(const contract::Value& value) const;
  void wrote(const contract::Value& value);

 private:
  std::vector<OwnedValue> firsts_;  // by number
  uint64_t rows_ = 0;
  OwnedValue greatest_;
};

}  // namespace micropay
