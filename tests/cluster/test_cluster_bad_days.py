"""What goes wrong in a cluster ends in a log line, a metric, and a retry or a dead letter; never in money that is lost
or moved twice.
"""
import contextlib
import decimal
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from platform_client import new_uuid, told, wait_for
from test_cluster_traces import SAGA
from whole_cluster import SERVERS_CLUSTER, pay_patiently

READERS = [name for name, service in SERVERS_CLUSTER.services().items() if "payment" in service["hears"]]
AHEAD = itertools.count(900_000_000)  # positions far beyond all that there are
HERE = pathlib.Path(__file__).resolve().parent


class Money:
    """Two people's balances before, and what has to be true behind: so much has gone from one to the other."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.before = self.now()

    def now(self):
        def readable(user):  # an instance that was just started is not found at once
            return user.request("GET", f"accounts/{user.wallet()}/balance").status_code == 200
        held = [wait_for(lambda: readable(user) and user.balance(), "a balance", 30)
                for user in (self.cluster.ada, self.cluster.bob)]
        return [decimal.Decimal(each.available) for each in held], [decimal.Decimal(each.reserved) for each in held]

    def moved(self, value):
        value = decimal.Decimal(value)
        (ada, bob), reserved = self.before
        wait_for(lambda: self.now() == ([ada - value, bob + value], reserved),
                 f"{value} from {self.before}, now {self.now()}", 60)


@pytest.fixture
def money(cluster):
    made = Money(cluster)
    assert made.before[1] == [0, 0], "an earlier test has left a payment behind"
    return made


def pay(cluster, value="1.00"):
    return pay_patiently(cluster.ada, cluster.bob, value)


def said(cluster, service, code, reason=None):
    """A function that waits for the next log line with this code, and reason if one is wanted, and gives it."""
    def lines():
        return [line for line in cluster.log_lines(service, code) if reason in (None, line.get("error.code"))]
    before = len(lines())
    return lambda seconds=30: wait_for(lambda: lines()[before:], f"{code} of {service}", seconds)[-1]


def counted(cluster, service, name, **labels):
    """A function that waits until the metric has grown by so much."""
    before = cluster.metric(name, service, **labels)
    return lambda by=1: wait_for(lambda: cluster.metric(name, service, **labels) >= before + by,
                                 f"{name} of {service} by {by}", 30)


# --- topics ---

def test_bytes_that_are_no_event_go_to_the_dead_letters(cluster, money):
    kafka = cluster.servers["kafka"]
    partitions = kafka.partitions("payment-events")
    dead = len(kafka.headers_of("payment-events-dlt"))
    words = {service: said(cluster, service, "kafka.poison") for service in READERS}
    grown = {service: counted(cluster, service, "micropay_kafka_poison_total", topic="payment-events",
                              reason="missing_header") for service in READERS}
    for partition in range(partitions):
        kafka.publish("payment-events", "no event at all", partition=partition)
    for service in READERS:
        assert words[service]()["error.code"] == "missing_header"
        grown[service](partitions)
    pay(cluster)
    money.moved("1.00")
    letters = wait_for(lambda: (found := kafka.headers_of("payment-events-dlt")[dead:])
                       and len(found) >= partitions * len(READERS) and found, "the dead letters", 30)
    assert len(letters) == partitions * len(READERS)
    assert {letter["dlt_group"] for letter in letters} == set(READERS)
    assert {letter["dlt_reason"] for letter in letters} == {"missing_header"}


def attributes(key, **others):
    return {"ce_id": new_uuid(), "ce_source": "/payment", "ce_specversion": "1.0", "ce_type": "payment.initiated",
            "ce_time": "2026-11-21T01:00:00Z", "ce_subject": key, "ce_partitionkey": key,
            "ce_sequence": str(next(AHEAD)), "content-type": "application/protobuf"} | others


@pytest.mark.parametrize("others,reason", [
    ({"ce_source": "/billing", "ce_type": "invoice.sent"}, "foreign_source"),
    ({"ce_type": "Invoice Sent!"}, "bad_header"),
    ({"content-type": "application/json"}, "bad_header"),
    ({}, "unreadable_event"),  # our type over bytes of another schema, far ahead of all that we have
])
def test_messages_of_a_foreign_schema_go_to_the_dead_letters(cluster, money, others, reason):
    kafka = cluster.servers["kafka"]
    partitions = kafka.partitions("payment-events")
    words = {service: said(cluster, service, "kafka.poison", reason) for service in READERS}
    grown = {service: counted(cluster, service, "micropay_kafka_poison_total", reason=reason) for service in READERS}
    for partition in range(partitions):
        key = new_uuid()
        kafka.publish("payment-events", "not protobuf", key, partition, attributes(key, **others))
    for service in READERS:
        assert words[service]()["error.code"] == reason
        grown[service](partitions)
    pay(cluster)
    money.moved("1.00")


def test_a_type_that_only_a_newer_version_knows_is_passed_over_and_counted(cluster, money):
    kafka, key = cluster.servers["kafka"], new_uuid()
    grown = {service: counted(cluster, service, "micropay_kafka_unknown_types_total") for service in READERS}
    kafka.publish("payment-events", "x", key, 1, attributes(key, ce_type="payment.teleported"))
    for service in READERS:
        grown[service]()
    pay(cluster)
    money.moved("1.00")


def waits(cluster):
    """A payment that cannot go on, by its id: until what the test does has taken hold, some may get through."""
    def one():
        answer = cluster.ada.try_pay(cluster.bob, "1.00", headers={"Prefer": "respond-async"})
        assert answer.status_code == 202, told(answer, "expected a payment")
        time.sleep(0.3)
        payment = cluster.ada.get(f"payments/{answer.json()['id']}")
        made.append(payment["id"])
        return payment["status"] != "COMPLETED"
    made = []
    wait_for(one, "a payment that waits", 60)
    return made


def completed(cluster, payments):
    for each in payments:
        wait_for(lambda: cluster.ada.get(f"payments/{each}")["status"] == "COMPLETED", f"payment {each}", 60)


def test_a_topic_that_refuses_writes(cluster, money):
    """As a read-only broker does, and one whose rights were taken away: everybody can read, nobody can write."""
    kafka = cluster.servers["kafka"]
    failed = said(cluster, "payment", "kafka.publishing_failed")
    grown = counted(cluster, "payment", "micropay_kafka_publish_failures_total", topic="payment-events")
    kafka.configure("payment-events", max_message_bytes=1)
    try:
        payments = waits(cluster)
        assert failed()["labels"]["topic"] == "payment-events"
        grown()
        assert cluster.metric("micropay_kafka_unpublished_events", "payment") > 0
    finally:
        kafka.configure("payment-events", max_message_bytes=None)
    completed(cluster, payments)
    money.moved(len(payments))
    wait_for(lambda: cluster.metric("micropay_kafka_unpublished_events", "payment") == 0, "all published", 30)


def test_a_broker_that_stands_still(cluster, money):
    kafka = cluster.servers["kafka"]
    stalled, resumed = (said(cluster, "payment", f"kafka.publishing_{what}") for what in ("stalled", "resumed"))
    grown = counted(cluster, "payment", "micropay_kafka_publish_stalls_total", topic="payment-events")
    os.killpg(kafka.process.pid, signal.SIGSTOP)
    try:
        payments = waits(cluster)
        assert stalled()["labels"]["topic"] == "payment-events"
        grown()
    finally:
        os.killpg(kafka.process.pid, signal.SIGCONT)
    resumed()
    completed(cluster, payments)
    money.moved(len(payments))


# --- the database ---

def test_a_full_disk_at_postgresql(cluster, money):
    if cluster.small_disk is None:
        pytest.skip("no right to mount")
    filler = cluster.small_disk / "filler"
    failed = said(cluster, "balance", "engine.commit_failed")
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        keys = []

        def refused():
            keys.append(new_uuid())
            cluster.ada.try_pay(cluster.bob, "0.01", key=keys[-1], headers={"Prefer": "respond-async"})
            return cluster.log_lines("balance", "engine.commit_failed")
        wait_for(refused, "a tick that finds no space", 60)
        assert failed()["labels"]["reason"] == "storage_full"
        assert cluster.metric("micropay_store_commit_failures_total", "balance", reason="storage_full") > 0
    finally:
        filler.unlink()
    pay(cluster)
    for each in keys:  # whatever was answered then: every one happened once
        wait_for(lambda: cluster.ada.try_pay(cluster.bob, "0.01", key=each).status_code in (201, 202), "it", 60)
    money.moved(decimal.Decimal("1.00") + decimal.Decimal("0.01") * len(keys))


# --- instances ---

@pytest.mark.parametrize("seconds", [3600, -3600])
def test_an_instance_whose_clock_is_an_hour_wrong(cluster, money, tmp_path, seconds):
    library = tmp_path / "skewed_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "skewed_clock.c", "-ldl"], check=True)
    first, second = cluster["balance-1"], cluster["balance-2"]
    second.stop()
    second.surroundings = {"LD_PRELOAD": str(library), "SKEW_SECONDS": str(seconds)}
    disagrees = said(cluster, "balance", "clock.disagrees")
    try:
        second.start()
        pay(cluster)
        first.stop()  # so it is the other one that does it
        alone = pay(cluster)
        # An order of events is that of their causes, whatever the clocks say.
        assert cluster.ada.event_types(alone["id"], len(SAGA)) == list(SAGA)
    finally:
        second.surroundings = {}
        first.start()
        # The clock of one of them is behind what the other has written, whichever is right.
        assert disagrees()["labels"]["offset_seconds"] < -3000
        assert cluster.metric("micropay_clock_offset_seconds", "balance") < -3000
        second.stop()
    pay(cluster)
    second.start()
    pay(cluster)
    money.moved("4.00")


def test_a_start_waits_for_its_database(cluster, money):
    account, postgres = cluster["account"], cluster.servers["postgres"]
    account.stop()
    postgres.stop()
    waits = said(cluster, "account", "process.waits")
    try:
        account.launch()
        waits()
        assert account.runs
    finally:
        postgres.start()
        account.wait_until_ready()
    pay(cluster)
    money.moved("1.00")


def test_two_instances_of_one_identity(cluster, money):
    first = cluster["payment-1"]
    first.stop()
    first.settings["instance.id"] = "one"
    try:
        first.start()
        words = [*first.command()[:-2], "--set", "instance.id=one", "--data", str(first.data) + "-twin",
                 "--ops", "127.0.0.1:0", "--set", "rpc.listen=127.0.0.1:0"]
        twin = subprocess.run(words, capture_output=True, text=True, timeout=60, env=cluster.environment())
        assert twin.returncode == 2 and "(instance_in_use)" in twin.stderr, twin.stdout + twin.stderr
        assert first.ready()
        pay(cluster)
    finally:
        first.stop()
        del first.settings["instance.id"]
        first.start()
    pay(cluster)
    money.moved("2.00")


# --- what they need of others ---

@contextlib.contextmanager
def certificate_of(process, folder):
    good = {name: process.settings[f"rpc.tls.{name}"] for name in ("certificate", "key")}
    process.stop()
    process.settings |= {"rpc.tls.certificate": folder / "payment.crt", "rpc.tls.key": folder / "payment.key"}
    try:
        yield
    finally:
        process.stop()
        process.settings |= {f"rpc.tls.{name}": path for name, path in good.items()}
        process.start()


def test_a_certificate_of_another_authority(cluster, money):
    """One of two instances has it: its peers refuse it, say why, and call the other one."""
    folder = cluster.folder / "another-authority"
    subprocess.run([cluster.binary, "certs", "--out", folder, "payment"], check=True, capture_output=True)
    before = len(cluster.log_lines("gateway", "rpc.connection_failed"))
    grown = counted(cluster, "gateway", "micropay_rpc_connections_lost_total", reason="unknown_authority")
    with certificate_of(cluster["payment-1"], folder):
        cluster["payment-1"].start()
        grown()
        wait_for(lambda: ("unknown_authority", "payment") in {
            (line["labels"]["reason"], line["labels"].get("service"))
            for line in cluster.log_lines("gateway", "rpc.connection_failed")[before:]}, "the log line")
        for _ in range(5):
            cluster.ada.pay(cluster.bob, "1.00")
    money.moved("5.00")


def test_a_certificate_that_has_expired(cluster, money):
    """Nothing starts with it; what runs with it is refused by its peers (libs/rpc/tls_test.cc)."""
    folder, certs = cluster.folder / "expired", cluster.folder / "certs"
    folder.mkdir()
    shutil.copy(certs / "payment.key", folder)
    for command in (f"openssl req -new -key payment.key -subj /CN=payment -out {folder}/csr",
                    f"faketime 2026-01-01 openssl x509 -req -in {folder}/csr -CA authority.crt -CAkey authority.key"
                    f" -CAcreateserial -days 1 -out {folder}/payment.crt"):
        subprocess.run(command.split(), cwd=certs, check=True, capture_output=True)
    with certificate_of(cluster["payment-1"], folder):
        refused = subprocess.run(cluster["payment-1"].command(), capture_output=True, text=True, timeout=60,
                                 env=cluster.environment())
        assert refused.returncode == 2 and "(certificate_expired)" in refused.stderr, refused.stderr
        pay(cluster)
    money.moved("1.00")


def test_a_config_server_that_is_away_at_start(cluster, money):
    config, fraud = cluster["config"], cluster["fraud"]
    config.stop()
    word = said(cluster, "fraud", "config_client.last_known")
    fraud.stop()
    fraud.settings["config_client.patience"] = "500ms"
    try:
        fraud.start()
        assert word()["labels"]["version"]
        assert cluster.metric("micropay_config_client_stale", "fraud") == 1
        pay(cluster)  # with the fraud service that has only the copy
    finally:
        config.start()
        del fraud.settings["config_client.patience"]
    wait_for(lambda: cluster.metric("micropay_config_client_stale", "fraud") == 0, "the config server", 30)
    money.moved("1.00")
