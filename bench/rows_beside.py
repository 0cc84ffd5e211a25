"""Rows of something beside payments: `reads`, `signins`, `overload`."""

import statistics
from pathlib import Path

from common import CONNECTIONS, PASSWORD, ROOT, SECONDS, BenchFailed
from generators import Load, load, wrk
from money import sign_up
from rows_payments import beside_http, peak_of, warm
from running import Client

SIGNERS = 8
ROUNDS = 3


def paths_to_read(bench, platform, payments=2_000):
    """Payments and balances in equal parts, with the token of an owner."""
    lines = []
    for token in dict.fromkeys(token for token, _ in bench.wallets.pairs):
        listed = Client(platform.port, token).call("GET", "/api/v1/payments?pageSize=20")["payments"]
        lines += [f"GET /api/v1/payments/{payment['id']} {token} -" for payment in listed]
    if len(lines) < 10:
        raise BenchFailed("there are no payments to read")
    lines = lines[:payments]
    for number in range(len(lines)):
        token, account = bench.wallets.pairs[number * 7 % len(bench.wallets.pairs)]
        lines.append(f"GET /api/v1/accounts/{account}/balance {token} -")
    file = Path(bench.folder) / "reads.requests"
    file.write_text("\n".join(lines) + "\n")
    return file


def reads(bench):
    """GET /payments/{id} and balances, 64 connections, while payments arrive at half of their peak."""
    with bench.wallets.platform("reads") as platform:
        peak = peak_of(bench, platform)
        requests = paths_to_read(bench, platform)
        options = {"pay": bench.wallets.wallets_file, "rate": f"{peak / 2:.1f}", "seconds": SECONDS + 1}
        paying = Load(platform.port, CONNECTIONS, **options)
        try:
            run = load(platform.port, CONNECTIONS, seconds=SECONDS, requests=requests)
            paid = paying.answers()
        finally:
            paying.stop()
        alone = load(platform.port, CONNECTIONS, seconds=max(1, SECONDS // 3), requests=requests)
        bench.report.row(
            "reads",
            f"reads, {CONNECTIONS} connections, beside payments",
            beside_http(bench, run),
            f"p99 {run['p99']:.1f} ms; payments {paid['rate']:,.0f}/s, p99 {paid['p99']:.0f} ms; "
            f"without payments {alone['rate']:,.0f}/s",
            rate=run["rate"],
        )
        bench.wallets.check(platform)


def sign_ins(bench):
    """Payments arrive at half of their peak, with and without 8 clients that sign in as fast as they can,
    in turns; the medians of the turns' p99 are compared."""
    with bench.wallets.platform("signins") as platform:
        peak = peak_of(bench, platform)
        file = Path(bench.folder) / "signins.requests"
        # Users of their own: a user's sessions are bounded, and one more would end that of a paying token.
        emails = [f"signer{number}@example.org" for number in range(SIGNERS)]
        for email in emails:
            sign_up(platform.port, email)
        body = '{{"email":"{}","password":"{}"}}'
        file.write_text(
            "".join(f"POST /api/v1/auth/login - {body.format(email, PASSWORD)}\n" for email in emails)
        )
        turn = max(2, SECONDS // 2)
        options = {"pay": bench.wallets.wallets_file, "rate": f"{peak / 2:.1f}", "seconds": turn}
        calm, busy, signed = [], [], []
        for _ in range(ROUNDS):
            calm.append(load(platform.port, CONNECTIONS, **options)["p99"])
            signing = Load(platform.port, SIGNERS, seconds=turn, requests=file)
            try:
                busy.append(load(platform.port, CONNECTIONS, **options)["p99"])
                signed.append(signing.answers()["rate"])
            finally:
                signing.stop()
        without, beside = statistics.median(calm), statistics.median(busy)
        bench.report.row(
            "signins",
            "payments' p99 beside sign-ins at their hardest",
            f"without them p99 {without:.1f} ms",
            f"with them {beside:.1f} ms; {statistics.median(signed):.0f} sign-ins/s, "
            f"{peak / 2:,.0f} payments/s",
            ratio=beside / without,
        )
        bench.wallets.check(platform)


# --- overload ---


class Crowd:
    """So many connections over all rounds. By wrk: most answers are refusals, which the platform counts
    itself."""

    def __init__(self, bench, platform, connections):
        self.platform, self.connections = platform, connections
        self.env = {"MICROPAY_BENCH_FILE": str(bench.wallets.wallets_file)}
        self.paid = self.refused = self.seconds = self.grown_mb = self.cpu = self.p99 = 0

    def counts(self):
        platform, name = self.platform, "http_server_requests_total"
        answered = [platform.metric(name, f'status="{status}"') for status in (201, 503)]
        return (*answered, platform.rss_mb(), platform.cpu_seconds())

    def run(self, seconds):
        before = self.counts()
        script = ROOT / "bench" / "payments.lua"
        run = wrk(self.platform.url, self.connections, seconds, script, self.env)
        paid, refused, grown, cpu = (now - then for now, then in zip(self.counts(), before))
        self.paid, self.refused = self.paid + paid, self.refused + refused
        self.grown_mb, self.cpu, self.seconds = (
            self.grown_mb + grown,
            self.cpu + cpu,
            self.seconds + seconds,
        )
        self.p99 = max(self.p99, run["p99"])

    def rate(self):
        return self.paid / self.seconds

    def costs(self):
        """Of a payment, with the refusals beside it: memory is what waits for the tables and fills
        caches."""
        paid = max(1, self.paid)
        return f"{self.cpu / paid * 1e6:.0f} µs, {self.grown_mb * 1000 / paid:.1f} KB"


def overload(bench):
    """Ten times the connections that the platform carries, its queue as long as those: what is too much
    is told 503 at once, and comes again at once, from clients that do not heed Retry-After."""
    with bench.wallets.platform("overload", f"engine.max_queued={CONNECTIONS}") as platform:
        peak, over = (Crowd(bench, platform, CONNECTIONS * times) for times in (1, 10))
        warm(bench, platform)
        rss = platform.rss_mb()
        for _ in range(2 * ROUNDS):  # in turns, so that both meet the same moods of the machine
            peak.run(max(1, SECONDS // 3))
            over.run(max(1, SECONDS // 3))
        share = over.refused / max(1, over.refused + over.paid)
        bench.report.row(
            "overload",
            f"payments, {over.connections} connections for {CONNECTIONS} places",
            f"peak {peak.rate():,.0f}/s",
            f"503: {over.refused / over.seconds:,.0f}/s, {share:.0%} of answers; p99 {over.p99:.0f} ms",
            share=over.rate() / peak.rate(),
            rate=over.rate(),
        )
        note = f"at the peak {peak.costs()}; RSS {rss:.0f} MB, then {platform.rss_mb():.0f}"
        bench.report.detail("CPU and memory a payment", over.costs(), note)
        bench.wallets.check(platform)
