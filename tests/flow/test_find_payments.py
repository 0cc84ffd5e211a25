"""Finding payments by what the payer wrote on them, whom money can reach, and a balance of the past."""
import pytest

from platform_client import all_pages, money, new_uuid, unique


@pytest.fixture(scope="module")
def ada(platform):
    ada = platform.register("ada")
    ada.top_up("500.00")
    return ada


@pytest.fixture(scope="module")
def bob(platform):
    return platform.register("bob")


def ids(payments):
    return [payment["id"] for payment in payments]


def test_by_an_entry_of_metadata(platform, ada, bob, support):
    order = unique("order")
    first = ada.pay(bob, "1.00", metadata={"order": order, "shop": "7"})["id"]
    ada.pay(bob, "1.00", metadata={"order": "another", "shop": "7"})
    second = ada.pay(bob, "1.00", metadata={"order": order})["id"]
    search = {"metadata.order": order}
    assert ids(ada.items("payments", **search)) == [second, first]
    assert ids(bob.items("payments", **search)) == [second, first], "for the payee, too"
    assert ids(ada.items("payments", **{"metadata.shop": order})) == []
    assert platform.register("eve").items("payments", **search) == []
    assert ids(all_pages(ada, "payments", pageSize=1, **search)) == [second, first]
    assert ids(ada.items("payments", accountId=ada.wallet(), **search)) == [second, first]
    assert ids(support.items("payments", accountId=ada.wallet(), **search)) == [second, first]
    support.refused(400, "required", "GET", f"payments?metadata.order={order}", field="accountId")
    ada.refused(400, "too_long", "GET", "payments?metadata.a=1&metadata.b=2", field="metadata.b")
    ada.refused(400, "duplicate_field", "GET", "payments?metadata.a=1&metadata.a=2", field="metadata.a")
    ada.refused(400, "invalid_filter", "GET", "payments?metadata.a=1&status=FAILED", field="status")
    ada.refused(400, "too_short", "GET", "payments?metadata.=1")
    ada.refused(400, "unknown_parameter", "GET", "payments?status.a=1")


def test_a_reference_is_the_payers_own_and_used_once(platform, ada, bob, support):
    reference = unique("order")
    first = ada.pay(bob, "1.00", reference=reference)
    assert first["reference"] == reference
    body = ada.payment_body(bob, "1.00", reference=reference)
    document = ada.refused(409, "reference_taken", "POST", "payments", body, field="reference")
    assert document["paymentId"] == first["id"]
    assert ids(ada.items("payments", reference=reference)) == [first["id"]]
    assert bob.items("payments", reference=reference) == [], "it is the payer's"
    bob.top_up("5.00")
    other = bob.pay(ada, "1.00", reference=reference)["id"]
    assert ids(bob.items("payments", reference=reference)) == [other]
    assert sorted(ids(support.items("payments", reference=reference))) == sorted([first["id"], other])
    ada.refused(400, "invalid_format", "POST", "payments", body | {"reference": "a b"}, field="reference")


def test_at_once_a_reference_is_used_once(ada, bob):
    from concurrent.futures import ThreadPoolExecutor
    body = ada.payment_body(bob, "1.00", reference=unique("order"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ada.request("POST", "payments", body), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


# ---- whom money can reach ----

def told(answer):
    document = answer.json()
    for unlike in ("paymentId", "correlationId"):
        document.pop(unlike)
    return answer.status_code, document


def seen(payer, answer):
    """All that the payer can read of an attempt, without what is of the attempt itself."""
    payment = payer.get(f"payments/{answer.json()['paymentId']}")
    events = payer.items(f"payments/{payment['id']}/events")
    for unlike in ("id", "createdAt", "updatedAt", "expiresAt"):
        payment.pop(unlike)
    return payment, [event["type"] for event in events], "payee" in str(events)


def test_without_money_nobody_finds_out_who_is_there(platform, bob, admin):
    eve = platform.register("eve")
    frozen = platform.register("frozen").wallet()
    admin.post(f"accounts/{frozen}/freeze", {"reason": "for a test"}, expect=200)
    answers = [eve.try_pay(payee, "1.00") for payee in
               (bob, bob.email, new_uuid(), f"{unique('nobody')}@example.org", frozen)]
    assert told(answers[0])[0] == 402 and answers[0].json()["code"] == "insufficient_funds"
    for answer in answers:
        assert told(answer) == told(answers[0])
        assert seen(eve, answer) == seen(eve, answers[0])
        assert bob.id not in answer.text and bob.wallet() not in str(seen(eve, answer))
    attempts = set(ids(eve.items("payments")))
    assert not attempts & set(ids(bob.items("payments"))), "and nobody hears of what never was"


def test_with_money_the_mistake_is_told(ada, bob):
    before = ids(ada.items("payments"))
    ada.refused(404, "payee_not_found", "POST", "payments", ada.payment_body(new_uuid(), "1.00"), field="payeeAccountId")
    ada.refused(400, "currency_mismatch", "POST", "payments", ada.payment_body(bob.wallet("JPY"), "1.00"),
                field="payeeAccountId")
    reference = unique("order")
    body = ada.payment_body(f"{unique('nobody')}@example.org", "1.00", reference=reference)
    key = new_uuid()
    for _ in range(2):
        ada.refused(404, "payee_not_found", "POST", "payments", body, field="payeeEmail", key=key)
    assert ids(ada.items("payments")) == before, "no list shows a mistake"
    ada.pay(bob, "1.00", reference=reference)


def test_trying_whom_one_can_reach_has_a_rate_of_its_own(fresh_platform):
    platform = fresh_platform("gateway.rate_limits=on", "gateway.rate.lookup=1/m burst 3",
                              "gateway.rate.auth=1000/s", "gateway.rate.read=1000/s burst 1000")
    eve, bob = platform.register("eve"), platform.register("bob")
    statuses = [eve.try_pay(new_uuid(), "1.00").status_code for _ in range(5)]
    assert statuses == [402, 402, 402, 429, 429]
    assert eve.top_up("5.00"), "other payments' requests go on"
    bob.top_up("5.00")
    assert [bob.try_pay(eve, "0.10").status_code for _ in range(5)] == [201] * 5, "what goes through is not counted"


# ---- a balance of the past ----

def test_a_balance_as_of_a_time(platform, bob, support):
    ada = platform.register("ada")
    wallet = ada.wallet()
    created = ada.get(f"accounts/{wallet}")["createdAt"]
    ada.top_up("10.00")
    paid = ada.pay(bob, "3.00")
    settled = paid["updatedAt"]  # the balance changed by then
    ada.pay(bob, "2.00")
    path = f"accounts/{wallet}/balance"
    assert ada.get(path)["posted"] == money("5.00")
    assert ada.get(path, asOf=created)["posted"] == money("0.00")
    assert ada.get(path, asOf="1970-01-01T00:00:00Z")["posted"] == money("0.00")
    then = ada.get(path, asOf=settled)
    assert then["posted"] == money("7.00") and then["asOf"] == settled and "available" not in then
    assert ada.get(path, asOf=paid["createdAt"])["posted"] == money("10.00") or settled == paid["createdAt"]
    assert ada.get(path, asOf="2999-01-01T00:00:00Z")["posted"] == money("5.00")
    assert support.get(path, asOf=settled)["posted"] == money("7.00")
    bob.refused(404, "not_found", "GET", f"{path}?asOf={settled}")
    ada.refused(400, "invalid_format", "GET", f"{path}?asOf=yesterday", field="asOf")
