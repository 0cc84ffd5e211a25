"""Rows of the cluster profile, all on this machine: real Kafka, PostgreSQL and Redis, every service in processes of its
own (payment, transaction and balance in two). `payments`, `merchant`, `single`, `recovery`."""

import pathlib
import shutil
import sys
import threading
import time
import uuid
from decimal import Decimal

from common import CONNECTIONS, PASSWORD, ROOT, SECONDS, WALLETS, BenchFailed, tell, wait_until
from generators import load
from money import LOADED, populate, sign_in
from running import SETTINGS, Client

sys.path.insert(0, str(ROOT / "tests/servers"))
from cluster import TWICE, Cluster  # noqa: E402

CLUSTER_WALLETS = min(WALLETS, 2_000)
PROBES = 16
RECOVERY_SECONDS = 25


class Prepared:
    """A cluster with wallets that have money. It lives as long as the bench; what is spent goes from one to another."""

    def __init__(self, folder):
        self.cluster = Cluster(pathlib.Path(folder) / "cluster", lasting=True, settings=dict(
            each.split("=", 1) for each in SETTINGS))
        self.file = pathlib.Path(folder) / "cluster.wallets"
        self.pairs = []

    def start(self):
        began = time.monotonic()
        self.cluster.start()
        tell(f"the cluster is up after {time.monotonic() - began:.1f} s; {CLUSTER_WALLETS:,} wallets get money")
        self.port = self.cluster.gateway.port
        self.cluster.create_admin("auditor@example.org", PASSWORD)
        self.auditor = sign_in(self.port, "auditor@example.org")
        self.pairs = populate(self.port, max(2, CLUSTER_WALLETS // 20), CLUSTER_WALLETS, clients=4)
        self.file.write_text("".join(f"{token} {account}\n" for token, account in self.pairs))

    def check(self):
        """Money: what was loaded is what the wallets hold, once the last events have arrived."""
        wait_until(lambda: self.held() == LOADED * len(self.pairs), 60, "the wallets hold what was loaded")
        trial = Client(self.port, self.auditor).call("GET", "/api/v1/ledger/trial-balance")
        if not trial["balanced"] or any(Decimal(one["sum"]["value"]) for one in trial["currencies"]):
            raise BenchFailed(f"the trial balance is not zero: {trial}")

    def held(self):
        client, total = Client(self.port), Decimal(0)
        for client.token, account in self.pairs:
            total += Decimal(client.call("GET", f"/api/v1/accounts/{account}/balance")["posted"]["value"])
        return total

    def stop(self):
        self.cluster.kill()
        shutil.rmtree(self.cluster.folder, ignore_errors=True)


def warm(bench):
    """Until the broker's machine has compiled what it does all the time: the first half minute costs it twice as much."""
    load(bench.cluster.port, seconds=20, pay=bench.cluster.file)


def payments(bench):
    """Whole payments through gateway, Kafka and PostgreSQL, 64 keep-alive connections."""
    warm(bench)
    before, began = processor_seconds(bench.cluster.cluster), time.monotonic()
    run = load(bench.cluster.port, seconds=SECONDS, pay=bench.cluster.file)
    spent = time.monotonic() - began
    used = {name: after - before.get(name, 0) for name, after in processor_seconds(bench.cluster.cluster).items()}
    bench.report.row("cluster payments", f"cluster: payments, {CONNECTIONS} connections", "",
                     f"p50 {run['p50']:.1f} ms, p99.9 {run['p999']:.0f}, max {run['max']:.0f}",
                     rate=run["rate"], p99_ms=run["p99"])
    shares = ", ".join(f"{name} {seconds / run['answered'] * 1e6:.0f}"
                       for name, seconds in sorted(used.items(), key=lambda one: -one[1]) if seconds > 0)
    bench.report.detail("µs of CPU a payment", f"{sum(used.values()) / run['answered'] * 1e6:.0f}",
                        f"{shares}; {sum(used.values()) / spent:.2f} cores")
    bench.cluster.check()


def processor_seconds(cluster):
    """By what it is for: each service (its instances together) and server, with the children of their processes."""
    ticks, parents = {}, {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue  # it ended
        ticks[int(stat.parent.name)], parents[int(stat.parent.name)] = int(fields[11]) + int(fields[12]), int(fields[1])
    roots = {each.process.pid: name.split("-")[0] for name, each in cluster.processes.items()}
    roots |= {server.process.pid: name for name, server in cluster.servers.items()}
    seconds = {}
    for pid, used in ticks.items():
        at = pid
        while at in parents and at not in roots:
            at = parents[at]
        if at in roots:
            seconds[roots[at]] = seconds.get(roots[at], 0) + used / 100
    return seconds


def merchant(bench):
    """Everybody pays one wallet; in turns with payments between all."""
    shop = bench.cluster.pairs[0][1]
    warm(bench)
    rates, turn = {"": [], shop: []}, max(2, SECONDS // 3)
    for _ in range(3):
        for to, of in rates.items():
            of.append(load(bench.cluster.port, seconds=turn, pay=bench.cluster.file, merchant=to)["rate"])
    everybody, one = (sum(of) / len(of) for of in rates.values())
    bench.report.row("cluster merchant", "cluster: payments to one merchant", f"to everybody {everybody:,.0f}/s",
                     share=one / everybody, rate=one)
    bench.cluster.check()


def single(bench):
    """One connection, one payment at a time, through the whole cluster."""
    load(bench.cluster.port, 1, seconds=2, pay=bench.cluster.file)
    run = load(bench.cluster.port, 1, seconds=max(2, SECONDS // 2), pay=bench.cluster.file)
    bench.report.row("cluster single", "cluster: one payment at a time",
                     f"median fdatasync {bench.floors['fsync_ms']:.2f} ms",
                     f"{run['rate']:.0f}/s, p99 {run['p99']:.1f} ms", p50_ms=run["p50"])
    bench.cluster.check()


def recovery(bench):
    """Each instance of payment, of transaction, of balance is killed with -9 while 16 clients pay, one payment after
    another each: from the kill until the last payment that was slower than a second for it had its end."""
    worst = {}
    for name in (f"{service}-{number}" for service in TWICE for number in (1, 2)):
        worst[name] = recovery_of(bench.cluster, name)
    bench.report.row("cluster recovery", "cluster: recovery after kill -9 of an instance", "",
                     ", ".join(f"{name} {seconds:.1f} s" for name, seconds in worst.items()),
                     s=max(worst.values()))
    bench.cluster.check()


def recovery_of(prepared, name):
    process, stop, late = prepared.cluster[name], threading.Event(), []
    step = max(1, len(prepared.pairs) // PROBES)

    def pay_on(pairs):
        token, account = pairs[0]
        client = Client(prepared.port, token)
        while not stop.is_set():
            began = time.monotonic()
            try:
                payment = pay(client, account, pairs[1][1])
            except (OSError, BenchFailed):
                client = Client(prepared.port, token)
                late.append((began, time.monotonic()))
                stop.wait(0.05)
                continue
            while payment["status"] in ("PENDING", "PROCESSING", "CREATED") and not stop.is_set():
                stop.wait(0.05)
                payment = client.call("GET", f"/api/v1/payments/{payment['id']}")
            if time.monotonic() - began > 1:
                late.append((began, time.monotonic()))

    threads = [threading.Thread(target=pay_on, args=(prepared.pairs[i * step:i * step + 2],), daemon=True)
               for i in range(PROBES)]
    for thread in threads:
        thread.start()
    time.sleep(3)
    late.clear()
    killed = time.monotonic()
    process.kill()
    time.sleep(RECOVERY_SECONDS)
    stop.set()
    for thread in threads:
        thread.join(60)
    process.start()
    return max((end - killed for _, end in late), default=0)


def pay(client, account, payee):
    return client.call("POST", "/api/v1/payments", {
        "payerAccountId": account, "payeeAccountId": payee, "amount": {"currency": "EUR", "value": "0.01"}},
        headers={"Idempotency-Key": str(uuid.uuid4())}, success=(201, 202))
