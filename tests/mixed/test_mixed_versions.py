"""The last release and this tree on one cluster, as while it is upgraded: instance 1 of payment, transaction and balance
is the release's binary (MICROPAY_TEST_PREVIOUS; `make mixed` builds it), all others are this tree's. Payments go on
through the upgrade, and money adds up.
"""
import decimal
import os
import pathlib
import shutil
import tempfile
import threading

import pytest

from platform_client import wait_for
from platform_process import RemotePlatform
from whole_cluster import EMAIL, PASSWORD, SERVERS_CLUSTER, pay_patiently, people

TWICE = SERVERS_CLUSTER.TWICE

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def previous():
    if path := os.environ.get("MICROPAY_TEST_PREVIOUS"):
        return pathlib.Path(path)
    pytest.skip("the release's binary is not built: make mixed")


@pytest.fixture(scope="module")
def cluster(previous):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="micropay-mixed-"))
    folder.chmod(0o755)  # PostgreSQL's own user goes through it
    made = Mixed(folder, previous)
    try:
        made.start()
        made.create_admin(EMAIL, PASSWORD)
        made.platform = RemotePlatform(made.gateway.url, made.gateway.ops_url, f"{EMAIL}:{PASSWORD}")
        made.ada, made.bob = people(made.platform, "1000.00")
        yield made
        ended = made.stop()
        assert not ended, f"did not stop in order: {ended}"
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)


class Mixed(SERVERS_CLUSTER.Cluster):
    def __init__(self, folder, previous):
        super().__init__(folder, settings={"gateway.rate_limits": "off", "store.lease": "2s"})
        self.previous = previous

    def plan(self):
        super().plan()
        for service in TWICE:
            self[f"{service}-1"].binary = self.previous

    def change(self, name, binary):
        """Ends an instance in order and starts it again with another binary."""
        self[name].stop()
        self[name].binary = binary
        self[name].start()


class Payments:
    """Pays until it is told to stop; every payment is sent again with its key until it is answered for good."""

    def __init__(self, cluster):
        self.cluster, self.stopping, self.made = cluster, threading.Event(), []
        self.wrong = []
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.made.append(pay_patiently(self.cluster.ada, self.cluster.bob, "0.10", 90)["id"])
            except AssertionError as problem:
                self.wrong.append(str(problem))


def test_payments_go_on_while_a_cluster_is_upgraded_and_back(cluster, previous):
    ada, bob = cluster.ada, cluster.bob
    before = [decimal.Decimal(user.balance().available) for user in (ada, bob)]
    with Payments(cluster) as payments:
        def go_on(by=10):
            there = len(payments.made)
            wait_for(lambda: len(payments.made) >= there + by, f"{by} payments more", 120)
        go_on()
        for service in TWICE:  # the new one alone, then the old one alone
            for name, other in ((f"{service}-1", f"{service}-2"), (f"{service}-2", f"{service}-1")):
                cluster[name].kill()
                go_on(3)
                cluster[name].start()
                assert cluster[other].runs
        for service in TWICE:  # the upgrade, and the way back
            cluster.change(f"{service}-1", cluster.binary)
            go_on(3)
        for service in TWICE:
            cluster.change(f"{service}-2", previous)
            go_on(3)
    assert payments.wrong == []
    assert len(set(payments.made)) == len(payments.made), "two keys, one payment"
    for each in payments.made:
        assert ada.get(f"payments/{each}")["status"] == "COMPLETED"
    moved = decimal.Decimal("0.10") * len(payments.made)
    wait_for(lambda: [decimal.Decimal(user.balance().available) for user in (ada, bob)]
             == [before[0] - moved, before[1] + moved], f"{moved} moved", 60)
    assert ada.balance().reserved == bob.balance().reserved == "0.00"
    trial = cluster.platform.staff("AUDITOR").get("ledger/trial-balance")
    assert trial["balanced"], trial
    assert not wrong_lines(cluster)


def wrong_lines(cluster):
    """What no process may have said: a record that it could not read, work that failed for good."""
    found = []
    for process in cluster.processes.values():
        for line in process.log.read_text(errors="replace").splitlines():
            if any(f'"{code}"' in line for code in ("kafka.poison", "kafka.events_missed", "events.stopped")):
                found.append(f"{process.name}: {line}")
    return found
