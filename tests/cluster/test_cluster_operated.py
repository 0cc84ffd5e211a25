"""A cluster as an operator runs it: what was restored does not run before it fits together, and whoever looks at
/health/ready and the metrics sees what is wrong.
"""
import concurrent.futures
import contextlib
import json
import subprocess
import urllib.error
import urllib.request

import pytest

from platform_client import PASSWORD, Api, told, wait_for
from test_cluster_bad_days import Money, counted, pay, said
from whole_cluster import SERVERS_CLUSTER


def health(process):
    """Status and body of /health/ready; (0, {}) when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{process.ops_port}/health/ready", timeout=2) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
    except OSError:
        return 0, {}


def becomes_unready(process, reason, seconds=60):
    def look():
        status, body = health(process)
        return status == 503 and body.get("reason") == reason and body
    return wait_for(look, f"{process.name} is not ready: {reason}", seconds)


@pytest.fixture
def money(cluster):
    made = Money(cluster)
    assert made.before[1] == [0, 0], "an earlier test has left a payment behind"
    return made


def command(cluster, *words):
    return subprocess.run([cluster.binary, *words, "--config", cluster.folder / "bootstrap.yaml"],
                          capture_output=True, text=True, timeout=120, env=cluster.environment())


# --- databases and topics ---

def services_of(cluster):
    return [each for each in cluster.processes.values()
            if not each.name.startswith(("config", "discovery"))]


def stop_services(cluster):
    for each in services_of(cluster):
        each.end()
    assert [each.stop() for each in services_of(cluster)] == [0] * len(services_of(cluster))


def start_services(cluster):
    for each in services_of(cluster):
        each.launch()
    for each in services_of(cluster):
        each.wait_until_ready()


def restore(cluster, services):
    for service in services:
        cluster.sql(f"DROP DATABASE micropay_{service}_db;\n")
        cluster.sql(f"CREATE DATABASE micropay_{service}_db TEMPLATE kept_{service} OWNER micropay_owner;\n")


def test_restored_databases_are_refused_until_topics_are_aligned(cluster, money):
    """2,319 entries without a payment, wallets that were wrong, payments that were PENDING for ever; and all was ready."""
    services = list(SERVERS_CLUSTER.services())
    pay(cluster)
    stop_services(cluster)
    for service in services:
        cluster.sql(f"CREATE DATABASE kept_{service} TEMPLATE micropay_{service}_db OWNER micropay_owner;\n")
    try:
        start_services(cluster)
        for _ in range(3):
            pay(cluster)
        stop_services(cluster)
        # One database alone: no topic can mend that.
        restore(cluster, ["payment"])
        refused = command(cluster, "topics", "align")
        assert refused.returncode == 1 and "(databases_differ)" in refused.stderr, refused.stdout + refused.stderr
        # All of them, and the topics are as they were.
        restore(cluster, [service for service in services if service != "payment"])
        balance = cluster["balance-1"]
        word = said(cluster, "balance", "process.not_aligned")
        balance.launch()
        assert "topics align" in becomes_unready(balance, "topic_ahead")["detail"]
        assert word()["labels"]["reason"] == "topic_ahead"
        assert cluster.metric("micropay_topics_aligned", "balance") == 0
        assert cluster.metric("micropay_topics_misfits", "balance", kind="topic_ahead") > 0
        assert cluster.metric("micropay_kafka_consumed_total", "balance") == 0
        running = command(cluster, "topics", "align")
        assert running.returncode == 2 and "(processes_run)" in running.stderr, running.stdout + running.stderr
        assert balance.stop() == 0
        assert command(cluster, "topics", "align", "--dry-run").returncode == 1
        done = command(cluster, "topics", "align")
        assert done.returncode == 0 and "payment" in done.stdout, done.stdout + done.stderr
        again = command(cluster, "topics", "align")
        assert again.returncode == 0 and "nothing to do" in again.stdout, again.stdout + again.stderr
        start_services(cluster)
        pay(cluster)
        money.moved("2.00")  # that of before the backup, and this one
        assert cluster.metric("micropay_topics_aligned", "balance") == 2  # each instance

        def clean():
            return command(cluster, "verify", "--cluster").returncode == 0
        wait_for(clean, "a clean verify at rest", 60)
    finally:
        start_services(cluster) if not cluster["balance-1"].runs else None
        for service in services:
            cluster.sql(f"DROP DATABASE IF EXISTS kept_{service};\n")


# --- keys ---

def test_a_gateway_without_the_user_service(cluster, money):
    """359 good tokens were answered 401, and then 429."""
    gateway, user = cluster.gateway, cluster["user"]
    kept = gateway.data / "verifying-keys.json"
    assert "keys" in json.loads(kept.read_text())
    user.kill()
    try:
        gateway.stop()
        gateway.start()  # with the keys that it knew last
        assert cluster.ada.request("GET", "payments").status_code == 200
        gateway.stop()
        kept.unlink()
        gateway.launch()
        becomes_unready(gateway, "keys_unknown")
        for _ in range(5):
            answer = cluster.ada.request("GET", "payments")
            assert answer.status_code == 503 and answer.headers["retry-after"], told(answer, "expected 503")
        assert cluster.ada.request("GET", "/.well-known/jwks.json").status_code == 503
    finally:
        user.start()
        gateway.wait_until_ready()
    pay(cluster)
    money.moved("1.00")


def test_keys_are_rotated_by_the_running_process(cluster):
    def known():
        return {key["kid"] for key in Api(cluster.platform).get("/.well-known/jwks.json")["keys"]}
    before = known()
    for words in (["--data", cluster["user"].data], []):  # the process that runs there; the settings' user.keys
        done = command(cluster, "keys", "rotate", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        [fresh] = wait_for(lambda: known() - before, "the new key at the gateway", 10)
        assert fresh in done.stdout
        before |= {fresh}
    other = subprocess.run([cluster.binary, "keys", "rotate", "--data", cluster["fraud"].data], capture_output=True,
                           text=True, timeout=60)
    assert other.returncode == 2 and "(no_signing_keys)" in other.stderr, other.stdout + other.stderr
    assert cluster.ada.request("GET", "payments").status_code == 200
    signed_in = Api(cluster.platform).post("auth/login", {"email": cluster.ada.email, "password": PASSWORD})
    assert Api(cluster.platform, signed_in["accessToken"]).request("GET", "users/me").status_code == 200


# --- the database ---

def test_a_database_that_is_away_is_said(cluster, money):
    postgres = cluster.servers["postgres"]
    with_database = [each for each in services_of(cluster) if each is not cluster.gateway]
    grown = counted(cluster, "payment", "micropay_store_commit_failures_total", reason="storage_failed")
    none = cluster.metric("micropay_rpc_client_unavailable_total", "gateway")
    postgres.stop()
    try:
        for each in with_database:
            assert becomes_unready(each, "storage_failed", 30)["detail"], each.name
        assert cluster.metric("micropay_store_available", "payment") == 0
        for _ in range(5):
            with contextlib.suppress(AssertionError):
                answer = cluster.ada.try_pay(cluster.bob, "0.01", headers={"Prefer": "respond-async"})
                assert answer.status_code == 503 and answer.headers["retry-after"], told(answer, "expected 503")
        grown()
        # Its instances are there, and say what is wrong.
        assert cluster.metric("micropay_rpc_client_unavailable_total", "gateway") == none
    finally:
        postgres.start()
        for each in with_database:
            each.wait_until_ready()
    assert cluster.metric("micropay_store_available", "payment") == 2
    pay(cluster)
    money.moved("1.00")


# --- verify ---

def test_verify_under_payments_ends_and_says_that_it_is_no_rest(cluster, money):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        enough = []

        def payments():
            made = 0
            while not enough:
                made += cluster.ada.try_pay(cluster.bob, "0.01").status_code in (201, 202)
            return made
        making = pool.submit(payments)
        try:
            for topics in ("on", "off"):
                done = command(cluster, "verify", "--cluster", "--json", "--kafka", topics)
                report = json.loads(done.stdout)
                assert done.returncode == 3, done.stdout + done.stderr
                assert report["ok"] and not report["atRest"]
                assert report["topicsRead"] == (topics == "on")
                assert done.stderr.count("\n") >= int(report["seconds"] / 2) - 1  # it says how far it is
                for check in report["checks"]:
                    assert check["ok"] or check["underWay"], check
        finally:
            enough.append(True)
    wait_for(lambda: command(cluster, "verify", "--cluster").returncode == 0, "a clean verify at rest", 60)
    assert making.result() > 0
