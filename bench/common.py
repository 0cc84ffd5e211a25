"""What every part of the bench knows: where things are, how much is asked of a row, and bounds for
everything.

Environment: BENCH_SECONDS of a timed run, BENCH_WALLETS, BENCH_PAYMENTS of the row `big`, BENCH_DIR for
the data, BENCH_BINARY for another binary than build/micropay (bench/compare.py uses it).
"""

import os
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
BINARY = Path(os.environ.get("BENCH_BINARY", BUILD / "micropay"))
WALLETS = max(4, int(os.environ.get("BENCH_WALLETS", "10000")))
USERS = min(200, WALLETS // 2)
SECONDS = max(1, int(os.environ.get("BENCH_SECONDS", "10")))
CONNECTIONS = 64
PASSWORD = "bench password only"


class BenchFailed(Exception):
    """A figure that is not worth printing: an answer was wrong, money is missing, something did not
    start."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchFailed(f"{what}: not within {seconds} s")
        time.sleep(0.005)


def tell(text):
    """A line of progress, beside the rows."""
    print(f"    … {text}", file=sys.stderr, flush=True)
