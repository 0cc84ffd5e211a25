#!/bin/bash
# Builds and runs the unit tests under the sanitizers, for `make sanitize`: all with address, undefined and
# leak in build-asan, there also some simulated histories; those that use threads with thread in build-tsan.
# `sanitize.sh asan` or `tsan` for one.
# A finding ends the test with its report; what we leave to others stands in tools/tsan.supp, with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."
which=${1:-both}
concurrent=(libs_base_test libs_store_test libs_runtime_test libs_http_test libs_security_test
  services_gateway_test app_test)

run() {
  local folder=$1 sanitizers=$2 names=$3
  shift 3
  echo "sanitize: $sanitizers, in $folder"
  mkdir -p "$folder"
  cmake -S . -B "$folder" -G Ninja -DMICROPAY_SANITIZE="$sanitizers" > "$folder/configure.log" 2>&1 ||
    { cat "$folder/configure.log"; exit 1; }
  ninja -C "$folder" "$@"
  ctest --test-dir "$folder" -j2 --timeout 1800 --output-on-failure -R "$names"
}

export UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=detect_stack_use_after_return=1
# die_after_fork: the crash tests fork a process that they kill.
export TSAN_OPTIONS=suppressions=$PWD/tools/tsan.supp:second_deadlock_stack=1:die_after_fork=0
if [ "$which" != tsan ]; then
  run build-asan address,undefined . tests micropay
  build-asan/micropay simulate --seeds 30 --steps 1000 --no-shrink
fi
if [ "$which" != asan ]; then
  run build-tsan thread '^(libs_(base|store|runtime|http|security)|services_gateway|app)$' "${concurrent[@]}"
fi
