// ${name} and ${name:otherwise} in values, replaced by other values of the same settings. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "libs/remote/property_source.h"

namespace micropay::config {

class Placeholders {
 public:
  explicit Placeholders(const std::vector<Property>& properties);  // must outlive it

  // What cannot be resolved, or leads back to itself, stays as it is. `\${` is a plain "${".
  // The result is at most 1 MiB: beyond, the text stays as it was.
  std::string resolve(std::string_view text) const;

 private:
  struct Work;
  void append(Work& work, std::string_view text, size_t depth) const;
  bool append_value(Work& work, std::string_view inside, size_t depth) const;

  std::map<std::string_view, std::string_view> values_;
};

}  // namespace micropay::config
