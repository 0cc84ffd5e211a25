// What libFuzzer calls: the one target that this binary was linked with. What the product would log is
// dropped.
#include <cstdint>

#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/base/log.h"

// NOLINTNEXTLINE: libFuzzer's name
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  CHECK(micropay::fuzz::targets().size() == 1);
  micropay::start_log({.write = [](std::string_view) {}});
  return 0;
}

// NOLINTNEXTLINE: libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  micropay::fuzz::targets()[0].run({reinterpret_cast<const char*>(data), size});
  return 0;
}
