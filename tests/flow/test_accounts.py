"""Wallets: opening, listing, limits, freezing, closing."""
import pytest

from platform_client import money, new_uuid, problem, told


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    return platform.register("bob")


def test_opening_wallets(bob):
    savings = bob.post("accounts", {"currency": "JPY", "name": "Savings"}, expect=201)
    assert (savings["currency"], savings["name"], savings["status"]) == ("JPY", "Savings", "ACTIVE")
    assert savings["userId"] == bob.id
    assert bob.get(f"accounts/{savings['id']}") == savings
    assert bob.balance(savings["id"]) == ("0", "0"), "the yen has no decimals"
    assert bob.items("accounts", currency="JPY") == [savings]
    assert {account["currency"] for account in bob.items("accounts")} >= {"EUR", "JPY"}


@pytest.mark.parametrize("currency, smallest", [("EUR", "0.01"), ("JPY", "1"), ("KWD", "0.001")])
def test_amounts_are_exact_in_every_currency(bob, currency, smallest):
    wallet = bob.new_wallet(currency)
    for _ in range(3):
        bob.top_up(smallest, wallet, currency)
    three = smallest[:-1] + "3"
    assert bob.balance(wallet) == (three, three.replace("3", "0"))


@pytest.mark.parametrize("body, code, field", [
    ({}, "required", "currency"),
    ({"currency": "XXQ"}, "unknown_currency", "currency"),
    ({"currency": "eur"}, "unknown_currency", "currency"),
    ({"currency": "EUR", "name": "x" * 101}, "too_long", "name"),
    ({"currency": "EUR", "status": "FROZEN"}, "unknown_field", "status"),
])
def test_wallets_that_are_not_opened(bob, body, code, field):
    before = len(bob.items("accounts"))
    bob.refused(400, code, "POST", "accounts", body, field=field)
    assert len(bob.items("accounts")) == before


def test_anothers_wallet_does_not_exist(ada, bob):
    wallet = ada.wallet()
    for path in ("", "/balance", "/reservations", "/top-ups"):
        bob.refused(404, "not_found", "GET", f"accounts/{wallet}{path}")
    bob.refused(404, "not_found", "POST", f"accounts/{wallet}/close", {"reason": "mine now"})
    bob.refused(404, "not_found", "GET", f"accounts?userId={ada.id}")
    bob.refused(404, "not_found", "GET", f"accounts/{new_uuid()}")
    assert ada.get(f"accounts/{wallet}")["status"] == "ACTIVE"


def test_staff_sees_wallets(ada, support, auditor):
    for staff in (support, auditor):
        assert staff.get(f"accounts/{ada.wallet()}") == ada.get(f"accounts/{ada.wallet()}")
        assert [account["id"] for account in staff.items("accounts", userId=ada.id)] == [ada.wallet()]
        assert staff.balance(ada.wallet()) == ada.balance()


def test_a_frozen_wallet_neither_pays_nor_takes(ada, bob, support):
    wallet = ada.new_wallet()
    ada.top_up("10.00", wallet)
    frozen = support.post(f"accounts/{wallet}/freeze", {"reason": "looks odd"})
    assert (frozen["status"], frozen["statusReason"]) == ("FROZEN", "looks odd")
    support.refused(409, "account_frozen", "POST", f"accounts/{wallet}/freeze", {"reason": "again"})
    body = {"payerAccountId": wallet, "payeeAccountId": bob.wallet(), "amount": money("1.00")}
    ada.refused(402, "account_frozen", "POST", "payments", body)
    bob.top_up("1.00")  # without money he is told nothing of the payee
    problem(bob.request("POST", "payments", bob.payment_body(wallet, "1.00")), 402, "account_frozen")
    ada.refused(409, "account_frozen", "POST", f"accounts/{wallet}/top-ups",
                {"amount": money("1.00"), "paymentMethod": "card_ok"})
    assert ada.balance(wallet) == ("10.00", "0.00")
    assert support.post(f"accounts/{wallet}/unfreeze", {"reason": "all is well"})["status"] == "ACTIVE"
    support.refused(409, "account_not_frozen", "POST", f"accounts/{wallet}/unfreeze", {"reason": "again"})
    ada.post("payments", body, expect=201)


def test_freezing_wants_a_reason_and_staff(ada, support):
    support.refused(400, "required", "POST", f"accounts/{ada.wallet()}/freeze", {}, field="reason")
    support.refused(400, "too_short", "POST", f"accounts/{ada.wallet()}/freeze", {"reason": "no"},
                    field="reason")
    ada.refused(403, "forbidden", "POST", f"accounts/{ada.wallet()}/freeze", {"reason": "please do"})


def test_closing_an_empty_wallet(ada, bob):
    wallet = bob.new_wallet()
    closed = bob.post(f"accounts/{wallet}/close", {"reason": "not needed"}, expect=200)
    assert closed["status"] == "CLOSED"
    bob.refused(409, "account_closed", "POST", f"accounts/{wallet}/close", {})
    problem(ada.try_pay(wallet, "1.00"), 402, "account_closed")
    bob.refused(409, "account_closed", "POST", f"accounts/{wallet}/top-ups",
                {"amount": money("1.00"), "paymentMethod": "card_ok"})


