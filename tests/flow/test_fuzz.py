"""Nonsense of every kind at every route, made from /openapi.json: whatever comes, the answer is no 5xx, the
platform stays ready, its folder verifies. What is tried depends on the seed; a failure prints the request.
"""
import copy
import json
import os
import random
import re
import uuid

import pytest

from platform_client import told

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("MICROPAY_TEST_SEED", "1"))
WEIRD = [
    None, True, "", " ", "\0", "x", "x" * 5000, "é" * 300, "\ud7ff\U0010ffff", 0, -1, 1, 2**31, 2**53 + 1,
    -2**63, 2**64, 1.5, 1e300, [], [[]], ["x"], [None], {}, {"": ""}, {"x": {"y": []}}, "NaN", "-0", "1e9",
    "2026-13-45", "' OR 1=1 --", "../../etc/passwd", "%00", str(uuid.UUID(int=0)),
    "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"]
WEIRD_TEXT = [
    "", " ", "%00", "%FF", "x", "-1", "99999999999999999999", "a" * 3000, "..", "%2e%2e%2f", "é", "*", "'",
    "%25", str(uuid.UUID(int=0)), "offset:-1", "offset:99999999999", "null", "true,false", "2026-01-01",
    "createdAt%20desc", "id asc,id desc", "\u202e"]


@pytest.fixture(scope="module")
def target(module_platform):
    platform = module_platform()
    platform.staff("AUDITOR")
    user = platform.register("fuzzed")
    user.top_up("100.00")
    return platform, user


@pytest.fixture(scope="module")
def document(target):
    return target[0].anonymous().get("/openapi.json")


def resolved(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def sample(document, schema, depth=0):
    """Something with every field that a schema knows."""
    schema = resolved(document, schema)
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            return sample(document, schema[choice][0], depth)
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object" and depth < 6:
        return {name: sample(document, field, depth + 1) for name,
                field in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(document, schema["items"], depth + 1)] if depth < 6 else []
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    if kind == "boolean":
        return True
    known = {"uuid": str(uuid.UUID(int=7)), "email": "a@example.org", "date-time": "2026-01-01T00:00:00Z"}
    return known.get(schema.get("format"), "1.00" if "pattern" in schema else "some text")


def places(value, path=()):
    """Every place in a value that something else can be put."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def replaced(value, path, by):
    if not path:
        return by
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = by
    return value


def operations(document):
    return [(method.upper(), path, operation) for path, verbs in document["paths"].items()
            for method, operation in verbs.items()]


def filled(path, user, text=None):
    """The path with the user's wallet, or this text, for its variables."""
    def value(match):
        if text is not None:
            return text
        return user.wallet() if match[1] in ("accountId",
                                             "id") and "/accounts/" in path else str(uuid.UUID(int=7))
    return re.sub(r"{(\w+)}", value, path)


def assert_no_fault(answer):
    assert answer.status_code < 500, told(answer, f"a fault (seed {SEED})")
    if answer.status_code >= 400:
        assert answer.json()["code"], told(answer, "no problem document")


def callers(target):
    platform, user = target
    return user, platform.staff("ADMIN")


def send(api, method, path, content):
    return api.request(method, path, content=content, headers={"Content-Type": "application/json"})


def test_weird_values_in_bodies(target, document):
    chance = random.Random(SEED)
    for method, path, operation in operations(document):
        if "requestBody" not in operation or path.endswith(("/auth/password", "/users")):
            continue  # each would be an Argon2 hash; they have the next test
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = sample(document, schema)
        for place in places(body):
            for weird in chance.sample(WEIRD, 9):
                text = json.dumps(replaced(body, place, weird))
                for api in callers(target):
                    assert_no_fault(send(api, method, filled(path, target[1]), text))


def test_weird_values_in_registrations(target):
    platform, _ = target
    body = {"email": "a@example.org", "password": "correct horse battery", "displayName": "X",
            "language": "en",
            "defaultCurrency": "EUR"}
    for name in body:
        for weird in WEIRD:
            assert_no_fault(send(platform.anonymous(), "POST", "users", json.dumps(body | {name: weird})))


def test_weird_values_in_queries_and_paths(target, document):
    for method, path, operation in operations(document):
        names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
        for weird in WEIRD_TEXT:
            if "{" in path:
                assert_no_fault(send(target[1], method, filled(path, None, weird or "%20"),
                                     "" if method == "GET" else "{}"))
            for name in names:
                for api in callers(target):
                    assert_no_fault(api.request("GET", f"{filled(path, target[1])}?{name}={weird}"))


def test_flipped_bits(target):
    """A payment's body with a few bytes changed, cut, or doubled."""
    _, user = target
    chance = random.Random(SEED)
    body = json.dumps(user.payment_body("nobody@nowhere.example", "1.00", description="Lunch",
                                        metadata={"a": "b"})).encode()
    for _ in range(600):
        content = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(content))
            what = chance.randrange(4)
            if what == 0:
                content[at] ^= 1 << chance.randrange(8)
            elif what == 1:
                content[at] = chance.randrange(256)
            elif what == 2:
                del content[at:at + chance.randint(1, 20)]
            else:
                content[at:at] = content[at:at + chance.randint(1, 20)]
            content = content or bytearray(b"{")
        answer = send(user, "POST", "payments", bytes(content))
        assert answer.status_code in (400, 404), told(answer, f"expected it to be refused (seed {SEED})")


def test_weird_headers(target):
    _, user = target
    names = ["Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "X-Correlation-Id", "traceparent",
             "Accept",
             "Accept-Encoding", "Content-Type", "Origin", "Range", "X-Forwarded-For",
             "X-HTTP-Method-Override", "Cookie"]
    values = ["", ",", "x", "*", '"', '""', 'W/"x"', "x" * 4000, "\xff\xfe", "gzip;q=abc",
              "respond-async, wait=-1", "bytes=0-1",
              "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "a,b;c=d", "%00"]
    for name in names:
        for value in values:
            headers = {name: value.encode("latin-1")}
            assert_no_fault(user.request("GET", "users/me", headers=headers))
            assert_no_fault(user.request("PATCH", "users/me", {"displayName": "X"}, headers=headers))


def test_it_is_still_well(target):
    """Limits and rules that made sense were set, so somebody new pays, and without rules."""
    platform, _ = target
    assert platform.ops("/health/ready").status_code == 200
    platform.staff("ADMIN").put("fraud/rules", {"reviewAt": 60, "declineAt": 90, "rules": []})
    payer = platform.register("payer")
    payer.top_up("10.00")
    assert payer.pay(platform.register("payee"), "1.00")["status"] == "COMPLETED"
    assert platform.staff("ADMIN").items("dead-letters") == []
