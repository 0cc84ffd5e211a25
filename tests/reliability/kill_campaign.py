"""A platform that is killed again and again with -9 under load, and what must hold after each kill:

- `micropay verify` is clean on what the kill left behind;
- every payment that was answered as completed is there and completed; every other is absent, or comes to
  an end;
- no reservation is left, and the money adds up;
- at the end each idempotency key, asked once more, gives the payment it gave before: one effect only.

As a program it is a soak: `kill_campaign.py --kills 500 [--seed N]` prints progress and a summary.
"""
import argparse
import collections
import pathlib
import random
import shutil
import sys
import tempfile
import time
from decimal import Decimal

# As a program; pytest has its own way.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from kill_moments import MOMENTS
from payers import LOADED, PAID, Load, Payer
from platform_client import items_of, wait_for
from platform_process import LocalPlatform, micropay

PAYERS = 6
FIRST_LOAD = "5000.00"
KILLS_A_FOLDER = 20
# Everything that happens rarely happens often: log files of 1 MB, checkpoints after 1 MB, tables far behind.
SETTINGS = ("account.limits=off", "fraud.mode=shadow", "store.segment_mb=1", "store.checkpoint_mb=1",
            "store.apply_interval=100ms", "log.level=warn")
# A kill of each kind, most of them in the middle of payments.
TURN = ["under_load"] * 6 + ["at_rotation"] * 3 + ["at_checkpoint"] * 3 + ["in_start"] * 3 + \
    ["in_schema_change"] * 2 + ["in_rebuild"] + ["in_backup"] * 2


class Campaign:
    """Some kills of one platform in one folder."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.random = random.Random(seed)
        self.counts = collections.Counter()
        self.platform = LocalPlatform(folder / "data", *SETTINGS)
        self.load = None

    def begin(self, seed):
        self.start()
        self.payee = self.platform.register("payee")
        users = [self.platform.register(f"payer{number}") for number in range(PAYERS)]
        for user in users:
            user.top_up(FIRST_LOAD)
        self.load = Load([Payer(user, self.payee.wallet(), random.Random(f"{seed} {number}"))
                          for number, user in enumerate(users)])

    def start(self):
        began = time.monotonic()
        self.platform.start()
        self.start_seconds = time.monotonic() - began

    def pause(self):
        self.load.pause()

    def kill(self, moment):
        """One kill, and everything that must hold after it."""
        self.load.go(self.platform.url)
        MOMENTS[moment](self)
        self.pause()
        self.counts["kills"] += 1
        self.counts[moment] += 1
        self.platform.verify()
        self.start()
        for payer in self.load.payers:
            self.check(payer)

    def check(self, payer):
        user = payer.user
        for state in ("PENDING", "PROCESSING"):
            wait_for(lambda state=state: not user.items("payments", accountId=payer.wallet, status=state),
                     f"end of {state} payments", 60)
        wait_for(lambda: not user.items(f"accounts/{payer.wallet}/top-ups", status="PENDING"), "top-ups", 60)
        assert user.reservations(payer.wallet) == []
        known = self.payments_since(payer, payer.oldest_unchecked())
        for one in payer.unchecked():
            if one.kind in ("paid", "later") and one.status != 0:
                assert known.get(one.id) == "COMPLETED", f"{one} was answered and is {known.get(one.id)}"
                self.counts["answered payments"] += 1
        payer.note_checked()

    def payments_since(self, payer, oldest):
        """id -> status of this payer's payments, newest first, back to one of them."""
        found, token = {}, ""
        while True:
            page = payer.user.get("payments", accountId=payer.wallet, pageSize=500, pageToken=token)
            found.update((payment["id"], payment["status"]) for payment in items_of(page))
            token = page.get("nextPageToken", "")
            if not token or (oldest and min(found, default="") <= oldest):
                return found

    def judge_backup(self, target, code):
        """A backup that said it is complete is sound; one that was cut short is never taken for a backup."""
        restored = target.with_name(target.name + "-restored")
        result = micropay("restore", "--from", target, "--data", restored)
        assert (result.returncode == 0) == (code == 0), f"backup {code}: {result.stdout}{result.stderr}"
        self.counts["backups completed" if code == 0 else "backups cut short"] += 1
        if code == 0:
            verified = micropay("verify", "--data", restored, timeout=300)
            assert verified.returncode == 0, verified.stdout + verified.stderr
        for folder in self.folder.glob(f"{target.name}*"):
            shutil.rmtree(folder)

    def finish(self):
        """Every key once more, then the whole history against what was answered."""
        self.load.retry_all(self.platform.url)
        paid = Decimal(0)
        for payer in self.load.payers:
            known = self.payments_since(payer, None)
            kinds = collections.Counter(one.kind for one in payer.tries)
            expected = {one.id: "FAILED" if one.kind == "refused" else "COMPLETED"
                        for one in payer.tries if one.kind != "loaded"}
            assert known == expected, set(known.items()) ^ set(expected.items())
            spent = Decimal(PAID) * (kinds["paid"] + kinds["later"])
            paid += spent
            left = wait_for(lambda payer=payer: payer.user.balance(payer.wallet), "a balance")
            assert left == (str(Decimal(FIRST_LOAD) + Decimal(LOADED) * kinds["loaded"] - spent), "0.00")
            self.counts["keys asked again"] += len(payer.tries)
            self.counts["requests without an answer"] += sum(one.lost for one in payer.tries)
        assert self.payee.balance() == (str(paid), "0.00")
        self.platform.stop()
        self.platform.verify()

    def end(self):
        self.platform.kill()
        if self.load is not None:
            self.load.end()


def run_campaign(folder, seed, kills, progress):
    """Kills one platform so many times; gives what was counted."""
    campaign = Campaign(folder, seed)
    try:
        campaign.begin(seed)
        turn = campaign.random.sample(TURN, len(TURN))
        for number in range(kills):
            moment = turn[number % len(turn)]
            progress(f"seed {seed}, kill {number + 1}: {moment}")
            campaign.kill(moment)
        campaign.finish()
    finally:
        campaign.end()
    return campaign.counts


def main():
    parser = argparse.ArgumentParser(description="Kills platforms with -9 under load; checks what is left.")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    arguments = parser.parse_args()
    began, total, seed = time.monotonic(), collections.Counter(), arguments.seed
    latest = []
    while total["kills"] < arguments.kills:
        with tempfile.TemporaryDirectory(prefix="micropay-kills-") as folder:
            try:
                kills = min(KILLS_A_FOLDER, arguments.kills - total["kills"])
                total += run_campaign(pathlib.Path(folder), seed, kills, latest.append)
            except BaseException:
                print(f"FAILED at {latest[-1] if latest else 'the start'}; repeat it: make soak-kills "
                      f"KILLS={KILLS_A_FOLDER} ARGS='--seed {seed}'", flush=True)
                raise
        print(f"{total['kills']:5} kills, {total['answered payments']:7} answered payments, none lost, "
              f"{time.monotonic() - began:6.0f} s", flush=True)
        seed += 1
    for name, count in sorted(total.items()):
        print(f"{name:28}{count:8}")
    print(f"{total['kills']} kills survived in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
