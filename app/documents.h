// The documents in docs/ that are made, not written: `micropay docs` writes them and a test compares.
#pragma once

#include <string>
#include <vector>

namespace micropay::app {

struct Document {
  std::string name;  // "api.md"
  std::string text;
};
std::vector<Document> documents();

}  // namespace micropay::app
