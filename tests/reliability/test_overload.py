"""More than it carries: every answer is the real one or 503 with Retry-After, at once; what was answered
503 was not done, what was answered 201 was, and both are exact. How much is still carried then is measured
by the bench (`make bench BENCH=overload`); here nothing is timed.
"""
import json
import uuid
from collections import Counter

import pytest

from platform_client import new_uuid, problem, wait_for
from raw_http import RawClient, rss_mib

QUEUED = 10  # places in the engine's queue, the least that the setting allows
CLIENTS = 150


@pytest.fixture(scope="module")
def crowded(module_platform):
    return module_platform(f"engine.max_queued={QUEUED}", "gateway.query_threads=1", "fraud.mode=off",
                           "account.limits=off")


def request(method, path, token, body=None, key=None):
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} /api/v1/{path} HTTP/1.1", "Host: a", f"Content-Length: {len(content)}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"Idempotency-Key: {key}"] if key else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def at_once(platform, requests):
    """All of them sent, each on a connection of its own, before any answer is read."""
    clients = [RawClient(platform) for _ in requests]
    for client, data in zip(clients, requests):
        client.send(data)
    answers = [client.read() for client in clients]
    for client in clients:
        client.close()
    return answers


def assert_shed(answer):
    assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["code"] == "overloaded"


def test_payments_are_made_once_or_shed(crowded):
    """Every payer pays again and again with keys of its own until some were shed, then all that were shed
    come again with the same key: in the end each is there once, and the cents are exact."""
    payer, poor, payee = (crowded.register(name) for name in ("payer", "poor", "payee"))
    payer.top_up("1000.00")
    poor.top_up("0.05")  # these end at 402
    seen, paid, again = Counter(), set(), {}
    for _ in range(100):
        sent = {new_uuid(): (payer if number % 2 else poor) for number in range(CLIENTS)}
        bodies = {key: request("POST", "payments", who.token, who.payment_body(payee, "0.01"), key)
                  for key, who in sent.items()}
        for key, answer in zip(bodies, at_once(crowded, bodies.values())):
            seen[answer.status] += 1
            if answer.status == 503:
                assert_shed(answer)
                again[key] = bodies[key]
            else:
                assert answer.status in (201, 402), answer
                if answer.status == 201:
                    paid.add(json.loads(answer.body)["id"])
        if enough(seen):
            break
    assert enough(seen), seen
    assert_exact(payer, poor, payee, len(paid))
    while again:  # a client that comes back gets through: never more at once than there are places
        keys = list(again)[:QUEUED // 2]
        for key, answer in zip(keys, at_once(crowded, [again.pop(key) for key in keys])):
            assert answer.status in (201, 402), answer
            assert "idempotent-replayed" not in answer.headers  # what was shed has left nothing
            if answer.status == 201:
                paid.add(json.loads(answer.body)["id"])
    assert_exact(payer, poor, payee, len(paid))


def enough(seen):
    return seen[503] >= 50 and seen[201] >= 20 and seen[402] >= 1


def assert_exact(payer, poor, payee, count):
    def cents(user):
        held = user.balance()
        assert held.reserved == "0.00"
        return round(float(held.available) * 100)
    assert cents(payee) == count
    assert cents(payer) + cents(poor) == 100_005 - count


def test_others_read_while_payments_are_shed(crowded):
    """A full queue of commands is nothing to who reads; and one that was shed is not let to hammer at the
    door."""
    payer, payee = crowded.register("payer"), crowded.register("payee")
    payer.top_up("10.00")
    body = payer.payment_body(payee, "0.01")
    before = rss_mib(crowded)
    with RawClient(crowded) as hammering:
        count = 300
        hammering.send(b"".join(request("POST", "payments", payer.token, body,
                                        new_uuid()) for _ in range(count)))
        answers = at_once(crowded, [request("POST", "payments", payer.token, body,
                                            new_uuid()) for _ in range(CLIENTS)]
                          + [request("GET", f"accounts/{payer.wallet()}/balance",
                                     payer.token) for _ in range(CLIENTS)])
        assert all(answer.status == 200 for answer in answers[CLIENTS:])
        pipelined = [hammering.read().status for _ in range(count)]
        assert set(pipelined) <= {201, 503}
    assert {answer.status for answer in answers[:CLIENTS]} <= {201, 503}
    assert rss_mib(crowded) < before + 200


@pytest.mark.slow
def test_too_many_lists(crowded):
    """The pool of lists has a queue of a thousand: more of them at once are answered or shed."""
    user = crowded.register("reader")
    answers = at_once(crowded, [request("GET", "accounts?pageSize=100", user.token) for _ in range(1_500)])
    for answer in answers:
        if answer.status != 200:
            assert_shed(answer)
    assert any(answer.status == 200 for answer in answers)


@pytest.mark.slow
def test_too_many_sign_ins(crowded):
    """Hashing is the costliest work that anybody may ask for: it has threads and a queue of its own."""
    users = [{"email": f"{uuid.uuid4().hex}@example.org", "password": "correct horse battery",
              "displayName": "X"}
             for _ in range(40)]
    answers = at_once(crowded, [request("POST", "users", None, user, new_uuid()) for user in users])
    assert {answer.status for answer in answers} <= {201, 503}
    for user, answer in zip(users, answers):
        credentials = {"email": user["email"], "password": user["password"]}
        if answer.status == 503:
            assert_shed(answer)
            problem(crowded.anonymous().request("POST", "auth/login", credentials), 401,
                    "invalid_credentials")
    wait_for(lambda: crowded.ops("/health/ready").status_code == 200, "readiness")
