#!/usr/bin/env python3
"""A whole cluster under payments that is hurt again and again: `make chaos SECONDS=600 SEED=7`.

Service instances, the gateway, Kafka, PostgreSQL and Redis are killed with -9 and started again, stand still for longer
than their lease, or pause (chaos_blows.py), while customers pay (chaos_load.py). After each blow every customer has to be
served again. At the end all is up and at rest, and must be as it should: `micropay verify --cluster` holds, every answer
that was given stands and is given again for the same key, nothing is under way any more, and each wallet holds what its
owner's answers make.

Prints the seed, which blows fell, how long nobody was served, and what was answered.
"""
import argparse
import collections
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "servers")]

from chaos_blows import BLOWS, Hand  # noqa: E402
from chaos_load import FIRST_LOAD, Connection, Load  # noqa: E402
from platform_client import wait_for  # noqa: E402
from platform_process import RemotePlatform  # noqa: E402
from whole_cluster import EMAIL, PASSWORD, SERVERS_CLUSTER  # noqa: E402

SETTINGS = {"gateway.rate_limits": "off", "account.limits": "off", "fraud.mode": "shadow"}
SERVED_SECONDS = 60  # after a blow's end, until every customer is served
REST_SECONDS = 120
ASKED_AGAIN = 1500   # keys at most, those that had lost answers first
NOT_FINAL = {"payment": ("payment_payment", "('PENDING','IN_REVIEW','PROCESSING')"),
             "refund": ("payment_refund", "('PENDING','PROCESSING')")}


