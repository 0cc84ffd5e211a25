#!/usr/bin/env python3
# Checks the source itself: `check.py` runs all, `check.py NAME...` some. One line a check, "ok" or "FAILED",
# then its findings as path:line: what. The structural ones take a second together; tidy keeps what it found
# clean in build/tidy/ and looks at a file again when it, a header of ours below it or .clang-tidy changes.
#   --fix  let format rewrite the files   --all  let tidy look at everything and tests, as long as it takes
#   --root DIR  another tree (for the test of this)
import argparse
import concurrent.futures
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

import contracts
from check_cpp import code_only, functions

LAYERS = {"contracts": 0, "libs": 1, "services": 2, "app": 3, "bench": 4, "fuzz": 4, "tests": 4}
COLUMNS = 110
SCRIPT_COLUMNS = 125  # of Python, shell and contracts
LINES = {".h": 200, ".cc": 400, ".proto": 400, ".py": 400, ".sh": 200}
TEST_LINES = 600
FUNCTION_LINES = 60
TIDY_FOLDERS = ("app/", "libs/", "services/", "bench/", "fuzz/")
TIDY_SECONDS = 0  # of `make check`; `make tidy` looks at all: it starts no further file after these

# What would make a handler's outcome depend on anything but its input: it has the context for all of these.
IMPURE = re.compile(
    r"std::(this_)?thread\b|std::jthread\b|std::async\b|\b(system|steady|high_resolution)_clock\b"
    r"|std::random_device\b|std::mt19937|\bgettimeofday\b|\bclock_gettime\b|\bs?rand\s*\(|\bgetenv\s*\("
    r"|#include <(chrono|thread|random|fstream|iostream|filesystem)>")
PARSE_OR_DIE = re.compile(r"\bCHECK\(.*\b(ParseFrom|ParsePartialFrom|Unpack|parse_|read_|decode_)\w*\(")
FLOATING = re.compile(r"\b(float|double)\b")


class Tree:
    """The files of ours below a root, read once."""

    def __init__(self, root, build):
        self.root = root
        self.build = build
        self.paths = sorted(
            path.relative_to(root).as_posix() for folder in [*LAYERS, "tools"]
            for path in (root / folder).rglob("*")
            if path.suffix in LINES and "node_modules" not in path.parts and path.is_file())
        self.cpp = [path for path in self.paths if path.endswith((".h", ".cc"))]

    @functools.cache
    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    @functools.cache
    def code(self, path):
        return code_only(self.text(path))

    @functools.cache
    def includes(self, path):
        """(line, file) of each include in quotes."""
        return [(number, match[1]) for number, line in enumerate(self.text(path).splitlines(), 1)
                if (match := re.match(r'#\s*include\s+"([^"]+)"', line))]

    def source_of(self, include):
        """The file of ours that an include stands for: itself, or the contract it is made from."""
        contract = re.sub(r"\.pb\.h$", ".proto", include)
        return contract if contract in self.known else include if include in self.known else None

    @functools.cached_property
    def known(self):
        return set(self.paths)


def is_test(path):
    return path.endswith(("_test.cc", "_twin.cc", "_twin.h", "_test.py")) or path.startswith("tests/")


def check_includes(tree):
    """app -> services -> libs -> contracts; services meet in contracts; an include is the file's address."""
    for path in tree.cpp:
        layer = path.split("/")[0]
        for line, include in tree.includes(path):
            target = include.split("/")[0]
            if include == "app/services.h":
                continue  # made by CMakeLists.txt
            if tree.source_of(include) is None:
                yield path, line, f'"{include}" is no file of ours; name it from the root of the repository'
            elif LAYERS.get(target, 0) > LAYERS.get(layer, 9):
                yield path, line, f"{layer} must not include {target}"
            elif layer == target == "services" and include.split("/")[1] != path.split("/")[1]:
                yield path, line, f"services never include each other ({include}): they meet in contracts"


def check_sizes(tree):
    """Functions, files and lines that can be read."""
    for path in tree.paths:
        lines = tree.text(path).splitlines()
        limit = TEST_LINES if is_test(path) else LINES[pathlib.Path(path).suffix]
        if len(lines) > limit:
            yield path, len(lines), f"{len(lines)} lines; the limit is {limit}"
        for number, line in enumerate(lines, 1):
            columns = COLUMNS if path in tree.cpp else SCRIPT_COLUMNS
            if len(line) > columns and "://" not in line:
                yield path, number, f"{len(line)} columns; the limit is {columns}"
        if path in tree.cpp and not is_test(path):
            for first, last in functions(tree.code(path)):
                if last - first + 1 > FUNCTION_LINES:
                    length = last - first + 1
                    yield path, first, f"a function of {length} lines; the limit is {FUNCTION_LINES}"


def check_heads(tree):
    """A file opens by saying what it is for; a source with a header of its own name may leave it to that."""
    for path in tree.paths:
        if path.endswith(".cc") and path[:-3] + ".h" in tree.known:
            continue
        lines = tree.text(path).splitlines()
        if lines and lines[0].startswith("#!"):
            lines = lines[1:]
        mark = "//" if path.endswith((".h", ".cc", ".proto")) else ("#", '"""')
        head = 0
        while head < len(lines) and lines[head].startswith(mark):
            head += 1  # a docstring counts by its first line
        if head == 0:
            yield path, 1, "opens without a comment of what it is for"
        if re.search(r"copyright|licen[cs]e|@author", "\n".join(lines[:head]), re.I):
            yield path, 1, "no licence banners or authors; LICENSE and the history have them"


def check_purity(tree):
    """Services' handlers and rules have no clock, threads, randomness or I/O but the context's."""
    for path in tree.cpp:
        if not re.fullmatch(r"services/[^/]+/(service|rules)\.(cc|h)", path):
            continue
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            if match := IMPURE.search(line):
                yield path, number, f"{match[0].strip()}: ask the context, so that a test owns the world"


