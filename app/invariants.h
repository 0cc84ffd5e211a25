// The invariants of the money, the journal and the trail (DESIGN 7: 1, 2, 3, 6), checked over the tables of a
// store at rest: `micropay verify`, the simulator and tests call it. It trusts nothing that a service has
// summed up itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libs/contract/model.h"
#include "libs/store/store.h"

namespace micropay {

struct InvariantResult {
  std::string name;
  uint64_t checked = 0;  // rows or entries looked at
  bool ok = true;
  std::string problem;  // the first one
};

// All of them, the failed ones too; a table that cannot be read fails its invariant.
std::vector<InvariantResult> check_invariants(const Store& store, const contract::Model& model);

}  // namespace micropay
