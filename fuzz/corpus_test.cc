// Replays every file of fuzz/corpus/<target>: what once crashed a target stays there as a seed. Built by the
// ordinary compiler, so that each `make test` runs it; a crash tells the file on stderr.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
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

// No fuzzer runs in `make test`: a few thousand rows that it could have made, the same each time.
TEST(Corpus, OfStoredRowsRunsCleanWithBytesChanged) {
  const auto root = std::filesystem::path(__FILE__).parent_path() / "corpus" / "stored";
  const auto stored = std::ranges::find(targets(), "stored", &Target::name);
  ASSERT_NE(stored, targets().end());
  std::vector<std::string> seeds;
  for (const auto& file : std::filesystem::directory_iterator(root)) seeds.push_back(content(file.path()));
  std::ranges::sort(seeds);
  std::minstd_rand random(1);
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes = seeds[random() % seeds.size()];
    for (auto changes = random() % 4; changes > 0 && !bytes.empty(); --changes) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0: bytes[at] = char(random()); break;
        case 1: bytes[at] = char(bytes[at] ^ (1 << random() % 8)); break;
        case 2: bytes.erase(at, random() % 4); break;
        default: bytes.insert(at, seeds[random() % seeds.size()].substr(0, 40)); break;
      }
    }
    stored->run(bytes);
  }
}

}  // namespace
}  // namespace micropay::fuzz