def test_a_wallet_with_money_stays_open(ada, bob):
    wallet = ada.new_wallet()
    ada.top_up("5.00", wallet)
    ada.refused(409, "balance_not_zero", "POST", f"accounts/{wallet}/close", {})
    assert ada.get(f"accounts/{wallet}")["status"] == "ACTIVE"
    body = {"payerAccountId": wallet, "payeeAccountId": bob.wallet(), "amount": money("5.00")}
    ada.post("payments", body, expect=201)
    assert ada.post(f"accounts/{wallet}/close", {}, expect=200)["status"] == "CLOSED"


def test_a_wallet_with_money_on_its_way_stays_open(ada, bob, admin):
    wallet = bob.new_wallet()
    ada.top_up("1.00")
    pending = {"id": new_uuid(), "action": "RESERVE", "amount": money("1.00"),
               "debitAccountId": ada.wallet(), "creditAccountId": wallet}
    admin.post("ledger/transfers", {"transfers": [pending]}, expect=201)
    assert bob.refused(409, "incoming_pending", "POST", f"accounts/{wallet}/close", {})["detail"]
    admin.post("ledger/transfers", {"transfers": [
        {"id": new_uuid(), "action": "VOID_PENDING", "pendingId": pending["id"]}]}, expect=201)
    assert bob.post(f"accounts/{wallet}/close", {}, expect=200)["status"] == "CLOSED"


def test_limits_are_set_by_administrators(ada, admin, support):
    wallet = ada.new_wallet()
    limits = {"perPayment": money("10.00"), "perDay": money("20.00"), "perMonth": money("30.00")}
    assert admin.put(f"accounts/{wallet}/limits", {"limits": limits})["limits"] == limits
    assert ada.get(f"accounts/{wallet}")["limits"] == limits
    support.refused(403, "forbidden", "PUT", f"accounts/{wallet}/limits", {"limits": limits})
    admin.refused(400, "limits_contradict", "PUT", f"accounts/{wallet}/limits",
                  {"limits": limits | {"perDay": money("9.99")}}, field="limits.perDay")
    admin.refused(400, "not_positive", "PUT", f"accounts/{wallet}/limits",
                  {"limits": limits | {"perDay": money("-0.01")}}, field="limits.perDay.value")
    admin.refused(400, "currency_mismatch", "PUT", f"accounts/{wallet}/limits",
                  {"limits": limits | {"perDay": money("20.00", "USD")}}, field="limits.perDay.currency")
    admin.refused(400, "read_only_field", "PUT", f"accounts/{wallet}/limits", {"limits": {"perDayMinor": 2000}})
    admin.refused(404, "not_found", "PUT", f"accounts/{new_uuid()}/limits", {"limits": limits})
    admin.put(f"accounts/{wallet}/limits", {"limits": {}})


def test_a_freeze_is_of_the_person(platform, bob, support):
    """Frozen for fraud, somebody opened another wallet and paid from that."""
    user = platform.register("frozen")
    user.top_up("10.00")
    second = user.new_wallet("USD")
    user.top_up("10.00", second, "USD")
    support.post(f"accounts/{user.wallet()}/freeze", {"reason": "fraud"})
    assert user.get(f"accounts/{second}")["status"] == "FROZEN"
    body = {"payerAccountId": second, "payeeAccountId": bob.wallet("USD"), "amount": money("1.00", "USD")}
    user.refused(402, "account_frozen", "POST", "payments", body)
    user.refused(409, "user_frozen", "POST", "accounts", {"currency": "EUR"})
    assert user.get(f"users/{user.id}/restrictions")["frozen"] is True
    support.refused(409, "user_frozen", "POST", f"accounts/{second}/unfreeze",
                    {"reason": "this one", "scope": "WALLET"})
    support.post(f"users/{user.id}/unfreeze", {"reason": "all is well"})
    user.post("payments", body, expect=201)
    support.post(f"accounts/{second}/freeze", {"reason": "lost card", "scope": "WALLET"})
    user.pay(bob, "1.00")
    support.post(f"users/{user.id}/freeze", {"reason": "fraud after all"})
    support.refused(409, "user_frozen", "POST", f"users/{user.id}/freeze", {"reason": "again"})
    problem(user.try_pay(bob, "1.00"), 402, "account_frozen")


def test_limits_are_about_the_same_in_every_currency(bob):
    limits = {currency: bob.get(f"accounts/{bob.new_wallet(currency)}")["limits"]["perPayment"]["value"]
              for currency in ("IDR", "JPY", "KWD")}
    assert limits == {"IDR": "192000000.00", "JPY": "1780000", "KWD": "3550.000"}


def test_withdrawn_currencies(bob):
    for currency in ("XCG", "ZWG"):
        bob.new_wallet(currency)
    refused = bob.refused(400, "currency_withdrawn", "POST", "accounts", {"currency": "BGN"}, field="currency")
    assert "EUR" in refused["detail"]
    assert bob.items("accounts", currency="BGN") == [], "may be asked for"


def test_lists_are_ordered_and_paged(platform):
    user = platform.register("many")
    made = [user.wallet()] + [user.new_wallet("USD") for _ in range(4)]
    ascending = user.get("accounts", orderBy="createdAt asc", pageSize=3)
    rest = user.get("accounts", orderBy="createdAt asc", pageSize=3, pageToken=ascending["nextPageToken"])
    assert [account["id"] for account in ascending["accounts"] + rest["accounts"]] == made
    assert not rest["nextPageToken"]
    skipped = user.get("accounts", orderBy="createdAt asc", offset=2)
    assert [account["id"] for account in skipped["accounts"]] == made[2:]
    response = user.request("GET", "accounts", params={"orderBy": "nothing"})
    assert response.status_code == 400 and response.json()["field"] == "orderBy", told(response, "order")
