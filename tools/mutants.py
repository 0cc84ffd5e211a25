#!/usr/bin/env python3
# Would the tests notice? Each line of tests/mutants/mutants.toml is one wrong line in money, access or durability
# code. It is put into a copy of the tree, the unit tests that should object are built and run, and where they are
# content the simulator is asked, too. Prints who killed what, and the score; ends with 1 below 95 %, or when a line
# is no longer found or does not build. `make mutants` runs it (an hour on two cores; NAMES="…" for some).
#   mutants.py [--here] [--list] [NAME ...]     --here: in this tree, for machines that have no other use of it
import argparse
import os
import pathlib
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tests/mutants/mutants.toml"
WANTED = 0.95
BUILD_SECONDS, TEST_SECONDS, SIMULATE_SECONDS = 1800, 300, 600
SIMULATE = ["simulate", "--seeds", "60", "--no-shrink"]


def read_list(root=ROOT):
    """The mutants, and what is wrong with the list itself."""
    mutants = tomllib.loads((root / "tests/mutants/mutants.toml").read_text())["mutant"]
    problems, seen = [], set()
    for mutant in mutants:
        name, path = mutant["name"], root / mutant["file"]
        if name in seen:
            problems.append(f"{name}: stands twice")
        seen.add(name)
        found = path.read_text().count(mutant["was"]) if path.exists() else 0
        if found != 1:
            problems.append(f"{name}: its line is found {found} times in {mutant['file']}")
        if mutant["was"] == mutant["now"] or not mutant["by"]:
            problems.append(f"{name}: changes nothing, or names no test")
    return mutants, problems


def run(command, cwd, seconds):
    """(exit code, output); a command that overruns its time has code None."""
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return None, ""


def make_copy():
    """A work tree of the last commit below build-mutants/, with a build folder of its own."""
    tree = ROOT / "build-mutants"
    if not (tree / ".git").exists():
        subprocess.run(["git", "worktree", "add", "--force", "--detach", tree], cwd=ROOT, check=True)
    subprocess.run(["git", "checkout", "-q", "--force", "--detach",
                    subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()],
                   cwd=tree, check=True)
    if not (tree / "build/build.ninja").exists():
        subprocess.run(["cmake", "-S", ".", "-B", "build", "-G", "Ninja"], cwd=tree, check=True,
                       stdout=subprocess.DEVNULL)
    return tree


def judge(mutant, tree):
    """Who killed it; "" when nobody did, and a word in capitals when it could not be tried."""
    build = tree / "build"
    targets = mutant["by"]
    code, text = run(["ninja", "-C", build, *targets], tree, BUILD_SECONDS)
    if code != 0:
        print(text[-2000:], file=sys.stderr)
        return "DOES NOT BUILD"
    for test in targets:
        code, _ = run([build / test, "--gtest_brief=1", "--gtest_fail_fast", "--gtest_color=no"], tree, TEST_SECONDS)
        if code != 0:
            return test
    code, text = run(["ninja", "-C", build, "micropay"], tree, BUILD_SECONDS)
    if code != 0:
        print(text[-2000:], file=sys.stderr)
        return "DOES NOT BUILD"
    code, _ = run([build / "micropay", *SIMULATE], tree, SIMULATE_SECONDS)
    return "simulator" if code != 0 else ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    mutants, problems = read_list()
    for problem in problems:
        print("the list is out of date: " + problem)
    if arguments.list or problems:
        for mutant in mutants:
            print(f"{mutant['name']:44} {mutant['file']}")
        return 1 if problems else 0
    unknown = set(arguments.names) - {mutant["name"] for mutant in mutants}
    if unknown:
        print(f"there is no {', '.join(sorted(unknown))}; --list tells all")
        return 2
    if arguments.names:
        mutants = [mutant for mutant in mutants if mutant["name"] in arguments.names]
    tree = ROOT if arguments.here else make_copy()
    os.environ.setdefault("CCACHE_SLOPPINESS", "pch_defines,time_macros,include_file_mtime,include_file_ctime")
    needed = sorted({test for mutant in mutants for test in mutant["by"]})
    print(f"building the tree as it is, for {len(mutants)} mutants", flush=True)
    code, text = run(["ninja", "-C", tree / "build", "micropay", *needed], tree, 2 * BUILD_SECONDS)
    if code != 0:
        print(text[-4000:])
        return 1
    killed, failed = 0, 0
    for number, mutant in enumerate(mutants, 1):
        path, began = tree / mutant["file"], time.monotonic()
        sound = path.read_text()
        try:
            path.write_text(sound.replace(mutant["was"], mutant["now"]))
            by = judge(mutant, tree)
        finally:
            path.write_text(sound)
        killed += bool(by) and not by.isupper()
        failed += by.isupper()
        print(f"{number:3}/{len(mutants)}  {'killed by ' + by if by and not by.isupper() else by or 'LIVES':36}"
              f"{mutant['name']:44}{time.monotonic() - began:6.0f} s", flush=True)
    score = killed / max(1, len(mutants))
    print(f"{killed} of {len(mutants)} killed: {score:.0%} (wanted: {WANTED:.0%})")
    return 0 if score >= WANTED and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
