"""events tail --kafka: topics of a real broker on the terminal."""
import json
import subprocess

import pytest

from kafka import Server
from platform_process import BINARY, micropay

KEYS = [f"0190c5b2-7e0c-7000-9000-{number:012x}" for number in range(30)]


@pytest.fixture(scope="module")
def broker():
    server = Server(settings={"auto.create.topics.enable": "true", "num.partitions": 4})
    try:
        server.start()
        for topic in ("account-events", "payment-events"):
            for number in range(1, 4) if topic == "account-events" else range(1, 26):
                publish(server, topic, number)
        kcat(server, "-P", "-t", "payment-events", text=b"no event")
        yield server
    finally:
        server.stop()


def kcat(server, *words, text=None):
    subprocess.run(["kcat", "-b", f"127.0.0.1:{server.port}", "-X", "allow.auto.create.topics=true", *words],
                   input=text, check=True, timeout=60)


def publish(server, topic, number):
    service, key = topic.removesuffix("-events"), KEYS[number]
    kind = {"account": "account.frozen"}.get(service, "payment.initiated")
    attributes = {"ce_id": f"0190c5b2-7e0c-7000-8000-{number:012x}", "ce_source": f"/{service}",
                  "ce_specversion": "1.0", "ce_type": kind,
                  "ce_time": f"2026-11-21T01:{number:02}:00Z", "ce_subject": key, "ce_partitionkey": key,
                  "ce_sequence": str(number), "content-type": "application/protobuf"}
    headers = [word for name, value in attributes.items() for word in ("-H", f"{name}={value}")]
    # a message with the key as its field 1; the delimiters are bytes that it does not have
    value = b"\x0a\x24" + key.encode()
    kcat(server, "-P", "-t", topic, *headers, "-K", "|", "-D", "\x01", text=key.encode() + b"|" + value)


def tail(broker, *words):
    shown = micropay("events", "tail", "--kafka", f"127.0.0.1:{broker.port}", *words)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.splitlines(), shown.stderr


def test_the_last_of_all_topics_in_the_order_of_time(broker):
    shown, warned = tail(broker, "--json")
    events = [json.loads(line) for line in shown]
    assert len(events) == 20
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert events[-1]["position"] == 25 and events[-1]["source"] == "/payment"
    assert "1 records were left out" in warned


def test_from_the_beginning_by_type_and_by_topic(broker):
    assert len(tail(broker, "--from", "beginning")[0]) == 28
    assert len(tail(broker, "--from", "beginning", "--type", "account.*")[0]) == 3
    assert len(tail(broker, "--from", "beginning", "--topic", "account-events")[0]) == 3
    assert len(tail(broker, "--from", "2000-01-01T00:00:00Z", "--type", "payment.initiated")[0]) == 25


def test_following(broker):
    words = [BINARY, "events", "tail", "--kafka", f"127.0.0.1:{broker.port}", "--follow", "--json",
             "--topic", "account-events"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert [json.loads(process.stdout.readline())["position"] for _ in range(3)] == [1, 2, 3]
            publish(broker, "account-events", 26)
            assert json.loads(process.stdout.readline())["position"] == 26
        finally:
            process.terminate()


def test_mistakes(broker):
    address = f"127.0.0.1:{broker.port}"
    for words, says in ((["--topic", "nobody-events"], "kafka_no_topic"), (["--from", "42"], "beginning")):
        shown = micropay("events", "tail", "--kafka", address, *words)
        assert shown.returncode == 2 and says in shown.stderr
    shown = micropay("events", "tail", "--kafka", "127.0.0.1:1")
    assert shown.returncode == 2 and "kafka_" in shown.stderr
