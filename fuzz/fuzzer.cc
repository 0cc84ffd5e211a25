// What libFuzzer calls: the one target that this binary was linked with.
#include <cstdint>

#include "fuzz/target.h"
#include "libs/base/check.h"

// NOLINTNEXTLINE: libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CHECK(micropay::fuzz::targets().size() == 1);
  micropay::fuzz::targets()[0].run({reinterpret_cast<const char*>(data), size});
  return 0;
}
