"""The row `overload` of bench.py: what is still carried when ten times as much is asked."""

import shutil
from pathlib import Path

CARRIED = 64  # connections


def answered(platform, status):
    """How many requests were answered with it."""
    lines = platform.get_ops("/metrics")[1].splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("http_server_requests_total{") and f'status="{status}"' in line
    )


def measure(bench, folder):
    """Ten times the connections that the platform carries, its queue as long as those: what is too much is told
    503 at once, and comes again at once, from clients that do not heed Retry-After."""
    platform = bench.Platform(Path(folder) / "overload", f"engine.max_queued={CARRIED}")
    platform.start()
    try:
        wallets = Path(folder) / "overload.wallets"
        wallets.write_text("".join(f"{token} {account}\n" for token, account in bench.populate(platform)))
        env = {"MICROPAY_BENCH_FILE": str(wallets)}
        url, script = f"http://127.0.0.1:{platform.port}", bench.ROOT / "bench" / "payments.lua"

        def rates(connections, seconds):
            """wrk's figures; payments and refusals a second."""
            before = [answered(platform, status) for status in (201, 503)]
            run = bench.wrk(url, connections, seconds, script, env)
            after = [answered(platform, status) for status in (201, 503)]
            return run, *((b - a) / seconds for a, b in zip(before, after))

        rates(CARRIED, 3)  # warm
        _, peak, _ = rates(CARRIED, bench.SECONDS)
        rss = platform.rss_mib()
        run, goodput, refused = rates(10 * CARRIED, bench.SECONDS)
        rss_after = platform.rss_mib()
        _, again, _ = rates(CARRIED, bench.SECONDS)
        peak = (peak + again) / 2  # the machine's mood before it and after
        bench.row(
            f"payments, {10 * CARRIED} connections for {CARRIED} places",
            f"{goodput:.0f}/s, {goodput / peak:.0%} of peak",
            f"peak {peak:.0f}/s",
            f"503: {refused:.0f}/s, {refused / max(1, refused + goodput):.0%} of answers; "
            f"p99 {run['p99']:.0f} ms; RSS {rss:.0f}, then {rss_after:.0f} MiB",
        )
        bench.check_money(platform)
    finally:
        platform.stop()
        shutil.rmtree(platform.folder, ignore_errors=True)
