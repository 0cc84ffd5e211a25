// Replays every file of fuzz/corpus/<target>: what once crashed a target stays there as a seed. Built by the
// ordinary compiler, so that each `make test` runs it; a crash tells the file on stderr.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "fuzz/target.h"

namespace micropay::fuzz {
namespace {

char present[512];

// Async-signal-safe: it writes and lets the signal end the process as it would have.
void tell(int number) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, present, std::strlen(present));
  std::signal(number, SIG_DFL);
  std::raise(number);
}

std::string content(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

TEST(Corpus, OfEveryTargetRunsClean) {
  const auto root = std::filesystem::path(__FILE__).parent_path() / "corpus";
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(number, tell);
  ASSERT_GE(targets().size(), 12u);
  for (const Target& target : targets()) {
    size_t seeds = 0;
    target.run("");
    for (const auto& file : std::filesystem::directory_iterator(root / target.name)) {
      const std::string name =
          "fuzz/corpus: " + std::string(target.name) + "/" + file.path().filename().string() + "\n";
      std::strncpy(present, name.c_str(), sizeof present - 1);
      target.run(content(file.path()));
      ++seeds;
    }
    EXPECT_GE(seeds, 2u) << target.name;
  }
}

}  // namespace
}  // namespace micropay::fuzz
