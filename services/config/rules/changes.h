// What changed between two versions of the files, told as the applications that it concerns. Pure.
#pragma once

#include <string>
#include <vector>

#include "services/config/rules/environment.h"

namespace micropay::config {

struct Change {
  std::string application;  // "*": any
  std::string profile;      // "*": any
  bool operator==(const Change&) const = default;
  auto operator<=>(const Change&) const = default;
};

// "payment-eu.yml" may be of application payment-eu, or of payment with profile eu: both are told. Shared
// files, and those that are no settings, concern everybody; when everybody is concerned, nobody is named
// beside. Sorted.
std::vector<Change> changes_between(const FileTree& before, const FileTree& after);

}  // namespace micropay::config
