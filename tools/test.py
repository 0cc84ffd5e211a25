#!/usr/bin/env python3
# Runs every test there is: the gtest binaries in build/, the checks of tools/check.py, and pytest over tests/
# and tools/. Each suite's output goes to build/test-logs/ and is shown when it fails. The last line is
# "N passed, N failed"; a suite that ran nothing, crashed or overran its time counts as failed.
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
LOGS = BUILD / "test-logs"
UNIT_SECONDS = 300
FLOW_SECONDS = 900
SHOWN_LINES = 60
SUITES = {"flows": ["tests/flow", "tests/cli"], "reliability": ["tests/reliability"],
          "cluster": ["tests/cluster"], "simulation": ["tests/simulation"]}


# Test binaries that need real servers; tests/servers/with.py starts them.
SERVERS = {"libs_sqlserver_test": ["postgres", "mariadb"], "libs_kafka_test": ["kafka"],
           "libs_redis_test": ["redis"], "services_gateway_test": ["redis"]}
SERVER_SECONDS = 900
# The flow tests once more, against Kafka, a database server, Redis and every service in processes of its own.
DATABASES = ("postgres", "mariadb")
CLUSTER_SECONDS = 1200


def count_junit(path):
    """(passed, failed, skipped) of the JUnit file of gtest or pytest; a torn one counts as a failure."""
    passed = failed = skipped = 0
    try:
        root = xml.parse(path).getroot()
    except xml.ParseError:
        return 0, 1, 0
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_checks(log):
    """The same of tools/check.py, whose every line about a check starts with ok or FAILED."""
    words = [line.split(" ")[0] for line in log.read_text(errors="replace").splitlines()]
    return words.count("ok"), words.count("FAILED"), 0


def run(name, command, seconds):
    """Runs one suite, tells how it went, and returns (passed, failed)."""
    log, result = LOGS / f"{name}.log", LOGS / f"{name}.xml"
    result.unlink(missing_ok=True)
    command = [str(part).replace("{result}", str(result)) for part in command]
    began, note = time.monotonic(), ""
    with open(log, "w") as out:
        try:
            code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT, timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            code, note = 1, f"stopped after {seconds} s"
    passed, failed, skipped = count_junit(result) if result.exists() else count_checks(log)
    if passed + failed == 0:
        note = note or "ran nothing"
    if code != 0 or passed + failed == 0:
        note, failed = note or f"ended with code {code}", max(failed, 1)
    counts = f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")
    spent = time.monotonic() - began
    text = f"{'FAILED' if failed else 'ok':8}{name:32}{counts:32}{spent:7.1f} s  {note}".rstrip()
    if failed:
        tail = log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        text += "\n" + "\n".join("    " + line for line in tail) + f"\n    (all of it: {log})"
    print(text, flush=True)
    return passed, failed


def main():
    LOGS.mkdir(parents=True, exist_ok=True)
    pytest = [ROOT / ".venv/bin/pytest", "-q", "--color=no", "-p", "no:cacheprovider", "--junitxml={result}"]
    results = []
    units = sorted(BUILD.glob("*_test"))
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        gtest = ["--gtest_output=xml:{result}", "--gtest_color=no", "--gtest_brief=1"]
        waiting = [pool.submit(run, unit.name, [unit, *gtest], UNIT_SECONDS) for unit in units
                   if unit.name not in SERVERS]
        results += [future.result() for future in waiting]
    for unit in units:  # one by one: servers and their clients want both cores
        if unit.name in SERVERS:
            beside = ["tests/servers/with.py", *SERVERS[unit.name], "--", unit, *gtest]
            results.append(run(unit.name, beside, SERVER_SECONDS))
    if not units:
        print(f"FAILED  no *_test binary in {BUILD}")
        results.append((0, 1))
    results.append(run("checks", ["tools/check.py"], FLOW_SECONDS))
    results.append(run("tools", pytest + ["tools"], UNIT_SECONDS))
    for suite, folders in SUITES.items():
        results.append(run(suite, pytest + folders, FLOW_SECONDS))
    for database in DATABASES:
        beside = ["tests/servers/with_cluster.py", "--database", database, "--keep-logs", LOGS / f"on-{database}", "--"]
        results.append(run(f"flows-on-{database}", beside + pytest + ["tests/flow"], CLUSTER_SECONDS))
    passed, failed = (sum(counts) for counts in zip(*results))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
