// Runs git with fixed arguments: no shell, nobody's configuration, no prompts, no hooks. Internal to
// git_backend.cc.
#pragma once

#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::config {

struct GitRun {
  int status = 0;  // its exit code; 128 and more for signals
  std::string out;
  std::string error;  // the beginning of what it said
};

struct GitLimits {
  Duration timeout = 30 * kSecond;
  size_t max_out_bytes = 80 << 20;
};

// Blocks. `input` is written to its standard input. Errors: backend_unavailable when git cannot be started,
// does not end in time (it is killed) or says too much.
Result<GitRun> run_git(const std::vector<std::string>& arguments, const std::string& input, GitLimits limits);

}  // namespace micropay::config
