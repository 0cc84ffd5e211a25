"""Rows of parts by themselves: `start`, `json`, `store`; and `peer`, what others make of bare transfers."""

import re
import subprocess
from pathlib import Path

import floors
from common import BUILD, CONNECTIONS, SECONDS, WALLETS, BenchFailed
from running import Platform


def start(bench):
    """From the start of the process until it is ready: an empty folder, and the prepared wallets."""
    with Platform(Path(bench.folder) / "start") as platform:
        platform.stop()
        empty = platform.start()
    with bench.wallets.platform("start") as platform:
        platform.stop()
        full = platform.start()
    bench.report.row(
        "start-small", f"start with {WALLETS:,} wallets", f"an empty folder {empty:.2f} s", s=full
    )


def program(name):
    """The lines of bench/NAME.cc."""
    ran = subprocess.run([BUILD / f"bench_{name}"], capture_output=True, text=True, timeout=600)
    if ran.returncode != 0:
        raise BenchFailed(f"bench_{name}: {ran.stdout}{ran.stderr}")
    return ran.stdout.splitlines()


def json_both_ways(bench):
    """JSON of a payment to its message and back, by one core."""
    for line in program("json"):
        what, ns = re.fullmatch(r"(.*): (\d+) ns", line).groups()
        bench.report.row(f"json {what}", f"JSON: {what}", us=int(ns) / 1000)


def store(bench):
    """The store without anything above it: commits of ticks, rows applied, reads."""
    for line in program("store"):
        what, _, measured = line.partition(": ")
        bench.report.detail(what, measured)


def peer(bench):
    """PostgreSQL's pgbench beside us: 64 clients, bare transfers of two updates and an insert, durable."""
    try:
        server = floors.Postgres(Path(bench.folder) / "postgres")
    except FileNotFoundError as missing:
        return bench.report.detail("peer", "not measured", str(missing))
    with server:
        run = server.transfers(WALLETS, CONNECTIONS, SECONDS)
    return bench.report.row(
        "peer",
        f"peer: pgbench, {CONNECTIONS} clients, bare transfers",
        "synchronous_commit=on",
        f"p50 {run['p50']:.1f} ms; defaults of the package",
        rate=run["rate"],
        p99_ms=run["p99"],
    )
