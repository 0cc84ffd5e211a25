#!/usr/bin/env python3
"""Runs rows on another commit and on the working tree, in turns; prints each figure's ratio with its
spread.

bench/compare.py REF [ROW ...]      make bench-compare REF=HEAD~3 BENCH="payments single"

REF is built in a git worktree below build/compare/, in a build folder that is kept for the next time. The
bench of the working tree drives both. BENCH_ROUNDS (5) turns each; BENCH_SECONDS and others as in
bench/common.py.
"""

import argparse
import collections
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import BINARY, BUILD, ROOT, tell

ROUNDS = max(1, int(os.environ.get("BENCH_ROUNDS", "5")))
SURE_ROUNDS = 5  # that all fall on one side by luck: one of sixteen
ROW_SECONDS = 3600  # of one bench run at most
LESS_IS_BETTER = ("p99_ms", "p50_ms", "us", "mb", "kb", "s", "ratio")


def git(*words, folder=ROOT):
    ran = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"git {' '.join(words)}: {ran.stderr.strip()}")
    return ran.stdout.strip()


def run_step(command, environment):
    """Tells how far it is every ten seconds; ends the program when it fails."""
    last, told = collections.deque(maxlen=40), time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    for line in process.stdout:
        last.append(line)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            tell(line.strip())
    if process.wait() != 0:
        sys.exit(f"{command[0]} failed:\n{''.join(last)}")


def build(commit):
    """The binary of the commit."""
    tree = BUILD / "compare" / "tree"
    made = BUILD / "compare" / "build"
    if not (tree / ".git").exists():
        shutil.rmtree(tree, ignore_errors=True)
        git("worktree", "prune")
        git("worktree", "add", "--detach", "--force", str(tree), commit)
    git("checkout", "--detach", "--force", "--quiet", commit, folder=tree)
    print(f"building {git('log', '-1', '--format=%h %s', commit)}", flush=True)
    began = time.monotonic()
    # Paths relative to the tree, so that ccache may use what was compiled elsewhere.
    environment = {**os.environ, "CCACHE_BASEDIR": str(BUILD / "compare"), "CCACHE_NOHASHDIR": "1"}
    if not (made / "build.ninja").exists():
        run_step(["cmake", "-S", tree, "-B", made, "-G", "Ninja", "-DMICROPAY_TESTS=OFF"], environment)
    run_step(["ninja", "-C", made, "micropay"], environment)
    print(f"built in {time.monotonic() - began:.0f} s", flush=True)
    return made / "micropay"


def figures(binary, rows, folder, name):
    """One run of the bench on a binary: {(row, figure): value}."""
    file = folder / "figures.json"
    environment = {**os.environ, "BENCH_BINARY": str(binary), "BENCH_PREPARED": str(folder / name)}
    ran = subprocess.run(
        [sys.executable, ROOT / "bench" / "bench.py", "--json", file, *rows],
        env={**environment, "BENCH_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=ROW_SECONDS,
    )
    if ran.returncode != 0:
        sys.exit(f"the bench failed on {name}:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
    measured = json.loads(file.read_text())["figures"]
    return {(row, key): value for row, values in measured.items() for key, value in values.items()}


def show(before, after):
    """A line a figure: medians, and the ratios of pairs of runs that are neighbours in time."""
    heading = f"{'row':<12} {'figure':<8} {'REF':>12} {'tree':>12}"
    print(f"\n{heading}   ratio, median of {len(before)} (lowest to highest)")
    for key in before[0]:
        pairs = [(old[key], new[key]) for old, new in zip(before, after) if old.get(key) and key in new]
        if not pairs:
            continue
        ratios = sorted(new / old for old, new in pairs)
        middle = statistics.median(ratios)
        old, new = (statistics.median(side) for side in zip(*pairs))
        better = middle < 1 if key[1] in LESS_IS_BETTER else middle > 1
        sure = ratios[0] > 1 or ratios[-1] < 1
        says = (
            ("better" if better else "worse") if sure and len(ratios) >= SURE_ROUNDS else "not told apart"
        )
        print(
            f"{key[0]:<12} {key[1]:<8} {old:>12,.2f} {new:>12,.2f}   "
            f"{middle:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) {says}"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ref")
    parser.add_argument("rows", nargs="*", default=["payments"], metavar="ROW")
    options = parser.parse_args()
    commit = git("rev-parse", "--verify", options.ref + "^{commit}")
    binary = build(commit)
    folder = Path(tempfile.mkdtemp(prefix="micropay-compare-", dir=os.environ.get("BENCH_DIR", BUILD)))
    os.chmod(folder, 0o755)
    try:
        before, after = [], []
        for number in range(ROUNDS):
            sides = [(binary, "ref", before), (BINARY, "tree", after)]
            for of, name, runs in sides if number % 2 == 0 else reversed(sides):
                runs.append(figures(of, options.rows, folder, name))
                told = ", ".join(f"{row} {key} {value:,.2f}" for (row, key), value in runs[-1].items())
                print(f"round {number + 1} of {ROUNDS}, {name}: {told}", flush=True)
        show(before, after)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
