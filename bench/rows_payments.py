"""Rows of whole payments: `payments`, `merchant`, `single`, `open`. Each one runs on a copy of the
prepared wallets, every answer verified, the money counted afterwards."""

from common import CONNECTIONS, SECONDS
from generators import load

WARM_SECONDS = 2
OPEN_CONNECTIONS = 1_000
OPEN_SHARE = 0.7  # of the peak


def warm(bench, platform, **options):
    load(platform.port, seconds=WARM_SECONDS, pay=bench.wallets.wallets_file, **options)


class Costs:
    """What the platform used between two moments, by payment."""

    def __init__(self, platform):
        self.platform = platform
        self.cpu, self.threads, self.disk, self.ticks = self.now()

    def now(self):
        platform = self.platform
        ticks = platform.metric("micropay_engine_ticks_total")
        return platform.cpu_seconds(), platform.threads_cpu(), platform.disk_bytes(), ticks

    def tell(self, report, count):
        cpu, threads, _, ticks = self.now()
        used = {name: (spent - self.threads.get(name, 0)) / count * 1e6 for name, spent in threads.items()}
        shares = [
            f"{name} {us:.0f}" for name, us in sorted(used.items(), key=lambda one: -one[1])[:5] if us >= 1
        ]
        a_tick = count / max(1, ticks - self.ticks)
        note = f"by thread: {', '.join(shares)}; {a_tick:.0f} payments a tick"
        report.detail("CPU a payment", f"{(cpu - self.cpu) / count * 1e6:.0f} µs", note)
        self.platform.wait_until_quiet()
        log, tables = (after - before for after, before in zip(self.platform.disk_bytes(), self.disk))
        note = f"tables {tables / count:.0f}, with the write-ahead log; RSS {self.platform.rss_mb():.0f} MB"
        report.detail("bytes a payment", f"log {log / count:.0f}", note)


def beside_http(bench, run):
    return f"{run['rate'] / bench.floors['http']:.3f} of nginx" if bench.floors.get("http") else ""


def payments(bench):
    """64 keep-alive connections, 10,000 wallets."""
    with bench.wallets.platform("payments") as platform:
        warm(bench, platform)
        costs = Costs(platform)
        run = load(platform.port, seconds=SECONDS, pay=bench.wallets.wallets_file)
        bench.report.row(
            "payments",
            f"payments, {CONNECTIONS} connections",
            beside_http(bench, run),
            f"p50 {run['p50']:.1f} ms, p99.9 {run['p999']:.0f}, max {run['max']:.0f}",
            rate=run["rate"],
            p99_ms=run["p99"],
        )
        costs.tell(bench.report, run["answered"])
        bench.wallets.check(platform)


def merchant(bench):
    """Everybody pays one wallet; in turns with payments between all, so that both meet the same machine."""
    with bench.wallets.platform("merchant") as platform:
        shop = bench.wallets.pairs[0][1]
        warm(bench, platform)
        rates, worst, turn = {"": [], shop: []}, 0, max(1, SECONDS // 3)
        for _ in range(3):
            for to in rates:
                run = load(platform.port, seconds=turn, pay=bench.wallets.wallets_file, merchant=to)
                rates[to].append(run["rate"])
                worst = max(worst, run["p99"]) if to else worst
        everybody, one = (sum(of) / len(of) for of in rates.values())
        bench.report.row(
            "merchant",
            "payments to one merchant",
            f"to everybody {everybody:,.0f}/s",
            f"worst p99 of three turns {worst:.0f} ms",
            share=one / everybody,
            rate=one,
        )
        bench.wallets.check(platform)


def single(bench):
    """One connection, one payment at a time."""
    with bench.wallets.platform("single") as platform:
        warm(bench, platform, connections=1)
        run = load(platform.port, 1, seconds=max(1, SECONDS // 2), pay=bench.wallets.wallets_file)
        bench.report.row(
            "single",
            "one payment at a time",
            f"median fdatasync {bench.floors['fsync_ms']:.2f} ms",
            f"{run['rate']:.0f}/s, p99 {run['p99']:.1f} ms",
            p50_ms=run["p50"],
        )
        bench.wallets.check(platform)


def peak_of(bench, platform):
    """What this platform carries now: the rate that fractions below are of."""
    warm(bench, platform)
    return load(platform.port, seconds=max(1, SECONDS // 2), pay=bench.wallets.wallets_file)["rate"]


def open_loop(bench):
    """1,000 connections, arrivals at a fixed rate of 70 % of the peak; a latency counts from the moment
    when its request was due, whether or not a connection was free for it."""
    with bench.wallets.platform("open") as platform:
        peak = peak_of(bench, platform)
        rate = OPEN_SHARE * peak
        options = {"pay": bench.wallets.wallets_file, "rate": f"{rate:.1f}"}
        load(platform.port, OPEN_CONNECTIONS, seconds=WARM_SECONDS, **options)
        run = load(platform.port, OPEN_CONNECTIONS, seconds=SECONDS, **options)
        bench.report.row(
            "open",
            f"open loop, {OPEN_CONNECTIONS:,} connections, {OPEN_SHARE:.0%} of peak",
            f"peak {peak:,.0f}/s",
            f"at {rate:,.0f}/s: p50 {run['p50']:.1f} ms, p99.9 {run['p999']:.0f}, max {run['max']:.0f}; "
            f"sent late p99 {run['lateP99']:.1f} ms",
            p99_ms=run["p99"],
        )
        bench.wallets.check(platform)
