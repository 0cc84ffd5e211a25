#!/usr/bin/env python3
# Runs the fuzz targets of build-fuzz/ (`make fuzz SECONDS=60` builds them), each that long, two at a time; a
# line for each with runs, speed, edges reached. Begins with fuzz/corpus/<target>; keeps interesting inputs in
# build-fuzz/corpus for the next run, crashing ones in build-fuzz/crashes. Ends with 1 when one crashed.
#   fuzz.py SECONDS [TARGET ...]
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-fuzz"
CRASH_LINES = 40
LONGEST_INPUT = 4096
SLOW_SECONDS = 20  # one input; a debug build with sanitizers on a busy machine


def write_dictionary(path):
    """Names that inputs are made of: fields as JSON and as SQL, messages, enum values, words of formats."""
    words = {"EUR", "JPY", "KWD", "currency", "value", "true", "false", "null", "offset:", "Content-Length: ",
             "Transfer-Encoding: chunked", "Host: ", "HTTP/1.1", "If-Match: ", "Idempotency-Key: ",
             "2026-11-21T01:39:47Z"}
    for contract in sorted((ROOT / "contracts").glob("*.proto")):
        text = contract.read_text()
        words.update(re.findall(r"^message (\w+)", text, re.M))
        words.update(re.findall(r"\b([A-Z][A-Z_]+) = \d", text))
        words.update(re.findall(r'"(/api/v1/[^"{]*)', text))
        for name in re.findall(r"\b([a-z]\w*) = \d+ *[\[;]", text):
            words.update({name, re.sub(r"_(\w)", lambda match: match[1].upper(), name)})
    path.write_text("".join(f'"{word}"\n' for word in sorted(words)))


def run(target, seconds, dictionary):
    """Runs one; returns its crashes."""
    corpus, crashes = BUILD / "corpus" / target, BUILD / "crashes" / target
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(crashes.iterdir())
    command = [BUILD / f"fuzz_{target}", corpus, ROOT / "fuzz" / "corpus" / target,
               f"-max_total_time={seconds}", f"-timeout={SLOW_SECONDS}", "-rss_limit_mb=2048",
               f"-max_len={LONGEST_INPUT}", "-print_final_stats=1", f"-dict={dictionary}",
               f"-artifact_prefix={crashes}/"]
    env = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_OPTIONS": "detect_leaks=1"}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=env,
                          timeout=seconds + 300)
    (BUILD / f"fuzz_{target}.log").write_text(done.stderr)

    def last(pattern):
        found = re.findall(pattern, done.stderr)
        return int(found[-1]) if found else 0

    found = sorted(set(crashes.iterdir()) - before)
    runs, edges = last(r"number_of_executed_units: (\d+)") or last(r"#(\d+)"), last(r"cov: (\d+)")
    failed = done.returncode != 0
    print(f"{'CRASH' if failed else 'ok':8}{target:14}{runs:12,} runs{runs // max(seconds, 1):9,}/s"
          f"{edges:9,} edges{len(list(corpus.iterdir())):8,} inputs kept", flush=True)
    if failed:
        lines = [line for line in done.stderr.splitlines() if "pulse" not in line and "NEW" not in line
                 and "REDUCE" not in line]
        print("\n".join("    " + line for line in lines[-CRASH_LINES:]))
        for path in found:
            print(f"    {path.relative_to(ROOT)}: repeat with build-fuzz/fuzz_{target} FILE; when it is "
                  f"mended, copy it to fuzz/corpus/{target}/")
    return failed


def main():
    seconds = int(sys.argv[1])
    built = [path for path in BUILD.glob("fuzz_*") if os.access(path, os.X_OK) and path.is_file()]
    targets = sys.argv[2:] or sorted(path.name.removeprefix("fuzz_") for path in built)
    dictionary = BUILD / "words.dict"
    write_dictionary(dictionary)
    jobs = min(os.cpu_count(), 2)
    print(f"fuzz: {len(targets)} targets, {seconds} s each, {jobs} at a time", flush=True)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        failed = sum(pool.map(lambda target: run(target, seconds, dictionary), targets))
    print(f"fuzz: {len(targets) - failed} clean, {failed} crashed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
