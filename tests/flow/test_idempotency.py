"""One Idempotency-Key, one effect, whatever happens between."""
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from platform_client import money, new_uuid, problem, told, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("1000.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    user = platform.register("bob")
    user.top_up("100.00")
    return user


def replayed(response):
    return response.headers.get("idempotent-replayed") == "true"


def test_a_repeat_gets_the_first_answer(ada, bob):
    before = Decimal(ada.balance().available)
    key = new_uuid()
    first = ada.try_pay(bob, "3.00", key=key)
    second = ada.try_pay(bob, "3.00", key=key)
    assert first.status_code == second.status_code == 201, told(second, "expected the first answer")
    assert first.json() == second.json()
    assert not replayed(first) and replayed(second)
    assert Decimal(ada.balance().available) == before - 3


def test_a_repeat_of_a_failure_fails_the_same(ada, bob):
    key = new_uuid()
    first = problem(bob.try_pay(ada, "900.00", key=key), 402, "insufficient_funds")
    again = bob.try_pay(ada, "900.00", key=key)
    assert problem(again, 402, "insufficient_funds")["paymentId"] == first["paymentId"] and replayed(again)


def test_every_post_that_makes_something_remembers(ada, platform):
    key = new_uuid()
    body = {"currency": "USD", "name": "Once"}
    made = [ada.request("POST", "accounts", body, key=key) for _ in range(3)]
    assert [one.status_code for one in made] == [201] * 3 and len({one.text for one in made}) == 1
    assert len(ada.items("accounts", currency="USD")) == 1
    top_up = {"amount": money("1.00"), "paymentMethod": "card_ok"}
    path = f"accounts/{ada.wallet()}/top-ups"
    one, two = (ada.request("POST", path, top_up, key=key + "-top-up") for _ in range(2))
    assert one.status_code == two.status_code == 201 and one.json() == two.json() and replayed(two)


def test_registering_twice_with_one_key(platform):
    key = new_uuid()
    body = {"email": f"{key}@example.org", "password": "correct horse battery", "displayName": "Twice"}
    one, two = (platform.anonymous().request("POST", "users", body, key=key) for _ in range(2))
    assert one.status_code == two.status_code == 201 and one.json() == two.json()


@pytest.mark.parametrize("change", [{"amount": money("3.01")}, {"description": "other"}])
def test_another_body_with_the_same_key(ada, bob, change):
    key = new_uuid()
    ada.expect(201, "POST", "payments", ada.payment_body(bob, "3.00"), key=key)
    before = ada.balance()
    ada.refused(422, "idempotency_key_reused", "POST", "payments", ada.payment_body(bob, "3.00") | change,
                key=key)
    assert ada.balance() == before


def test_the_key_of_another_route(ada, bob):
    key = new_uuid()
    ada.expect(201, "POST", "payments", ada.payment_body(bob, "1.00"), key=key)
    ada.refused(422, "idempotency_key_reused", "POST", "accounts", {"currency": "EUR"}, key=key)


def test_the_same_key_of_another_user(ada, bob):
    key = new_uuid()
    one = ada.expect(201, "POST", "payments", ada.payment_body(bob, "2.00"), key=key)
    two = bob.expect(201, "POST", "payments", bob.payment_body(ada, "2.00"), key=key)
    assert one["id"] != two["id"]


def test_without_a_key_every_request_counts(ada, bob):
    one, two = (ada.try_pay(bob, "1.00", key="") for _ in range(2))
    assert one.json()["id"] != two.json()["id"]


def test_a_refused_request_may_be_corrected(ada, bob):
    key = new_uuid()
    body = ada.payment_body(bob, "1.00")
    ada.refused(400, "not_positive", "POST", "payments", body | {"amount": money("-1.00")}, key=key)
    ada.expect(201, "POST", "payments", body, key=key)


@pytest.mark.parametrize("key", ["with a blank", "x" * 256, "caf\u00e9", "tab\tbed"])
def test_malformed_keys(ada, bob, key):
    before = ada.balance()
    headers = {"Idempotency-Key": key.encode("utf-8")}
    ada.refused(400, "invalid_idempotency_key", "POST", "payments", ada.payment_body(bob, "1.00"), key="",
                headers=headers)
    assert ada.balance() == before


@pytest.mark.parametrize("key", ["x", "x" * 255, "!~{}[]\"'", "0190c5b2-7e0c-7000-8000-000000000001"])
def test_any_visible_text_is_a_key(platform, ada, bob, key):
    ada.expect(201, "POST", "payments", ada.payment_body(bob, "1.00"), key=key)


def test_forty_at_once(ada, bob):
    before = Decimal(ada.balance().available)
    key = new_uuid()
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: ada.try_pay(bob, "5.00", key=key), range(40)))
    paid = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "idempotency_in_progress")
    assert len({answer.json()["id"] for answer in paid}) == 1
    assert sum(not replayed(answer) for answer in paid) == 1
    assert Decimal(ada.balance().available) == before - 5
    assert replayed(ada.try_pay(bob, "5.00", key=key))


def test_forty_registrations_at_once(platform):
    """Each is hashed beforehand, but only one of them becomes a user."""
    body = {"email": f"{new_uuid()}@example.org", "password": "correct horse battery", "displayName": "Once"}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: platform.anonymous().request("POST", "users", body), range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


