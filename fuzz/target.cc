#include "fuzz/target.h"

namespace micropay::fuzz {
namespace {

std::vector<Target>& registered() {
  static std::vector<Target> all;
  return all;
}

}  // namespace

const std::vector<Target>& targets() { return registered(); }

Register::Register(std::string_view name, void (*run)(std::string_view bytes)) {
  registered().push_back({name, run});
}

std::string_view take_line(std::string_view& bytes) {
  const size_t end = std::min(bytes.find('\n'), bytes.size());
  const std::string_view line = bytes.substr(0, end);
  bytes.remove_prefix(std::min(end + 1, bytes.size()));
  return line;
}

}  // namespace micropay::fuzz