class Chaos:
    def __init__(self, folder, seed, tell):
        self.seed, self.random = seed, random.Random(seed)
        self.tell = tell
        # With one partition an instance of a service works and the other stands by; with two both work.
        self.cluster = SERVERS_CLUSTER.Cluster(folder, settings=SETTINGS | {"kafka.partitions": 1 + seed % 2})
        self.blows = collections.defaultdict(list)  # by name: (away, first answer, silence, all served)
        self.load = None

    def begin(self):
        self.cluster.start()
        self.cluster.create_admin(EMAIL, PASSWORD)
        self.platform = RemotePlatform(self.cluster.gateway.url, self.cluster.gateway.ops_url, f"{EMAIL}:{PASSWORD}")
        wait_for(lambda: self.platform.client.get("/.well-known/jwks.json").status_code == 200, "the gateway", 60)
        self.load = Load(self.platform, self.seed)
        self.load.start()
        time.sleep(2)
        self.load.check()

    # ---- blows ----

    def strike(self, name):
        _, away, make = BLOWS[name]
        seconds = self.random.uniform(*away)
        hand = Hand(self.cluster, self.random)
        blow = make(hand)
        began = time.monotonic()
        with blow:
            time.sleep(seconds)
            away_until = time.monotonic()
        back = time.monotonic()
        deadline = back + SERVED_SECONDS
        while not (whens := self.load.served_again(back)):
            self.load.check()
            assert time.monotonic() < deadline, f"{name}: not every customer was served again within " \
                                                f"{SERVED_SECONDS} s of its end"
            time.sleep(0.02)
        self.load.check()
        first = min(self.load.served_again(began))
        silence = self.load.longest_silence(began, max(whens))
        self.blows[name].append((away_until - began, first - began, silence, max(whens) - began))
        self.tell(f"{' '.join([name, *hand.names])}: away {away_until - began:.1f} s, ready after {back - began:.1f} s, "
                  f"silence {silence:.1f} s, all served after {max(whens) - began:.1f} s")

    def run(self, seconds):
        until = time.monotonic() + seconds
        bag = []
        while time.monotonic() < until:
            if not bag:  # each as often as it should be, in any order
                bag = [name for name, (weight, _, _) in BLOWS.items() for _ in range(weight)]
                self.random.shuffle(bag)
            self.strike(bag.pop())
            time.sleep(self.random.uniform(0, 2))

    # ---- the end ----

    def finish(self):
        self.load.stop()
        self.tell(f"the load has stopped after {len(self.load.tries())} requests; waiting for rest")
        wait_for(lambda: not self.not_final(), "an end of every payment", REST_SECONDS)
        self.tell("every payment has ended")
        report = wait_for(self.report_at_rest, "a cluster at rest", REST_SECONDS)
        assert report["ok"], json.dumps([check for check in report["checks"] if not check["ok"]], indent=1)
        self.check_answers()
        self.check_money()
        again = self.ask_again()
        report = wait_for(self.report_at_rest, "a cluster at rest", REST_SECONDS)
        assert report["ok"], json.dumps([check for check in report["checks"] if not check["ok"]], indent=1)
        self.tell(f"{again} keys were asked again; {len(report['checks'])} checks of verify hold")
        codes = self.cluster.stop()
        assert codes == {}, codes

    def not_final(self):
        return {name: count for name, (table, states) in NOT_FINAL.items()
                if (count := int(self.cluster.sql(f"SELECT count(*) FROM {table} WHERE status IN {states}",
                                                  "micropay_payment_db")))}

    def verify(self):
        done = subprocess.run([self.cluster.binary, "verify", "--cluster", "--json", "--config",
                               self.cluster.folder / "bootstrap.yaml"], capture_output=True, text=True, timeout=300,
                              env=self.cluster.environment())
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def report_at_rest(self):
        report = self.verify()
        if not report["atRest"]:
            self.tell("; ".join(report["notes"]))
        return report["atRest"] and report

    def statuses(self, service, table):
        lines = self.cluster.sql(f"SELECT id, status FROM {table}", f"micropay_{service}_db").splitlines()
        return dict(line.split("|") for line in lines)

    def check_answers(self):
        """What was answered is what the databases say."""
        payments, refunds = self.statuses("payment", "payment_payment"), self.statuses("payment", "payment_refund")
        tops, entries = self.statuses("account", "account_top_up"), self.statuses("transaction", "transaction_transfer")
        completed = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED", "REVERSED")
        for one in self.load.tries():
            if one.kind in ("paid", "merchant", "later", "refused"):
                state = payments.get(one.id)
                wanted = ("FAILED",) if one.kind == "refused" else completed
            elif one.kind == "refunded" and one.status not in (201, 202):
                continue
            else:
                of = {"refunded": refunds, "loaded": tops, "transferred": entries}[one.kind]
                state, wanted = of.get(one.id), ("COMPLETED", "POSTED")
            assert state in wanted, f"{one} was answered {one.status} {one.code} and is {state}"
        made = {one.id for one in self.load.tries() if one.kind in ("paid", "merchant", "later", "refused")}
        assert set(payments) == made, f"payments that nobody asked for: {set(payments) - made}"

    def check_money(self):
        """Each wallet holds what the answers make."""
        wallets = dict.fromkeys(self.load.wallets, FIRST_LOAD) | {self.load.merchant_wallet: 0}
        for one in self.load.tries():
            for account, cents in one.moves if one.status in (201, 202) else ():
                wallets[account] += cents
        lines = self.cluster.sql("SELECT account_id, posted_minor, reserved_minor FROM balance_balance",
                                 "micropay_balance_db").splitlines()
        held = {account: (int(posted), int(reserved)) for account, posted, reserved in
                (line.split("|") for line in lines) if account in wallets}
        assert held == {account: (cents, 0) for account, cents in wallets.items()}

    def ask_again(self):
        """The same key gets the same answer."""
        tries = sorted(self.load.tries(), key=lambda one: -one.lost)[:ASKED_AGAIN]
        connection = Connection(self.load.url)
        for one in tries:
            wait_for(lambda one=one: self.load.note(one, connection.ask(one)), f"{one} again", 30)
        connection.close()
        return len(tries)

    # ---- telling ----

    def table(self):
        rows = [("blow", "times", "away", "until the next answer", "longest silence", "until all were served")]
        for name in BLOWS:
            if times := self.blows.get(name):
                columns = list(zip(*times))
                rows.append((name, str(len(times)), *(f"{max(column):.1f} s" for column in columns)))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        kinds = collections.Counter(f"{one.kind} {one.status} {one.code}".strip() for one in self.load.tries())
        lines.append("(the longest of each)")
        lines += [f"{count:8,}  {what}" for what, count in sorted(kinds.items())]
        lines.append("answers on the way: " +
                     ", ".join(f"{what} {count:,}" for what, count in sorted(self.load.answers.items())))
        return "\n".join(lines)


def run_chaos(folder, seed, seconds, tell):
    """Runs it; gives the blows that fell. The folder keeps the logs when it fails."""
    folder = pathlib.Path(folder)
    folder.chmod(0o755)  # PostgreSQL's own user goes through it
    chaos = Chaos(folder, seed, tell)
    try:
        chaos.begin()
        chaos.run(seconds)
        chaos.finish()
    finally:
        if chaos.load is not None:
            chaos.load.stopping.set()
            tell(chaos.table())
        chaos.cluster.kill()
    return chaos


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--folder", help="where the cluster is kept; a temporary one when left out")
    arguments = parser.parse_args()
    began = time.monotonic()

    def tell(text):
        print(f"{time.monotonic() - began:7.1f} s  {text}" if "\n" not in text else "\n" + text, flush=True)
    folder = pathlib.Path(arguments.folder or tempfile.mkdtemp(prefix="micropay-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    tell(f"seed {arguments.seed}, {arguments.seconds} s")
    try:
        chaos = run_chaos(folder, arguments.seed, arguments.seconds, tell)
    except BaseException:
        print(f"FAILED; repeat it: make chaos SECONDS={arguments.seconds} SEED={arguments.seed}; logs below {folder}",
              flush=True)
        raise
    print(f"{sum(map(len, chaos.blows.values()))} blows, {len(chaos.load.tries()):,} requests, nothing lost; "
          f"seed {arguments.seed}")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
