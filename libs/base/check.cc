#include "libs/base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "libs/base/check_scope.h"

namespace micropay {
namespace {

thread_local int scopes = 0;
std::atomic<bool> always_ends{false};

}  // namespace

CheckScope::CheckScope() { ++scopes; }
CheckScope::~CheckScope() { --scopes; }
void CheckScope::never() { always_ends = true; }

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
  if (scopes > 0 && !always_ends)
    throw CheckFailed(std::string(condition) + " at " + file + ":" + std::to_string(line));
  std::abort();
}

}  // namespace micropay
