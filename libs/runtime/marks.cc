#include "libs/runtime/marks.h"

#include <algorithm>

#include "libs/contract/etag.h"

namespace micropay {

uint32_t type_digest(std::string_view event_type) { return uint32_t(contract::digest64(event_type)); }

void add_mark(Marks& marks, const Mark& mark) {
  for (Mark& one : marks) {
    if (one.service != mark.service || one.partition != mark.partition || one.type != mark.type) continue;
    one.position = std::max(one.position, mark.position);
    return;
  }
  if (marks.size() < kMostMarks) marks.push_back(mark);
}

}  // namespace micropay
