# The simulator as its user runs it: 300 seeds hold every invariant and reach everything there is, the same
# seed gives the same run, each planted fault is found, and a failure is told so that a person can follow it.
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("BUILD", "build") / "micropay"

FAULTS = ["acts-on-duplicate", "releases-twice", "loses-outbox-row", "rounds-a-cent", "keeps-stale-cache",
          "drops-timer", "remembers-too-late", "skips-audit-entry", "publishes-before-commit",
          "ignores-reserved", "pays-back-twice", "skips-first-event"]


def simulate(*arguments, seconds=600):
    done = subprocess.run([BINARY, "simulate", *map(str, arguments)], capture_output=True, text=True,
                          timeout=seconds)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(1800)
def test_300_seeds_hold_every_invariant_and_reach_everything():
    code, text = simulate("--seed", 1, "--seeds", 300, "--steps", 2000, "--no-shrink")
    assert code == 0, text
    runs, steps = re.match(r"(\d+) runs, ([\d,]+) steps", text).groups()
    assert int(runs) == 300
    assert int(steps.replace(",", "")) == 300 * 2000


@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", ["embedded", "cluster"])
def test_the_same_seed_gives_the_same_run(profile):
    digests = set()
    for jobs in (1, 2):
        code, text = simulate("--seed", 11, "--seeds", 4, "--steps", 600, "--profile", profile,
                              "--jobs", jobs)
        assert code == 0, text
        digests.add(re.search(r"digest (\w+)", text).group(1))
    assert len(digests) == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    code, text = simulate("--seeds", 60, "--plant", fault, "--no-shrink")
    assert code == 1, text
    assert re.search(r"seed \d+ failed at step \d+: \S", text), text


def test_every_fault_is_planted_here():
    code, text = simulate("--plant", "nonsense")
    assert code == 2
    assert set(re.findall(r"[a-z]+(?:-[a-z]+)+", text.split("there are")[1].split("(")[0])) == set(FAULTS)


@pytest.mark.timeout(600)
def test_a_failure_is_shrunk_told_and_repeatable():
    code, text = simulate("--seeds", 20, "--plant", "skips-audit-entry", "--profile", "embedded")
    assert code == 1
    told = text.split("WRONG: ")[1].splitlines()[0]
    command = text.split("To see it again:")[1].split()
    assert command[:2] == ["micropay", "simulate"]
    kept = command[command.index("--keep") + 1]
    code, again = simulate(*command[2:])
    assert f"WRONG: {told}" in again
    # Shrunk: far fewer steps than the run had.
    count = sum(int(b or a) - int(a) + 1 for a, b in re.findall(r"(\d+)(?:-(\d+))?", kept))
    assert count < 400


def test_wrong_arguments_are_told():
    for arguments in (["--seed", "x"], ["--keep", "9-3"], ["--services", "bank"], ["--profile", "moon"]):
        code, text = simulate(*arguments)
        assert code == 2, text
