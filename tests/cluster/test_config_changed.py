"""New settings in a running cluster: config.changed tells every process, which takes over what is live and says what
waits for a restart. Without Kafka they find out by asking.
"""
import json
import subprocess

import pytest

from platform_client import wait_for
from whole_cluster import SERVERS_CLUSTER

HEARING = [*(name for name in SERVERS_CLUSTER.services() if name != "fraud"), "gateway"]  # hourly askers


@pytest.fixture
def settings(cluster):
    """cluster.give, undone at the end."""
    yield cluster
    cluster.give(trace__sampling="0", engine__max_queued=None)
    for each in ours(cluster):
        wait_for(lambda: cluster.metric("micropay_settings_restart_needed", each.services[0]) == 0,
                 f"the old settings at {each.name}", 30)


def count(process, code, setting):
    """The log lines of a process with this code about this setting."""
    lines = process.log.read_text(errors="replace").splitlines()
    return sum(f'"{code}"' in line and f'"{setting}"' in line for line in lines)


def applied(cluster):
    """How often each process has said that a new value of trace.sampling is in force."""
    return {each.name: count(each, "settings.applied", "trace.sampling") for each in ours(cluster)}


def ours(cluster):
    return [each for each in cluster.processes.values() if not each.name.startswith(("config", "discovery"))]


def wait_for_all(cluster, before, seconds):
    for name, times in before.items():
        wait_for(lambda: applied(cluster)[name] > times, f"trace.sampling at {name}", seconds)


def test_live_settings_come_at_once_and_others_are_named(settings):
    cluster = settings
    before = applied(cluster)
    cluster.give(trace__sampling="0.5", engine__max_queued="9999")
    wait_for_all(cluster, before, 20)
    for each in ours(cluster):
        wait_for(lambda: count(each, "settings.restart_needed", "engine.max_queued"), f"the word of {each.name}", 20)
    for service in HEARING:
        instances = len(cluster.instances(service))
        assert cluster.metric("micropay_settings_restart_needed", service) == instances
        assert len(cluster.log_lines(service, "config_client.told")) >= instances
    assert cluster.metric("micropay_config_announcements_total", "config", outcome="published") >= 1
    # The event is one of ours: whoever reads topics sees it, and it is part of the audit trail.
    shown = subprocess.run(
        [cluster.binary, "events", "tail", "--kafka", f"127.0.0.1:{cluster.servers['kafka'].port}", "--json",
         "--topic", "config-events"],
        capture_output=True, text=True, timeout=60)
    told = [json.loads(line) for line in shown.stdout.splitlines() if '"config.changed"' in line]
    assert told and told[-1]["source"] == "/config" and told[-1]["data"]["application"] == "*", shown
    auditor = cluster.platform.staff("AUDITOR")
    wait_for(lambda: auditor.items("audit/entries", action="config.changed"), "the entry in the trail", 20)


def test_without_kafka_settings_are_asked_for(settings):
    cluster = settings
    before = applied(cluster)
    cluster.servers["kafka"].kill()
    try:
        cluster.give(trace__sampling="0.25")
        wait_for(lambda: applied(cluster)["fraud"] > before["fraud"], "fraud asked by itself", 20)
        wait_for(lambda: cluster.log_lines("config", "config.not_announced"), "the word of the config server", 20)
        assert applied(cluster)["payment-1"] == before["payment-1"]
    finally:
        cluster.servers["kafka"].start()
    # What could not be announced is announced when the broker is back.
    wait_for_all(cluster, before, 40)
    cluster.ada.pay(cluster.bob, "1.00")
