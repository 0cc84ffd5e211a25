// The memory store and the embedded one answer alike.
#include <gtest/gtest.h>

#include "libs/store/conformance_twin.h"

namespace micropay::test {
namespace {

StoreKind::Open memory_place() {
  return [](Projector& projector) -> Result<std::unique_ptr<Store>> {
    return make_memory_store(contract::model(), &projector);
  };
}

StoreKind::Open embedded_place() {
  auto folder = std::make_shared<ScratchFolder>();
  return [folder](Projector& projector) -> Result<std::unique_ptr<Store>> {
    // Few cached rows, so that reads come from the tables, too.
    return TRY(EmbeddedStore::open({.folder = folder->path(), .cache_rows = 16, .segment_bytes = 1 << 20},
                                   contract::model(), &projector));
  };
}

INSTANTIATE_TEST_SUITE_P(Stores, Conformance,
                         testing::Values(StoreKind{"Memory", false, memory_place},
                                         StoreKind{"Embedded", false, embedded_place},
                                         StoreKind{"Restarted", true, embedded_place}),
                         kind_name);

}  // namespace
}  // namespace micropay::test
