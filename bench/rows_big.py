"""The row `big`: a platform after BENCH_PAYMENTS payments (1,000,000): memory, disk, start, verify, and
whether it is still as fast as it was with few."""

import os
import shutil
import time
from pathlib import Path

from common import SECONDS, BenchFailed, tell
from generators import load
from running import Platform

PAYMENTS = int(os.environ.get("BENCH_PAYMENTS", "1000000"))
FEW = min(100_000, PAYMENTS // 4)
STEP_SECONDS = 5  # between two lines of progress, about
TURNS = 3
LEAST_FREE_BYTES = 8 << 30
LOWEST_RATE = 50  # payments a second; slower is a row that hangs


class Filling:
    """Makes payments until there are so many, telling how far it is."""

    def __init__(self, bench, platform):
        self.bench, self.platform = bench, platform
        self.made, self.began = 0, time.monotonic()
        self.step = 5_000

    def to(self, count):
        while self.made < count:
            if shutil.disk_usage(self.platform.folder).free < LEAST_FREE_BYTES:
                raise BenchFailed(f"the disk is nearly full after {self.made:,} payments")
            step = min(self.step, count - self.made)
            bound = STEP_SECONDS + step / LOWEST_RATE
            run = load(
                self.platform.port, count=step, seconds=f"{bound:.0f}", pay=self.bench.wallets.wallets_file
            )
            if run["answered"] < step:
                raise BenchFailed(f"{run['answered']} payments in {bound:.0f} s")
            self.made += step
            self.step = max(1_000, int(run["rate"] * STEP_SECONDS))
            left = (PAYMENTS - self.made) / run["rate"]
            tell(
                f"{self.made:,} of {PAYMENTS:,} payments, {run['rate']:,.0f}/s, "
                f"RSS {self.platform.rss_mb():.0f} MB, about {left:.0f} s to go"
            )


def disk(bench, platform, empty, made):
    log, tables = (after - before for after, before in zip(platform.disk_bytes(), empty))
    bench.report.row(
        "disk",
        f"bytes on disk a payment, after {made:,}",
        "",
        f"log {log / made:.0f}, tables {tables / made:.0f}",
        kb=(log + tables) / made / 1000,
    )


def growth(bench, big_platform, small_folder, made):
    """Both in turns, so that both meet the same moods of the machine."""
    rates = {"small": [], "big": []}
    with Platform(small_folder) as small:
        platforms = {"small": small, "big": big_platform}
        for turn in range(TURNS + 1):
            for name, platform in platforms.items():
                seconds = max(3, SECONDS // 2)
                run = load(platform.port, seconds=seconds, pay=bench.wallets.wallets_file)
                platform.wait_until_quiet()
                if turn > 0:  # the first warms
                    rates[name].append(run["rate"])
    few, many = (sum(rates[name]) / TURNS for name in ("small", "big"))
    bench.report.row(
        "growth",
        f"throughput at {made:,} payments against at {FEW:,}",
        f"{few:,.0f}/s at {FEW:,}",
        f"{many:,.0f}/s; mean of {TURNS} turns each",
        share=many / few,
    )


def asked(name):
    """Memory and start were asked for with a million payments; with more they are for information."""
    return name if PAYMENTS <= 1_000_000 else ""


def big(bench):
    """A million payments (BENCH_PAYMENTS=10000000 for more): memory, bytes on disk a payment, start with
    that data until ready, throughput against that of a copy taken at 100,000, time of verify."""
    small_folder = Path(bench.folder) / "small"
    with bench.wallets.platform("big") as platform:
        empty = platform.disk_bytes()
        filling = Filling(bench, platform)
        filling.to(FEW)
        taken = platform.run("backup", "--to", str(small_folder))
        if taken.returncode != 0:
            raise BenchFailed(taken.stderr)
        filling.to(PAYMENTS)
        platform.wait_until_quiet()
        rate = PAYMENTS / (time.monotonic() - filling.began)
        note = f"resident, at rest; made at {rate:,.0f}/s"
        bench.report.row(asked("memory"), f"memory after {PAYMENTS:,} payments", "", note, mb=platform.rss_mb())
        disk(bench, platform, empty, PAYMENTS)
        platform.stop()
        tell("starting again")
        bench.report.row(asked("start"), f"start with {PAYMENTS:,} payments, to ready", s=platform.start())
        growth(bench, platform, small_folder, PAYMENTS)
        tell("counting the money, then verify")
        verified = bench.wallets.check(platform)
        note = f"memory {verified['memoryBytes'] / 1e6:.0f} MB"
        bench.report.detail("verify", f"{verified['seconds']:.1f} s", note)
