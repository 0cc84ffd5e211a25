"""Traces as a collector gets them: a request is one tree, from the gateway through every service it reaches.

Zipkin is the real one; OTLP goes to a sink that reads it as the protocol's JSON mapping demands.
"""
import http.server
import json
import re
import threading
import uuid

import pytest

from platform_client import wait_for


def new_trace():
    """A trace id, and the traceparent of a caller who wants it recorded."""
    trace = uuid.uuid4().hex
    return trace, {"traceparent": f"00-{trace}-{uuid.uuid4().hex[:16]}-01"}


class Tree:
    """Spans of one trace in Zipkin's form, by parent."""

    def __init__(self, spans):
        self.spans = {span["id"]: span for span in spans}
        assert len(self.spans) == len(spans), "a span was told twice"

    def path(self, span):
        """What the span is below, and itself, as "service name"."""
        above = self.spans.get(span.get("parentId"))
        own = f"{span['localEndpoint']['serviceName']} {span['name']}"
        return (*self.path(above), own) if above else (own,)

    def paths(self):
        return {self.path(span) for span in self.spans.values()}

    def roots(self):
        return [span for span in self.spans.values() if span.get("parentId") not in self.spans]


def spans_of(zipkin, trace, least):
    return wait_for(lambda: (found := zipkin.trace(trace)) and len(found) >= least and found,
                    f"{least} spans of {trace}")


def metric(platform, line):
    """The value of a metric with its labels, 0 when it is not there."""
    found = re.search(rf"^{re.escape(line)} (\S+)$", platform.ops("/metrics").text, re.M)
    return float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
def traced(module_platform, zipkin):
    """A platform that tells Zipkin of what its callers ask for, and begins no traces itself."""
    return module_platform("trace.exporter=zipkin", f"trace.endpoint={zipkin.url}", "trace.sampling=0")


@pytest.fixture(scope="module")
def ada(traced):
    user = traced.register("ada")
    user.top_up("500.00")
    return user


@pytest.fixture(scope="module")
def bob(traced):
    return traced.register("bob")


def test_a_payment_is_one_tree(zipkin, ada, bob):
    trace, headers = new_trace()
    ada.post("payments", ada.payment_body(bob, "5.00"), expect=201, headers=headers)
    tree = Tree(spans_of(zipkin, trace, 11))
    root, = tree.roots()
    assert root["kind"] == "SERVER" and root["parentId"] == headers["traceparent"].split("-")[2]
    assert root["tags"]["http.response.status_code"] == "201"
    command = ("gateway post /api/v1/payments", "payment createpayment")
    reserved = (*command, "balance payment.initiated")
    assessed = (*reserved, "fraud account.balance.reserved")
    processing = (*assessed, "payment fraud.risk.assessed")
    created = (*processing, "transaction payment.processing")
    assert {command[:1], command, reserved, assessed, processing, created} <= tree.paths()
    last = {path[-1] for path in tree.paths()}
    assert {"balance transaction.settled", "payment account.balance.updated",
            "notification payment.completed"} <= last
    assert all(path[:2] == command for path in tree.paths() if len(path) > 1)
    for span in tree.spans.values():
        above = tree.spans.get(span.get("parentId"))
        assert above is None or above["timestamp"] <= span["timestamp"], span


def test_a_refusal_is_a_tree_too(zipkin, ada, bob):
    trace, headers = new_trace()
    assert ada.try_pay(bob, "100000.00", headers=headers).status_code == 402
    tree = Tree(spans_of(zipkin, trace, 4))
    root, = tree.roots()
    assert root["tags"]["http.response.status_code"] == "402" and "error" not in root["tags"]
    assert ("gateway post /api/v1/payments", "payment createpayment",
            "balance payment.initiated") in tree.paths()


def test_calls_to_the_outside_and_preparations_have_spans(zipkin, traced, ada):
    trace, headers = new_trace()
    ada.top_up("1.00", expect=201, headers=headers)
    spans = spans_of(zipkin, trace, 5)
    call, = [span for span in spans if span.get("kind") == "CLIENT"]
    assert call["localEndpoint"]["serviceName"] == "account" and call["tags"]["attempt"] == "1"
    assert len(Tree(spans).roots()) == 1
    paths = Tree(spans).paths()
    assert [path for path in paths if path[-1] == f"account {call['name']}" and len(path) > 2], paths
    trace, headers = new_trace()
    body = {"email": ada.email, "password": ada.password}
    ada.post("auth/login", body, expect=200, headers=headers)
    assert ("gateway post /api/v1/auth/login", "user prepare") in Tree(spans_of(zipkin, trace, 3)).paths()


