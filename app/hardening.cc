#include "app/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "libs/base/host_port.h"
#include "libs/base/log.h"

namespace micropay::app {

bool read_core_dumps(Settings& settings) {
  return settings.flag("process.core_dumps", false,
                       "Whether a crash may leave a core dump, and debuggers may attach: its memory has keys "
                       "and passwords");
}

// The limit alone would not do: where the kernel pipes cores to a program, it is not asked.
void forbid_core_dumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  bool done = setrlimit(RLIMIT_CORE, &none) == 0;
#if !defined(__SANITIZE_ADDRESS__)  // which looks for leaks by attaching to itself
  done = prctl(PR_SET_DUMPABLE, 0) == 0 && done;
#endif
  if (!done) log_warn("process.core_dumps", "Core dumps could not be forbidden");
}

Result<void> check_addresses(const Settings& settings) {
  std::string problems;
  for (const SettingInfo& info : settings.declared()) {
    if (!info.key.ends_with("listen") || info.value.empty() || parse_host_port(info.value)) continue;
    problems += fmt::format(
        "{}{}: {} = \"{}\" is no address; expected HOST:PORT or [IPV6]:PORT, the port from "
        "0 to 65535",
        problems.empty() ? "" : "\n", info.source, info.key, info.value);
  }
  if (problems.empty()) return {};
  return fail(Code::kInvalidArgument, "invalid_setting", std::move(problems));
}

}  // namespace micropay::app