@pytest.mark.slow
def test_a_key_is_remembered_after_a_restart(fresh_platform):
    platform = fresh_platform()
    ada, bob = platform.register("ada"), platform.register("bob")
    ada.top_up("10.00")
    key = new_uuid()
    first = ada.try_pay(bob, "4.00", key=key)
    refused = bob.try_pay(ada, "400.00", key=key)
    platform.restart()
    second = ada.try_pay(bob, "4.00", key=key)
    assert second.status_code == 201 and second.json() == first.json() and replayed(second)
    again = bob.try_pay(ada, "400.00", key=key)
    assert replayed(again) and again.json()["paymentId"] == refused.json()["paymentId"]
    ada.refused(422, "idempotency_key_reused", "POST", "payments", ada.payment_body(bob, "4.01"), key=key)
    assert ada.balance() == ("6.00", "0.00")


def test_a_held_payment_is_remembered_as_it_was_answered(platform, support):
    payer, payee, key = platform.register("payer"), platform.register("payee"), new_uuid()
    payer.top_up("7000.00")
    first = payer.try_pay(payee, "6000.00", key=key)
    assert first.status_code == 202, told(first, "expected it to be held")
    support.post(f"fraud/cases/{first.json()['id']}/decide", {"decision": "APPROVE", "note": "fine"})
    path = f"payments/{first.json()['id']}"
    wait_for(lambda: payer.get(path)["status"] == "COMPLETED", "completion")
    again = payer.try_pay(payee, "6000.00", key=key)
    assert again.json()["id"] == first.json()["id"] and replayed(again)
    assert payer.balance() == ("1000.00", "0.00")


# ---- the value counts, not its bytes; a person, not a key ----

def send(user, text, key):
    """A payment by its JSON text as it is."""
    return user.request("POST", "payments", key=key, content=text.encode(),
                        headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("form", [
    '{"payeeAccountId":"%(payee)s","amount":{"value":"1.50","currency":"EUR"},"payerAccountId":"%(payer)s"}',
    ' {\n "payerAccountId" : "%(payer)s", "payeeAccountId" : "%(payee)s",\t'
    '"amount":{"currency":"EUR","value":"1.50"}} ',
    '{"payerAccountId":"%(payer)s","payeeAccountId":"%(payee)s",'
    '"amount":{"currency":"\\u0045UR","value":"1.5"}}',
    '{"payerAccountId":"%(payer)s","payeeAccountId":"%(PAYEE)s","amount":{"currency":"EUR","value":"1.50"}}',
    '{"payerAccountId":"%(payer)s","payeeAccountId":"%(payee)s","amount":{"currency":"EUR","value":"1.50"},'
    '"description":"","metadata":{}}',
], ids=["order", "blanks", "escapes", "capitals", "defaults"])
def test_the_value_of_a_request_counts(ada, bob, form):
    key, before = new_uuid(), Decimal(ada.balance().available)
    words = {"payer": ada.wallet(), "payee": bob.wallet(), "PAYEE": bob.wallet().upper()}
    first = send(ada, '{"payerAccountId":"%(payer)s","payeeAccountId":"%(payee)s",'
                      '"amount":{"currency":"EUR","value":"1.50"}}' % words, key)
    again = send(ada, form % words, key)
    assert again.status_code == 201 and again.json() == first.json(), told(again, "expected the first answer")
    assert replayed(again) and Decimal(ada.balance().available) == before - Decimal("1.50")


def test_metadata_in_another_order(ada, bob):
    key, body = new_uuid(), ada.payment_body(bob, "1.00")
    first = ada.request("POST", "payments", body | {"metadata": {"a": "1", "b": "2"}}, key=key)
    again = ada.request("POST", "payments", body | {"metadata": {"b": "2", "a": "1"}}, key=key)
    assert again.json() == first.json() and replayed(again)
    ada.refused(422, "idempotency_key_reused", "POST", "payments", body | {"metadata": {"a": "2", "b": "1"}},
                key=key)


def test_a_key_is_of_the_person(platform, bob):
    payer = platform.register("keys")
    payer.top_up("10.00")
    callers = [payer]
    for name in ("one", "two"):
        made = payer.post("api-keys", {"name": name, "scopes": ["payments:write"]}, expect=201)
        caller = platform.anonymous()
        caller.token = made["secret"]
        callers.append(caller)
    key, body = new_uuid(), payer.payment_body(bob, "1.00")
    answers = [caller.request("POST", "payments", body, key=key) for caller in callers]
    assert [answer.status_code for answer in answers] == [201] * 3, told(answers[-1], "expected a replay")
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert payer.balance().available == "9.00"


# ---- where nobody has signed in ----

def registration(email, password="correct horse battery", name="Twice"):
    return {"email": email, "password": password, "displayName": name}


def test_a_strangers_registration_with_the_same_key(platform):
    key, nobody = new_uuid(), platform.anonymous()
    one = nobody.request("POST", "users", registration(f"one-{key}@example.org"), key=key)
    two = nobody.request("POST", "users", registration(f"two-{key}@example.org"), key=key)
    assert one.status_code == two.status_code == 201, told(two, "another request, and its own answer")
    assert one.json()["id"] != two.json()["id"] and not replayed(two)


def test_a_known_key_says_nothing_of_the_password(platform):
    key, nobody = new_uuid(), platform.anonymous()
    email = f"{key}@example.org"
    nobody.request("POST", "users", registration(email), key=key)
    right = nobody.request("POST", "users", registration(email), key=key)
    wrong = nobody.request("POST", "users", registration(email, "battery staple correct"), key=key)
    assert (right.status_code, right.text) == (wrong.status_code, wrong.text)
    # Whoever knows no more than key and address is answered as he is without a key: with a claim of his own.
    other = nobody.request("POST", "users", registration(email, name="Eve"), key=key)
    assert other.status_code == 201 and not replayed(other) and other.json()["id"] != right.json()["id"]


def test_an_entity_tag_of_zeros_is_of_no_record(ada):
    ada.refused(412, "etag_mismatch", "PATCH", "users/me", {"displayName": "Ada"},
                headers={"If-Match": '"0000000000000000"'})
