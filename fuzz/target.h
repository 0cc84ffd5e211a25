// A fuzz target: one function that takes any bytes, must neither crash nor be slow on them, and CHECKs what
// has to hold for all of them. It registers itself by a constant in its file; libFuzzer runs one a binary
// (fuzzer.cc), the tests replay the corpus of each (corpus_test.cc).
#pragma once

#include <string_view>
#include <vector>

namespace micropay::fuzz {

struct Target {
  std::string_view name;  // of its file and of its folder below fuzz/corpus
  void (*run)(std::string_view bytes);
};

const std::vector<Target>& targets();

struct Register {
  Register(std::string_view name, void (*run)(std::string_view bytes));
};

// The bytes up to the next line feed, which is taken away; the rest when there is none.
std::string_view take_line(std::string_view& bytes);

// The item that a line names; any other line means one of them all the same, so that mutations reach all.
template <typename Items, typename Name>
auto choose(const Items& items, std::string_view line, Name name) {
  size_t sum = 0;
  for (const char c : line) sum = sum * 31 + static_cast<unsigned char>(c);
  for (const auto& item : items)
    if (name(*item) == line) return item;
  return items[sum % items.size()];
}

}  // namespace micropay::fuzz
