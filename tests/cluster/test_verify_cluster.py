"""`micropay verify --cluster` over real databases: whole it is clean, and each fault that is planted is found and
named. Faults are planted with psql beside the services, and taken back.
"""
import json
import subprocess

import pytest

from platform_client import wait_for


def verify(cluster, *more):
    """The report, and the exit code."""
    done = subprocess.run([cluster.binary, "verify", "--cluster", "--config", cluster.folder / "bootstrap.yaml",
                           "--json", *more], capture_output=True, text=True, timeout=100,
                          env=cluster.environment())
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == (1 if not report["ok"] else 0 if report["atRest"] else 3)
    return report


def failed(report):
    return {check["name"]: check for check in report["checks"] if not check["ok"]}


def at_rest(cluster):
    def look():
        report = verify(cluster)
        return report if report["atRest"] else None
    return wait_for(look, "a cluster at rest", 60)


@pytest.fixture(scope="module")
def paid(cluster):
    """Some payments were made."""
    for _ in range(5):
        cluster.ada.pay(cluster.bob, "3.00")
    at_rest(cluster)
    return cluster


@pytest.fixture
def planted(paid):
    """Changes a database by one statement, and takes that back by another."""
    undone = []

    def plant(service, change, back):
        undone.append((service, back))
        paid.sql(change, f"micropay_{service}_db")
        return failed(verify(paid, "--kafka", "off"))
    yield plant
    for service, back in undone:
        paid.sql(back, f"micropay_{service}_db")
    assert not failed(verify(paid, "--kafka", "off"))


def test_a_sound_cluster_is_clean(paid):
    report = at_rest(paid)
    assert report["ok"], failed(report)
    counts = {check["name"]: check["count"] for check in report["checks"]}
    for name in ("logs are whole", "tables equal the logs", "every event is heard once, in order",
                 "topics carry the logs", "every completed payment has exactly one entry",
                 "the audit chain is unbroken"):
        assert counts[name] > 0, name
    assert report["auditHead"]
    assert verify(paid, "--audit-head", report["auditHead"])["ok"]
    other = report["auditHead"][:-1] + ("0" if report["auditHead"][-1] != "0" else "1")
    assert not verify(paid, "--audit-head", other)["ok"]


def test_a_changed_balance_is_named(planted, paid):
    change = "UPDATE balance_balance SET posted_minor=posted_minor{}1 WHERE account_id=(SELECT min(account_id::text)::uuid" \
        " FROM balance_balance)"
    found = planted("balance", change.format("+"), change.format("-"))
    account = paid.sql("SELECT min(account_id::text) FROM balance_balance", "micropay_balance_db")
    [table] = found["tables equal the logs"]["tables"]
    assert (table["service"], table["table"], table["differences"]) == ("balance", "balance_balance", 1)
    assert table["first"][0]["key"] == account and table["first"][0]["kind"] == "changed"
    assert "posted_minor" in table["first"][0]["fields"]
    assert account in found["every balance is the sum of its entries"]["problem"]


def test_a_row_that_was_removed_is_named(planted):
    keep = "CREATE TABLE kept AS SELECT * FROM payment_payment ORDER BY id LIMIT 1;"
    found = planted("payment", keep + "DELETE FROM payment_payment WHERE id IN (SELECT id FROM kept)",
                    "INSERT INTO payment_payment SELECT * FROM kept; DROP TABLE kept")
    [table] = found["tables equal the logs"]["tables"]
    assert (table["service"], table["table"], table["first"][0]["kind"]) == ("payment", "payment_payment", "missing")
    assert "every completed payment has exactly one entry" in found


@pytest.mark.parametrize("which", ["(SELECT max(tick) FROM log)", "(SELECT max(tick)/2 FROM log)", "1"],
                         ids=["last", "middle", "first"])
def test_a_removed_log_row_is_named(planted, which):
    found = planted("transaction", f"CREATE TABLE kept AS SELECT * FROM log WHERE tick={which};"
                                   "DELETE FROM log WHERE tick IN (SELECT tick FROM kept)",
                    "INSERT INTO log SELECT * FROM kept; DROP TABLE kept")
    assert "transaction: tick" in found["logs are whole"]["problem"]


def test_a_changed_log_record_is_named(planted):
    flip = "UPDATE log SET record=set_byte(record,70,get_byte(record,70)#1) WHERE tick=2"
    found = planted("fraud", flip, flip)
    assert "fraud: tick 2" in found["logs are whole"]["problem"]


def test_a_watermark_that_was_put_back_is_named(planted):
    where = "WHERE service=(SELECT min(service) FROM runtime_consumer WHERE service LIKE 'source:payment/%')"
    found = planted("balance", f"UPDATE runtime_consumer SET position=position-1 {where}",
                    f"UPDATE runtime_consumer SET position=position+1 {where}")
    assert "payment" in found["every event is heard once, in order"]["problem"]
    assert found["tables equal the logs"]["tables"][0]["table"] == "runtime_consumer"


def test_a_broken_audit_block_is_named(planted):
    change = "UPDATE audit_block SET last_hash=set_byte(last_hash,0,get_byte(last_hash,0)#1) WHERE number=0"
    found = planted("audit", change, change)
    assert "entry" in found["the audit chain is unbroken"]["problem"]


def test_what_was_never_published_is_no_fault_but_no_rest_either(planted, paid):
    at_rest(paid)
    paid.sql("UPDATE projection SET tick=tick-1 WHERE service='(shipping)'", "micropay_fraud_db")
    report = verify(paid, "--kafka", "off")
    assert report["ok"] and not report["atRest"]
    paid.sql("UPDATE projection SET tick=tick+1 WHERE service='(shipping)'", "micropay_fraud_db")
