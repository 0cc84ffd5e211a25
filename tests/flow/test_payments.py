"""Payments: one that completes, each reason to fail with what it leaves behind, history, refunds."""
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from platform_client import all_pages, money, new_uuid, problem, told, wait_for

WHOLE_STORY = ["payment.initiated", "account.balance.reserved", "fraud.risk.assessed", "payment.processing",
               "transaction.created", "transaction.settled", "account.balance.updated", "payment.completed"]


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("5000.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    user = platform.register("bob")
    user.top_up("100.00")
    return user


def less(held, value):
    return str(Decimal(held.available) - Decimal(value)), held.reserved


def more(held, value):
    return less(held, "-" + value)


def assert_compensated(user, before, payment_id, code):
    """The payment failed for this reason and left nothing behind."""
    payment = user.get(f"payments/{payment_id}")
    assert (payment["status"], payment["failureReason"]) == ("FAILED", code)
    assert user.balance(payment["payerAccountId"]) == before
    assert payment_id not in [held["id"] for held in user.reservations(payment["payerAccountId"])]


def test_a_payment_from_beginning_to_end(ada, bob):
    payer, payee = ada.balance(), bob.balance()
    payment = ada.pay(bob, "12.34", description="Lunch", metadata={"order": "42", "table": "7"})
    assert payment["amount"] == money("12.34") and payment["description"] == "Lunch"
    assert payment["metadata"] == {"order": "42", "table": "7"}
    assert (payment["payerUserId"], payment["payeeUserId"]) == (ada.id, bob.id)
    assert (payment["payerAccountId"], payment["payeeAccountId"]) == (ada.wallet(), bob.wallet())
    assert ada.balance() == less(payer, "12.34") and bob.balance() == more(payee, "12.34")
    order = ada.platform.order
    assert order(ada.event_types(payment["id"], 8)) == order(WHOLE_STORY)
    events = bob.items(f"payments/{payment['id']}/events")
    positions = [event["position"] for event in events]
    assert positions == sorted(set(positions))
    assert len({event["correlationId"] for event in events}) == 1 and events[0]["actor"] == ada.id
    assert ada.get(f"payments/{payment['id']}") == payment == bob.get(f"payments/{payment['id']}")


def test_balances_are_the_business_of_their_owner(ada, bob, support):
    """The steps of a payment are seen by both sides, the figures of balances and scores by staff only."""
    payment = ada.pay(bob, "1.00")
    ada.event_types(payment["id"], 8)
    for user, sees in ((ada, False), (bob, False), (support, True)):
        for event in user.items(f"payments/{payment['id']}/events"):
            private = event["type"].startswith(("account.", "fraud."))
            assert bool(event["summary"]) == (sees or not private), event


def test_the_entry_of_a_payment(ada, bob):
    payment = ada.pay(bob, "1.11")
    entry = bob.get(f"transactions/{payment['transactionId']}")
    assert (entry["kind"], entry["status"], entry["paymentId"]) == ("payment", "SETTLED", payment["id"])
    legs = {posting["accountId"]: posting["amount"] for posting in entry["postings"]}
    assert legs == {ada.wallet(): money("-1.11"), bob.wallet(): money("1.11")}


def test_paying_by_e_mail(ada, bob):
    before = bob.balance()
    payment = ada.pay(bob.email.upper(), "2.00")
    assert payment["payeeAccountId"] == bob.wallet() and bob.balance() == more(before, "2.00")


def test_between_own_wallets(ada):
    pocket = ada.new_wallet()
    ada.pay(pocket, "3.00")
    assert ada.balance(pocket) == ("3.00", "0.00")


def test_insufficient_funds(ada, bob):
    before = bob.balance()
    document = bob.refused(402, "insufficient_funds", "POST", "payments", bob.payment_body(ada, "9000.00"))
    assert_compensated(bob, before, document["paymentId"], "insufficient_funds")
    types = bob.event_types(document["paymentId"], 3)
    assert types == ["payment.initiated", "account.balance.reservation_failed", "payment.failed"]


def test_the_last_cent_can_be_spent(platform, bob):
    poor = platform.register("poor")
    poor.top_up("0.02")
    poor.pay(bob, "0.01")
    problem(poor.try_pay(bob, "0.02"), 402, "insufficient_funds")
    poor.pay(bob, "0.01")
    assert poor.balance() == ("0.00", "0.00")


def test_declined_by_fraud(platform, admin, bob):
    rich = platform.register("rich")
    rich.top_up("60000.00")
    admin.put(f"accounts/{rich.wallet()}/limits", {"limits": {}})
    before = rich.balance()
    document = rich.refused(402, "declined", "POST", "payments", rich.payment_body(bob, "50000.00"))
    assert_compensated(rich, before, document["paymentId"], "declined")
    types = rich.event_types(document["paymentId"], 5)
    order = platform.order
    assert order(types[:3]) == order(["payment.initiated", "account.balance.reserved", "fraud.risk.assessed"])
    assert sorted(types[3:]) == ["account.balance.released", "payment.failed"]


def test_account_frozen(platform, support, bob):
    user = platform.register("frozen")
    user.top_up("10.00")
    support.post(f"accounts/{user.wallet()}/freeze", {"reason": "for a test"})
    before = user.balance()
    document = user.refused(402, "account_frozen", "POST", "payments", user.payment_body(bob, "1.00"))
    assert_compensated(user, before, document["paymentId"], "account_frozen")
    assert user.event_types(document["paymentId"], 2) == ["payment.initiated", "payment.failed"]


@pytest.mark.parametrize("limits, fits, too_much", [
    ({"perPayment": money("10.00")}, ["10.00", "10.00"], "10.01"),
    ({"perDay": money("15.00")}, ["10.00"], "5.01"),
    ({"perMonth": money("15.00")}, ["10.00"], "5.01"),
])
def test_limit_exceeded(platform, admin, bob, limits, fits, too_much):
    ada = platform.register("limited")
    wallet = ada.new_wallet()
    ada.top_up("100.00", wallet)
    admin.put(f"accounts/{wallet}/limits", {"limits": limits})
    body = {"payerAccountId": wallet, "payeeAccountId": bob.wallet()}
    for value in fits:
        ada.post("payments", body | {"amount": money(value)}, expect=201)
    before = ada.balance(wallet)
    document = ada.refused(402, "limit_exceeded", "POST", "payments", body | {"amount": money(too_much)})
    assert_compensated(ada, before, document["paymentId"], "limit_exceeded")
    ada.post("payments", body | {"amount": money("5.00")}, expect=201)


def test_a_failed_payment_does_not_count_against_the_limits(platform, admin, bob):
    ada = platform.register("limited")
    wallet = ada.new_wallet()
    ada.top_up("10.00", wallet)
    admin.put(f"accounts/{wallet}/limits", {"limits": {"perDay": money("20.00")}})
    body = {"payerAccountId": wallet, "payeeAccountId": bob.wallet()}
    ada.refused(402, "insufficient_funds", "POST", "payments", body | {"amount": money("20.00")})
    ada.post("payments", body | {"amount": money("10.00")}, expect=201)


@pytest.mark.parametrize("change, status, code, field", [
    ({"payeeAccountId": None}, 400, "payee_required", "payeeAccountId"),
    ({"payeeEmail": "bob@example.org"}, 400, "payee_ambiguous", "payeeEmail"),
    ({"payeeAccountId": "{new}"}, 404, "payee_not_found", "payeeAccountId"),
    ({"payeeAccountId": None, "payeeEmail": "nobody@nowhere.example"}, 404, "payee_not_found", "payeeEmail"),
    ({"payeeAccountId": "{own}"}, 400, "same_account", "payeeAccountId"),
    ({"payeeAccountId": "{yen}"}, 400, "currency_mismatch", "payeeAccountId"),
    ({"amount": money("1", "JPY")}, 400, "currency_mismatch", "amount.currency"),
    ({"amount": money("0.00")}, 400, "not_positive", "amount.value"),
    ({"amount": money("-1.00")}, 400, "not_positive", "amount.value"),
    ({"payerAccountId": "{new}"}, 404, "not_found", None),
    ({"payerAccountId": "{bobs}"}, 404, "not_found", None),
])
def test_payments_that_do_not_begin(ada, bob, change, status, code, field):
    names = {"{new}": new_uuid(), "{own}": ada.wallet(), "{yen}": bob.wallet("JPY"), "{bobs}": bob.wallet()}
    body = ada.payment_body(bob, "1.00")
    body |= {name: names.get(value, value) if isinstance(value, str) else value
             for name, value in change.items()}
    body = {name: value for name, value in body.items() if value is not None}
    before = ada.items("payments", pageSize=1)
    ada.refused(status, code, "POST", "payments", body, field=field)
    assert ada.items("payments", pageSize=1) == before


def test_respond_async(ada, bob):
    response = ada.try_pay(bob, "1.00", headers={"Prefer": "respond-async"})
    assert response.status_code in (201, 202), told(response, "expected it to be accepted")
    payment_id = response.json()["id"]
    wait_for(lambda: ada.get(f"payments/{payment_id}")["status"] == "COMPLETED", "completion")
    order = ada.platform.order
    assert order(ada.event_types(payment_id, 8)) == order(WHOLE_STORY)


def test_final_payments_cannot_be_cancelled(ada, bob):
    payment = ada.pay(bob, "1.00")
    ada.refused(409, "payment_not_cancellable", "POST", f"payments/{payment['id']}/cancel", {})
    bob.refused(403, "forbidden", "POST", f"payments/{payment['id']}/cancel", {})


def test_anothers_payment_does_not_exist(ada, bob, platform):
    payment = ada.pay(bob, "1.00")
    stranger = platform.register("stranger")
    for path in ("", "/events", "/refunds"):
        stranger.refused(404, "not_found", "GET", f"payments/{payment['id']}{path}")
    for path in ("/cancel", "/refunds"):
        stranger.refused(404, "not_found", "POST", f"payments/{payment['id']}{path}", {})
    stranger.refused(404, "not_found", "GET", f"transactions/{payment['transactionId']}")
    stranger.refused(404, "not_found", "GET", f"payments?accountId={ada.wallet()}")
    assert stranger.items("payments") == []


# ---- many at once ----

def test_a_wallet_is_never_overdrawn(platform, bob):
    """Twenty payments of 10.00 at once from 100.00: ten of them, and not a cent more."""
    user = platform.register("rush")
    user.top_up("100.00")
    user.wallet()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: user.try_pay(bob, "10.00"), range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [402] * 10
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 402]
    assert set(refused) == {"insufficient_funds"}
    assert user.balance() == ("0.00", "0.00") and user.reservations() == []


