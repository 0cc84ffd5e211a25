// The invariants of the money, the journal and the trail (DESIGN 7: 1, 2, 3, 6), checked over the tables of a
// store at rest: `micropay verify`, the simulator and tests call it. It trusts nothing that a service has
// summed up itself.
#pragma once

#include <cstdint>
#include <memory>
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

// Takes every row once, in key order within a table, and keeps the few facts of it that the invariants need:
// about 60 bytes a payment. Different tables may be given by different threads. The trail is left to the
// caller.
class InvariantFold {
 public:
  InvariantFold();
  ~InvariantFold();
  void add(const contract::Table& table, const google::protobuf::Message& row);
  // The row as protobuf bytes; false when they are none.
  bool add_bytes(const contract::Table& table, std::string_view bytes);
  std::vector<InvariantResult> finish();

 private:
  class Facts;
  std::unique_ptr<Facts> facts_;
};

// All of them and the trail, the failed ones too; a table that cannot be read fails its invariant.
std::vector<InvariantResult> check_invariants(const Store& store, const contract::Model& model);

}  // namespace micropay
