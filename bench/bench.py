#!/usr/bin/env python3
"""Measures MicroPay through its real interface; each figure stands beside a floor or peer of the same run.

    bench/bench.py [ROW ...]       all rows when none is named; docs/performance.md says what each one does
    bench/bench.py --cluster [ROW ...]     the rows of the cluster profile
    bench/bench.py --list

Every row starts from a fresh copy of prepared wallets on the loopback interface and is bounded in time. A
wrong answer, money that is missing, or a `micropay verify` that is not clean fails the row and the bench.
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
import traceback

import floors
import rows_beside
import rows_big
import rows_cluster
import rows_gateway
import rows_parts
import rows_payments
import rows_stream
from common import ROOT, SECONDS, BenchFailed
from money import Prepared
from report import Report

ROWS = {
    "payments": rows_payments.payments,
    "merchant": rows_payments.merchant,
    "single": rows_payments.single,
    "open": rows_payments.open_loop,
    "reads": rows_beside.reads,
    "signins": rows_beside.sign_ins,
    "overload": rows_beside.overload,
    "stream": rows_stream.stream,
    "big": rows_big.big,
    "start": rows_parts.start,
    "json": rows_parts.json_both_ways,
    "store": rows_parts.store,
    "peer": rows_parts.peer,
}
CLUSTER_ROWS = {
    "payments": rows_cluster.payments,
    "merchant": rows_cluster.merchant,
    "single": rows_cluster.single,
    "recovery": rows_cluster.recovery,
    "gateway": rows_gateway.gateway,
}


class Bench:
    """What a row is given: where to put data, the floors, the prepared wallets, the report."""

    def __init__(self, folder):
        self.folder = folder
        rate, median_ms = floors.fsyncs(folder)
        self.floors = {"http": floors.http_rate(folder), "fsync": rate, "fsync_ms": median_ms}
        self.report = Report(self.floors)
        self._wallets = self._cluster = None

    @property
    def cluster(self):
        if self._cluster is None:
            self._cluster = rows_cluster.Prepared(self.folder)
            self._cluster.start()
        if not self._cluster.pairs:
            raise BenchFailed("the cluster could not be prepared")
        return self._cluster

    def stop(self):
        if self._cluster is not None:
            self._cluster.stop()

    @property
    def wallets(self):
        if self._wallets is None:
            self._wallets = Prepared(
                os.environ.get("BENCH_PREPARED", f"{self.folder}/prepared"), self.folder
            )
        return self._wallets


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--cluster", action="store_true", help="rows of the cluster profile")
    parser.add_argument("--list", action="store_true", help="print the rows and what they do")
    parser.add_argument("--json", metavar="FILE", help="the figures, too, for programs")
    options = parser.parse_args()
    options.known = CLUSTER_ROWS if options.cluster else ROWS
    if options.list:
        for name, measure in options.known.items():
            print(f"{name:<10} {' '.join(measure.__doc__.split())}")
        sys.exit(0)
    unknown = [name for name in options.rows if name not in options.known]
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; the rows are {', '.join(options.known)}")
    return options


def main():
    options = parse()
    failed = []
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))  # 5,000 sockets, for us and what we start
    folder = tempfile.mkdtemp(prefix="micropay-bench-", dir=os.environ.get("BENCH_DIR", ROOT / "build"))
    os.chmod(folder, 0o755)  # PostgreSQL runs as a user of its own
    bench = None
    try:
        bench = Bench(folder)
        print(
            f"floors of this run: nginx {bench.floors['http']:,.0f} small answers/s (wrk -t1 -c64), "
            f"{bench.floors['fsync']:,.0f} fdatasync/s, median {bench.floors['fsync_ms']:.2f} ms\n"
            f"{os.cpu_count()} cores, load generator included; {SECONDS} s a run; rates are scaled to "
            f"nginx's {floors.STANDARD_HTTP:,}/s\n",
            flush=True,
        )
        for name in options.rows or options.known:
            try:
                options.known[name](bench)
            except Exception as problem:  # the other rows are still worth their time
                failed.append(name)
                if not isinstance(problem, BenchFailed):
                    traceback.print_exc()
                print(f"  {name}: FAILED: {problem}", flush=True)
        print("\n" + bench.report.table(), flush=True)
        if options.json:
            bench.report.save(options.json)
    finally:
        if bench is not None:
            bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
