// SHA-256 of many short texts: with the processor's own instructions, and without looking up the algorithm
// each time. One thread.
#pragma once

#include <array>
#include <memory>
#include <string_view>

namespace micropay {

class Sha256 {
 public:
  using Hash = std::array<char, 32>;

  Sha256();
  ~Sha256();
  // Of the parts, one behind the other.
  Hash operator()(std::string_view first, std::string_view second = {});

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace micropay
