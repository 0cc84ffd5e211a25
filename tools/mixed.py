#!/usr/bin/env python3
# The last release and the working tree side by side: builds the commit REF (else that of contracts/baseline.txt) in a
# git worktree of its own below build/compare/, and runs tests/mixed with its binary as instance 1 of payment, balance
# and transaction. The first build of a commit takes as long as any; ccache keeps it.
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import compare  # noqa: E402
import contracts  # noqa: E402


def main():
    commit = sys.argv[1] if len(sys.argv) > 1 else contracts.read((ROOT / contracts.BASELINE).read_text())[1]
    # A binary of the release that is there already is not built again.
    binary = os.environ.get("MICROPAY_TEST_PREVIOUS") or compare.build(compare.git("rev-parse", commit))
    sys.exit(subprocess.run([".venv/bin/pytest", "-v", "-p", "no:cacheprovider", "tests/mixed"], cwd=ROOT,
                            env=os.environ | {"MICROPAY_TEST_PREVIOUS": str(binary)}).returncode)


if __name__ == "__main__":
    main()