def test_payments_in_a_circle(platform):
    """Three pay each other at once: whatever the order, the money stays among them."""
    people = [platform.register(name) for name in ("one", "two", "three")]
    for user in people:
        user.top_up("10.00")
    pairs = [(one, other) for one in people for other in people if one is not other] * 8
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda pair: pair[0].try_pay(pair[1], "4.00"), pairs))
    assert {answer.status_code for answer in answers} <= {201, 402}
    assert sum(Decimal(user.balance().available) for user in people) == 30
    assert all(user.balance().reserved == "0.00" for user in people)


def test_refunds_at_once_never_exceed_the_payment(ada, bob):
    payment = ada.pay(bob, "10.00")
    path, body = f"payments/{payment['id']}/refunds", {"amount": money("3.00")}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: bob.request("POST", path, body), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    assert ada.get(f"payments/{payment['id']}")["refundedAmount"] == money("9.00")


def test_limits_hold_for_payments_at_once(platform, admin, bob):
    ada = platform.register("limited")
    wallets = [ada.wallet(), ada.new_wallet()]
    for wallet in wallets:
        ada.top_up("100.00", wallet)
    admin.put(f"accounts/{wallets[0]}/limits", {"limits": {"perDay": money("50.00")}})
    body = {"payeeAccountId": bob.wallet(), "amount": money("10.00")}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(
            lambda at: ada.request("POST", "payments", body | {"payerAccountId": wallets[at % 2]}), range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [402] * 5


def test_limits_are_of_a_person(platform, admin, bob):
    """Limited to 5.00 a day, somebody opened another wallet and paid from that."""
    ada = platform.register("limited")
    ada.top_up("50.00")
    admin.put(f"accounts/{ada.wallet()}/limits", {"limits": {"perDay": money("5.00")}})
    ada.pay(bob, "4.00")
    second = ada.new_wallet()
    ada.top_up("50.00", second)
    body = {"payerAccountId": second, "payeeAccountId": bob.wallet()}
    ada.refused(402, "limit_exceeded", "POST", "payments", body | {"amount": money("1.01")})
    ada.refused(402, "limit_exceeded", "POST", "payments", body | {"amount": money("1.01"),
                                                                    "payeeAccountId": ada.wallet()})
    ada.top_up("50.00", currency="USD")
    problem(ada.try_pay(bob, "2.00", "USD"), 402, "limit_exceeded")
    ada.post("payments", body | {"amount": money("1.00")}, expect=201)
    limits = admin.put(f"users/{ada.id}/limits", {"limits": [{"perPayment": money("0.50")}]})["limits"]
    assert limits == [{"perPayment": money("0.50")}] == ada.get(f"users/{ada.id}/restrictions")["limits"]
    admin.put(f"accounts/{ada.wallet()}/limits", {"limits": {}})
    ada.refused(402, "limit_exceeded", "POST", "payments", body | {"amount": money("0.51")})
    ada.post("payments", body | {"amount": money("0.50")}, expect=201)
    admin.put(f"users/{ada.id}/limits", {"limits": []})
    ada.post("payments", body | {"amount": money("0.51")}, expect=201)
    bob.refused(404, "not_found", "GET", f"users/{ada.id}/restrictions")
    bob.refused(403, "forbidden", "PUT", f"users/{ada.id}/limits", {"limits": []})


def test_what_was_refused_is_none_of_the_payees_business(platform):
    """Forty payments of an empty wallet, with 50 KB each, stood in the payee's list and on the disk."""
    payer, payee = platform.register("payer"), platform.register("payee")
    large = {f"key{number}": "x" * 150 for number in range(40)}
    for _ in range(3):
        document = problem(payer.try_pay(payee, "9.00", metadata=large, description="hello"), 402,
                           "insufficient_funds")
    assert payee.items("payments") == []
    assert payee.items("payments", accountId=payee.wallet()) == []
    payee.refused(404, "not_found", "GET", f"payments/{document['paymentId']}")
    payee.refused(404, "not_found", "GET", f"payments/{document['paymentId']}/events")
    payee.refused(404, "not_found", "GET", f"payments/{document['paymentId']}/refunds")
    kept = payer.get(f"payments/{document['paymentId']}")
    assert kept["failureReason"] == "insufficient_funds" and "metadata" not in kept


# ---- history ----

@pytest.fixture(scope="module")
def history(platform, bob):
    """Somebody with twelve payments out, one in and one failed, and the times between."""
    user = platform.register("history")
    user.top_up("100.00")
    paid = [user.pay(bob, f"1.{number:02}") for number in range(12)]
    got = bob.pay(user, "5.00")
    failed = user.try_pay(bob, "900.00").json()["paymentId"]
    return user, [payment["id"] for payment in paid] + [got["id"], failed], paid


def ids(payments):
    return [payment["id"] for payment in payments]


def test_history_newest_first_and_the_other_way(history):
    user, made, _ = history
    assert ids(user.items("payments")) == made[::-1]
    assert ids(user.items("payments", orderBy="createdAt desc")) == made[::-1]
    assert ids(user.items("payments", orderBy="createdAt asc")) == made
    user.refused(400, "invalid_order", "GET", "payments?orderBy=amount", field="orderBy")


@pytest.mark.parametrize("order", ["createdAt desc", "createdAt asc"])
@pytest.mark.parametrize("size", [1, 5, 14, 15])
def test_history_page_by_page(history, order, size):
    user, made, _ = history
    pages = all_pages(user, "payments", pageSize=size, orderBy=order)
    assert ids(pages) == (made if order.endswith("asc") else made[::-1])


def test_history_by_offset(history):
    user, made, _ = history
    assert ids(user.items("payments", offset=3, pageSize=4)) == made[::-1][3:7]
    assert user.items("payments", offset=14) == []


def test_history_filters(history, bob, support):
    user, made, paid = history
    assert ids(user.items("payments", status="FAILED")) == made[-1:]
    assert len(user.items("payments", status="COMPLETED")) == 13
    user.refused(400, "invalid_filter", "GET", "payments?status=LOST", field="status")
    assert ids(user.items("payments", accountId=user.wallet())) == made[::-1]
    since, until = paid[3]["createdAt"], paid[7]["createdAt"]
    between = user.items("payments", **{"from": since, "to": until})
    assert ids(between) == made[3:7][::-1], "from is included, to is not"
    assert ids(support.items("payments", accountId=user.wallet())) == made[::-1]
    seen = set(ids(bob.items("payments", pageSize=500)))
    assert set(made[:-1]) <= seen and made[-1] not in seen, "what failed never was the payee's"


@pytest.mark.parametrize("query, code, field", [
    ("pageToken=nonsense", "invalid_page_token", "pageToken"),
    ("pageSize=501", "out_of_range", "pageSize"),
    ("pageSize=-1", "out_of_range", "pageSize"),
    ("pageSize=ten", "invalid_type", "pageSize"),
    ("from=yesterday", "invalid_format", "from"),
    ("accountId=17", "invalid_format", "accountId"),
    ("acountId=17", "unknown_parameter", "acountId"),
])
def test_questions_that_make_no_sense(ada, query, code, field):
    ada.refused(400, code, "GET", f"payments?{query}", field=field)


# ---- refunds ----

def refund(user, payment, value=None, **options):
    body = {"reason": "returned"} | ({"amount": money(value)} if value else {})
    return user.post(f"payments/{payment['id']}/refunds", body, **options)


def test_refunds_in_parts(ada, bob):
    payer, payee = ada.balance(), bob.balance()
    payment = ada.pay(bob, "10.00")
    path = f"payments/{payment['id']}"
    first = refund(bob, payment, "4.00", expect=201)
    assert (first["status"], first["amount"], first["reason"]) == ("COMPLETED", money("4.00"), "returned")
    assert ada.get(path)["status"] == "PARTIALLY_REFUNDED" and ada.get(path)["refundedAmount"] == money("4.00")
    bob.refused(409, "refund_exceeds_payment", "POST", path + "/refunds", {"amount": money("6.01")})
    rest = refund(bob, payment, expect=201)
    assert rest["amount"] == money("6.00") and ada.get(path)["status"] == "REFUNDED"
    bob.refused(409, "refund_exceeds_payment", "POST", path + "/refunds", {})
    assert (ada.balance(), bob.balance()) == (payer, payee)
    assert {one["id"] for one in ada.items(path + "/refunds")} == {first["id"], rest["id"]}
    types = ada.event_types(payment["id"], 22)
    assert types[:8] == WHOLE_STORY
    once = ["payment.refund_requested", "account.balance.reserved", "payment.refund_processing",
            "transaction.created",
            "transaction.settled", "account.balance.updated", "payment.refunded"]
    assert types[8:] == once * 2


def test_who_may_refund(ada, bob, support, auditor):
    payment = ada.pay(bob, "2.00")
    path = f"payments/{payment['id']}/refunds"
    ada.refused(403, "forbidden", "POST", path, {})
    auditor.refused(403, "forbidden", "POST", path, {})
    bob.refused(400, "currency_mismatch", "POST", path, {"amount": money("1.00", "USD")},
                field="amount.currency")
    assert refund(support, payment, expect=201)["status"] == "COMPLETED"


def test_a_refund_without_the_money(platform, ada):
    spender = platform.register("spender")
    payment = ada.pay(spender, "8.00")
    spender.pay(ada, "5.00")
    before = spender.balance()
    document = spender.refused(402, "insufficient_funds", "POST", f"payments/{payment['id']}/refunds", {})
    assert spender.balance() == before and document["detail"]
    assert [one["status"] for one in spender.items(f"payments/{payment['id']}/refunds")] == ["FAILED"]
    assert document["refundId"] == spender.items(f"payments/{payment['id']}/refunds")[0]["id"]
    part = refund(spender, payment, "3.00", expect=201)
    assert part["status"] == "COMPLETED", "what is there can be given back"


def test_failed_payments_have_nothing_to_refund(ada, bob, support):
    failed = bob.refused(402, "insufficient_funds", "POST", "payments",
                         bob.payment_body(ada, "9000.00"))["paymentId"]
    support.refused(409, "payment_not_refundable", "POST", f"payments/{failed}/refunds", {})
    ada.refused(404, "not_found", "POST", f"payments/{failed}/refunds", {})
