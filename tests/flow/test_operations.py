"""The operations port: health, metrics; and what failed for good."""
import re

import pytest

from platform_client import new_uuid


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/startup"])
def test_health(platform, path):
    answer = platform.ops(path)
    assert answer.status_code == 200 and answer.json() == {"status": "UP"}


def names_in(answer):
    return set(re.findall(r"^# TYPE (\S+)", answer.text, re.M))


def test_metrics(platform):
    platform.anonymous().request("GET", "users/me")
    answer = platform.ops("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = names_in(answer)
    assert {"http_server_requests_total", "http_server_request_duration_seconds",
            "http_server_websockets"} <= names
    engine = names_in(platform.engine_ops("/metrics"))
    assert {"micropay_engine_queued_inputs", "micropay_store_cached_rows"} <= engine, engine
    sample = re.compile(r'[a-z_0-9]+({([a-z_]+="[^"]*",?)*})? -?[0-9.e+-]+|.* \+Inf')
    for line in answer.text.splitlines():
        assert line.startswith("#") or sample.fullmatch(line), line
    refused = r'http_server_requests_total{[^}]*route="GET /api/v1/users/me"[^}]*status="401"[^}]*} [1-9]'
    assert re.search(refused, answer.text)


def test_metrics_name_no_people(platform):
    user = platform.register("private")
    user.get("users/me")
    text = platform.ops("/metrics").text
    assert user.email not in text and user.id not in text


def test_the_public_port_has_no_operations(platform):
    for path in ("/metrics", "/health/ready"):
        assert platform.anonymous().request("GET", path).status_code == 404


def test_nothing_failed_for_good(admin, support):
    """Whatever the other tests did before."""
    for staff in (admin, support):
        assert staff.items("dead-letters") == []
    admin.refused(404, "not_found", "GET", f"dead-letters/{new_uuid()}")
    admin.refused(404, "not_found", "POST", f"dead-letters/{new_uuid()}/redrive", {})
    support.refused(403, "forbidden", "POST", f"dead-letters/{new_uuid()}/redrive", {})