def test_what_nobody_wants_recorded_is_not(zipkin, traced, ada, bob):
    trace, headers = new_trace()
    unsampled = {"traceparent": headers["traceparent"][:-1] + "0"}
    before = metric(traced, 'micropay_trace_spans_total{outcome="exported"}')
    ada.post("payments", ada.payment_body(bob, "5.00"), expect=201, headers=unsampled)
    ada.pay(bob, "5.00")
    other, headers = new_trace()  # what came before it is sent before it
    ada.expect(200, "GET", "users/me", headers=headers)
    spans_of(zipkin, other, 1)
    assert not zipkin.trace(trace)
    exported = 'micropay_trace_spans_total{outcome="exported"}'
    wait_for(lambda: metric(traced, exported) == before + 1, "one span")


# --- OTLP ---

KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}


def attributes_of(holder):
    """{key: value} of a list of KeyValue; whatever is not of that form fails."""
    values = {}
    for attribute in holder.get("attributes", []):
        assert set(attribute) == {"key", "value"} and len(attribute["value"]) == 1, attribute
        (kind, value), = attribute["value"].items()
        assert kind in ("stringValue", "intValue") and isinstance(value, str), attribute
        assert attribute["key"] not in values, attribute
        values[attribute["key"]] = int(value) if kind == "intValue" else value
    return values


def read_export(document):
    """The spans of an ExportTraceServiceRequest in Zipkin's form, so that both are looked at alike."""
    for resource in document["resourceSpans"]:
        service = attributes_of(resource["resource"])["service.name"]
        for scope in resource["scopeSpans"]:
            assert scope["scope"]["name"] == "micropay"
            for span in scope["spans"]:
                assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
                assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
                began, ended = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                assert 0 < began <= ended
                yield {"traceId": span["traceId"], "id": span["spanId"], "parentId": span.get("parentSpanId"),
                       "name": span["name"].lower(), "kind": KINDS[span["kind"]], "timestamp": began,
                       "localEndpoint": {"serviceName": service}, "tags": attributes_of(span),
                       "state": span.get("traceState")}


class Collector:
    """Takes OTLP over HTTP, JSON."""

    def __init__(self):
        self.spans, self.problems = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
                    outer.spans += read_export(json.loads(body))
                except (AssertionError, KeyError, ValueError) as problem:
                    outer.problems.append(repr(problem))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, trace):
        assert not self.problems, self.problems
        return [span for span in self.spans if span["traceId"] == trace]


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.server.shutdown()
    assert not made.problems, made.problems


def test_otlp_gets_the_same_tree(fresh_platform, collector):
    platform = fresh_platform("trace.exporter=otlp", f"trace.endpoint={collector.url}", "trace.sampling=0")
    ada, bob = platform.register("ada"), platform.register("bob")
    ada.top_up("50.00")
    trace, headers = new_trace()
    headers["tracestate"] = "congo=t61rcWkgMzE"
    ada.post("payments", ada.payment_body(bob, "5.00"), expect=201, headers=headers)
    spans = wait_for(lambda: len(found := collector.of(trace)) >= 11 and found, "the spans")
    tree = Tree(spans)
    root, = tree.roots()
    assert root["kind"] == "SERVER" and root["tags"]["http.response.status_code"] == 201
    assert root["state"] == "congo=t61rcWkgMzE"
    assert ("gateway post /api/v1/payments", "payment createpayment", "balance payment.initiated",
            "fraud account.balance.reserved") in tree.paths()
    assert {span["traceId"] for span in collector.spans} == {trace}


def test_the_part_that_is_sampled(fresh_platform, collector):
    """400 requests at one in four: 100 traces, give or take six standard deviations."""
    platform = fresh_platform("trace.exporter=otlp", f"trace.endpoint={collector.url}", "trace.sampling=25%",
                              "gateway.trace_callers=off")
    anonymous = platform.anonymous()
    for _ in range(400):  # a caller who wants it recorded is not asked
        anonymous.expect(401, "GET", "users/me", headers=new_trace()[1])
    platform.stop()  # sends what is left
    assert 48 <= len({span["traceId"] for span in collector.spans}) <= 152
    platform.start()


def test_a_dead_collector_costs_spans_and_nothing_else(fresh_platform):
    platform = fresh_platform("trace.exporter=zipkin", "trace.endpoint=http://127.0.0.1:1")
    ada = platform.register("ada")
    ada.top_up("50.00")
    for _ in range(20):
        ada.pay(platform.staff("ADMIN"), "1.00")
    wait_for(lambda: metric(platform, 'micropay_trace_spans_total{outcome="lost"}') > 0, "lost spans", 30)
    assert metric(platform, 'micropay_trace_spans_total{outcome="exported"}') == 0
    ada.pay(platform.staff("ADMIN"), "1.00")
