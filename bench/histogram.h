// Latencies of every request, none dropped, in a table of fixed size: values below 256 µs exactly, larger
// ones to within half a percent (256 steps an octave, as HdrHistogram does it). Adding is a few instructions.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace micropay::bench {

class LatencyHistogram {
 public:
  void add(int64_t us) {
    const uint64_t value = us < 0 ? 0 : static_cast<uint64_t>(us);
    ++counts_[std::min(slot_of(value), counts_.size() - 1)];
    ++count_;
    max_ = std::max(max_, value);
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }

  // The smallest latency, in µs, that `part` (0.99) of all requests did not exceed.
  uint64_t percentile(double part) const {
    const uint64_t wanted = static_cast<uint64_t>(std::ceil(part * static_cast<double>(count_)));
    uint64_t seen = 0;
    for (size_t slot = 0; slot < counts_.size(); ++slot) {
      seen += counts_[slot];
      if (seen >= wanted && seen > 0) return std::min(highest_of(slot), max_);
    }
    return max_;
  }

 private:
  static constexpr int kStepBits = 8;
  static constexpr size_t kSteps = size_t{1} << kStepBits;
  static constexpr size_t kOctaves = 32;  // to more than an hour

  static size_t slot_of(uint64_t value) {
    if (value < kSteps) return value;
    const int octave = std::bit_width(value) - kStepBits;  // 1 for 256 to 511
    return static_cast<size_t>(octave) * (kSteps / 2) + static_cast<size_t>(value >> octave);
  }
  static uint64_t highest_of(size_t slot) {
    if (slot < kSteps) return slot;
    const size_t octave = (slot - kSteps / 2) / (kSteps / 2);
    const uint64_t step = slot - octave * (kSteps / 2);
    return ((step + 1) << octave) - 1;
  }

  std::array<uint64_t, kSteps + kOctaves*(kSteps / 2)> counts_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace micropay::bench
