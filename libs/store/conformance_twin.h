// What every store must do, run on each of them: the memory store stands for the others in all other tests,
// so they must not differ. The cases are in conformance_twin.cc; a test binary that links it says which
// stores it has:
//
//   INSTANTIATE_TEST_SUITE_P(Stores, Conformance, testing::ValuesIn(kinds), kind_name);
//
// A kind that `restarts` closes and opens the store between the steps, too.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "libs/store/store_twin.h"

namespace micropay::test {

struct StoreKind {
  std::string name;
  bool restarts = false;
  // Where one store lives: opens it, as often as it is asked; empty when the server for it is not there.
  using Open = std::function<Result<std::unique_ptr<Store>>(Projector&)>;
  std::function<Open()> make_place;
};

inline void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }
inline std::string kind_name(const testing::TestParamInfo<StoreKind>& info) { return info.param.name; }

class Conformance : public testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override;
  void open();
  void commit(std::vector<RowChange> changes, size_t events = 0);
  Result<Page> list(ListQuery query) const;
  std::string detail(uint64_t number) const;
  static std::vector<uint64_t> numbers(const Page& page);
  std::vector<uint64_t> numbers(ListQuery query) const;
  std::vector<uint64_t> walk(ListQuery query) const;  // all pages, one after another
  // Letters 1 to 60: status and service in turns, three created in each second.
  void fill();

  StoreKind::Open open_place;
  CountingProjector projector;
  std::unique_ptr<Store> store;
  TickMaker ticks;
};

}  // namespace micropay::test
