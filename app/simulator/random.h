// The simulator's randomness: the same numbers on every machine and standard library. Each step has a stream
// of its own, made of the run's seed and the step's number, so that leaving one step out (shrinking) does not
// change what the others draw.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "libs/base/check.h"

namespace micropay::app {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  Random(uint64_t seed, uint64_t stream)
      : state_(seed * 0x9E3779B97F4A7C15 ^ (stream + 1) * 0xD1B54A32D192ED03) {
    next();
  }

  // splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014)
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  uint64_t below(uint64_t bound) {  // 0 <= result < bound
    CHECK(bound > 0);
    return uint64_t((unsigned __int128)(next())*bound >> 64);
  }
  int64_t between(int64_t low, int64_t high) { return low + int64_t(below(uint64_t(high - low) + 1)); }
  bool chance(uint32_t percent) { return below(100) < percent; }
  bool per_mille(uint32_t share) { return below(1000) < share; }
  template <typename C>
  auto& pick(C& choices) {
    return choices[below(choices.size())];
  }
  template <typename T>
  T of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }
  // The index of one of `weights`, by its share.
  size_t weighted(const std::vector<uint32_t>& weights) {
    uint64_t sum = 0;
    for (const uint32_t weight : weights) sum += weight;
    uint64_t at = below(sum);
    for (size_t i = 0; i < weights.size(); ++i) {
      if (at < weights[i]) return i;
      at -= weights[i];
    }
    return 0;
  }

 private:
  uint64_t state_;
};

}  // namespace micropay::app
