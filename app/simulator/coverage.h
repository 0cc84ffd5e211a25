// What of the contracts and handlers a run reached: every command answered with success and with each reason
// that its contract names, every handler of an event, every timer, every kind of outcome of an effect.
// Additive over runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libs/runtime/service.h"

namespace micropay::app {

class Coverage {
 public:
  // What there is to reach, from the contracts and the services' lists.
  void expect(const std::vector<Service>& services);
  // The same services with handlers that count. Coverage must outlive them.
  void count_handlers(std::vector<Service>& services);
  void reached(const std::string& item) { ++hits_[item]; }
  void answered(const contract::Method& method, const std::string& reason);
  void add(const Coverage& other);
  std::vector<std::string> missed() const;      // expected, never reached
  std::vector<std::string> undeclared() const;  // reasons that no contract names
  size_t expected() const { return expected_.size(); }
  size_t hit() const;
  // A line an item, "count\titem", for one process to hand to another.
  std::string text() const;
  void add_text(const std::string& text);

 private:
  std::map<std::string, bool> expected_;
  std::map<std::string, uint64_t> hits_;
};

}  // namespace micropay::app