def check_money(tree):
    """Nothing floats where money is; fraud scores may. A line that says `not money` is believed."""
    for path in tree.cpp:
        if not path.startswith(("services/", "libs/base/money")) or path.startswith("services/fraud/"):
            continue
        texts = tree.text(path).splitlines()
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            if (match := FLOATING.search(line)) and "not money" not in texts[number - 1]:
                yield path, number, f"{match[0]}: money is int64_t minor units (libs/base/money.h)"


def check_checks(tree):
    """Bytes that were stored or sent may be anything: they do not end the process. A line that says `own bytes`,
    which this very process has written, is believed."""
    for path in tree.cpp:
        if not path.startswith(("libs/", "services/", "app/")) or is_test(path):
            continue
        texts = tree.text(path).splitlines()
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            if PARSE_OR_DIE.search(line) and "own bytes" not in texts[number - 1]:
                yield path, number, "bytes that do not parse are an error, not a CHECK (decision 14)"


def check_contracts(tree):
    """Processes of the last release and of this tree understand each other."""
    yield from contracts.check(tree.root)


def check_format(tree, fix=False):
    """clang-format; `make format` repairs."""
    ours = [path for path in tree.cpp if not path.startswith("contracts/")]
    mode = ["-i"] if fix else ["--dry-run", "--Werror"]
    halves = [half for half in (ours[::2], ours[1::2]) if half]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = pool.map(lambda half: subprocess.run(["clang-format-19", *mode, *half], cwd=tree.root,
                                                    capture_output=True, text=True), halves)
    wrong = {}
    for run in runs:
        for match in re.finditer(r"^([^:\n]+):(\d+):\d+: error", run.stderr, re.M):
            wrong.setdefault(match[1], []).append(int(match[2]))
    for path, lines in sorted(wrong.items()):
        yield path, lines[0], f"not formatted in {len(lines)} places; run make format"


def fingerprint(tree, path):
    """Of everything of ours that a source's findings depend on."""
    reached, waiting = set(), [path]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        if path.endswith((".h", ".cc")):
            waiting += [source for _, include in tree.includes(path) if (source := tree.source_of(include))]
    digest = hashlib.sha256((tree.root / ".clang-tidy").read_bytes())
    for path in sorted(reached):
        digest.update(f"\0{path}\0{tree.text(path)}".encode())
    return digest.hexdigest()


def newest_first(tree, paths):
    """What is being worked on, then what was committed last: so a short run looks at what matters now."""
    def git(*command):
        ran = subprocess.run(["git", *command], cwd=tree.root, capture_output=True, text=True)
        return [line for line in ran.stdout.splitlines() if line]

    dirty = git("diff", "--name-only", "HEAD") + git("ls-files", "-o", "--exclude-standard")
    order = {}
    for path in dirty + git("log", "-n", "500", "--name-only", "--format="):
        order.setdefault(path, len(order))
    return sorted(paths, key=lambda path: (order.get(path, len(order)), path))


def tidy_one(tree, path, stamp):
    command = ["clang-tidy-19", "-p", str(tree.build), "--quiet", "--extra-arg=-Wno-ignored-gch", path]
    run = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    if run.returncode == 0:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
        return []
    found = [(os.path.relpath(match[1], tree.root), int(match[2]), match[3])
             for match in re.finditer(r"^(/[^:\n]+):(\d+):\d+: (?:error|warning): (.*)$", run.stdout, re.M)]
    return found or [(path, 1, f"clang-tidy ended with {run.returncode}: {(run.stdout + run.stderr)[-500:]}")]


def check_tidy(tree, everything=False):
    """clang-tidy over every source but tests, those changed last first, until the time is up."""
    if not (tree.build / "compile_commands.json").exists():
        yield str(tree.build), 1, "not configured; run make check"
        return
    sources = [path for path in tree.cpp if path.endswith(".cc") and path.startswith(TIDY_FOLDERS)
               and (everything or not is_test(path))]
    stamps = {path: tree.build / "tidy" / fingerprint(tree, path) for path in sources}
    todo = [path for path in newest_first(tree, sources) if not stamps[path].exists()]
    until = time.monotonic() + (float("inf") if everything else TIDY_SECONDS)
    left = []

    def work(path):
        if time.monotonic() < until:
            return tidy_one(tree, path, stamps[path])
        left.append(path)
        return []

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {finding for findings in pool.map(work, todo) for finding in findings}
    if left:
        print(f"tidy: {len(left)} of {len(sources)} sources wait for the next run; make tidy looks at all")
    yield from sorted(found)


CHECKS = {"includes": check_includes, "sizes": check_sizes, "heads": check_heads, "purity": check_purity,
          "money": check_money, "checks": check_checks, "contracts": check_contracts, "format": check_format,
          "tidy": check_tidy}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CHECKS))
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent, type=pathlib.Path)
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CHECKS):
        parser.error(f"no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    tree = Tree(options.root, (options.root / os.environ.get("BUILD", "build")).resolve())
    extra = {"format": {"fix": options.fix}, "tidy": {"everything": options.all}}
    failed = False
    for name in options.names or CHECKS:
        began = time.monotonic()
        try:
            findings = list(CHECKS[name](tree, **extra.get(name, {})))
        except FileNotFoundError as error:
            findings = [(str(error.filename), 1, "is missing; run tools/setup.sh test")]
        failed |= bool(findings)
        print(f"{'FAILED' if findings else 'ok':8}{name:12}{time.monotonic() - began:6.1f} s", flush=True)
        for path, line, what in findings:
            print(f"    {path}:{line}: {what}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
