"""The row `overload` of bench.py: what is still carried when ten times as much is asked."""

import shutil
from pathlib import Path

CARRIED = 64  # connections
ROUNDS = 6


def answered(platform, status):
    """How many requests were answered with it."""
    lines = platform.get_ops("/metrics")[1].splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("http_server_requests_total{") and f'status="{status}"' in line
    )


class Load:
    """What was measured with so many connections, over all rounds."""

    def __init__(self, bench, platform, connections, wallets):
        self.bench, self.platform, self.connections = bench, platform, connections
        self.env = {"MICROPAY_BENCH_FILE": str(wallets)}
        self.paid = self.refused = self.seconds = self.grown_mib = self.cpu = self.p99 = 0

    def run(self, seconds):
        platform = self.platform
        before = answered(platform, 201), answered(platform, 503), platform.rss_mib(), platform.cpu_seconds()
        url, script = f"http://127.0.0.1:{platform.port}", self.bench.ROOT / "bench" / "payments.lua"
        wrk = self.bench.wrk(url, self.connections, seconds, script, self.env)
        self.paid += answered(platform, 201) - before[0]
        self.refused += answered(platform, 503) - before[1]
        self.grown_mib += platform.rss_mib() - before[2]
        self.cpu += platform.cpu_seconds() - before[3]
        self.seconds += seconds
        self.p99 = max(self.p99, wrk["p99"])

    def rate(self):
        return self.paid / self.seconds

    def costs(self):
        """Of a payment, with the refusals beside it: memory is what waits for the tables and fills caches."""
        paid = max(1, self.paid)
        return f"{self.cpu / paid * 1e6:.0f} µs, {self.grown_mib * 1024 / paid:.1f} KiB"


def measure(bench, folder):
    """Ten times the connections that the platform carries, its queue as long as those: what is too much is
    told 503 at once, and comes again at once, from clients that do not heed Retry-After."""
    platform = bench.Platform(Path(folder) / "overload", f"engine.max_queued={CARRIED}")
    platform.start()
    try:
        wallets = Path(folder) / "overload.wallets"
        wallets.write_text("".join(f"{token} {account}\n" for token, account in bench.populate(platform)))
        peak, over = (Load(bench, platform, CARRIED * times, wallets) for times in (1, 10))
        Load(bench, platform, CARRIED, wallets).run(3)  # warm
        rss = platform.rss_mib()
        for _ in range(ROUNDS):  # in turns, so that both meet the same moods of the machine
            peak.run(max(1, bench.SECONDS // 3))
            over.run(max(1, bench.SECONDS // 3))
        share = over.refused / max(1, over.refused + over.paid)
        bench.row(
            f"payments, {over.connections} connections for {CARRIED} places",
            f"{over.rate():.0f}/s, {over.rate() / peak.rate():.0%} of peak",
            f"peak {peak.rate():.0f}/s",
            f"503: {over.refused / over.seconds:.0f}/s, {share:.0%} of answers; p99 {over.p99:.0f} ms",
        )
        bench.row(
            "  CPU and memory a payment",
            over.costs(),
            f"at the peak {peak.costs()}",
            f"RSS {rss:.0f} MiB, then {platform.rss_mib():.0f}",
        )
        bench.check_money(platform)
    finally:
        platform.stop()
        shutil.rmtree(platform.folder, ignore_errors=True)
