// Configuration files and --set: any text is read or refused, every reader gets a value that it may have, and
// what was not taken is an error of finish().
#include "libs/base/settings.h"

#include "fuzz/target.h"
#include "libs/base/check.h"

namespace micropay::fuzz {
namespace {

void run(std::string_view bytes) {
  Settings settings;
  const std::string_view line = take_line(bytes);
  const bool assigned = settings.set(line).has_value();
  const bool loaded = settings.load_text(bytes, "fuzz.yaml").has_value();
  CHECK(settings.duration("a.duration", kSecond, "") >= 0);
  const int64_t integer = settings.integer("a.integer", 5, -7, 70, "");
  CHECK(integer >= -7 && integer <= 70);
  const std::string choice = settings.choice("a.choice", "one", {"one", "two"}, "");
  CHECK(choice == "one" || choice == "two");
  (void)settings.flag("a.flag", true, "");
  (void)settings.text("text", "", "");
  (void)settings.print();
  auto finished = settings.finish();
  if (!assigned || !loaded || finished) return;
  CHECK(finished.error().reason == "unknown_setting" || finished.error().reason == "invalid_setting");
}

const Register kRegistered("settings", run);

}  // namespace
}  // namespace micropay::fuzz
