"""The journal: entries that sum to zero, the trial balance, transfers of ledger clients, reversals."""
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from platform_client import Api, all_pages, money, new_uuid, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    return platform.register("bob")


@pytest.fixture
def wallets(platform):
    """Two wallets of somebody new: 50.00 and nothing."""
    owner = platform.register("owner")
    owner.top_up("50.00")
    return owner.wallet(), owner.new_wallet()


def assert_sums_to_zero(entry):
    sums = {}
    for posting in entry["postings"]:
        amount = posting["amount"]
        sums[amount["currency"]] = sums.get(amount["currency"], 0) + Decimal(amount["value"])
    assert sums and set(sums.values()) == {0}, entry


# ---- the journal ----

def test_entries_of_a_wallet(ada, bob):
    payment = ada.pay(bob, "1.00")
    back = bob.post(f"payments/{payment['id']}/refunds", {}, expect=201)
    entries = wait_for(lambda: (found := ada.items("transactions", accountId=ada.wallet())) and
                       found[0]["paymentId"] == back["id"] and found, "the entry of the refund")
    assert [entry["kind"] for entry in entries[:2]] == ["refund", "payment"]
    for entry in entries:
        assert_sums_to_zero(entry)
    assert entries[1]["id"] == payment["transactionId"]
    ascending = ada.items("transactions", accountId=ada.wallet(), orderBy="settledAt asc", pageSize=500)
    assert ascending[::-1][:2] == entries[:2] and ascending[0]["kind"] == "top_up"
    paged = all_pages(ada, "transactions", accountId=ada.wallet(), pageSize=1)
    assert [entry["id"] for entry in paged] == [entry["id"] for entry in ascending[::-1]]


def test_who_sees_the_journal(ada, bob, auditor, support):
    payment = ada.pay(bob, "1.00")
    ada.refused(400, "required", "GET", "transactions", field="accountId")
    bob.refused(404, "not_found", "GET", f"transactions?accountId={ada.wallet()}")
    for staff in (auditor, support):
        assert staff.get(f"transactions/{payment['transactionId']}")["paymentId"] == payment["id"]
        assert staff.items("transactions", paymentId=payment["id"])[0]["id"] == payment["transactionId"]
    for entry in auditor.items("transactions", pageSize=500):
        assert_sums_to_zero(entry)


def test_trial_balance(ada, bob, auditor):
    ada.pay(bob, "1.00")
    trial = auditor.get("ledger/trial-balance")
    assert trial["balanced"] and trial["asOf"]
    euros = next(one for one in trial["currencies"] if one["currency"] == "EUR")
    for one in trial["currencies"]:
        assert Decimal(one["sum"]["value"]) == 0
        assert Decimal(one["debits"]["value"]) + Decimal(one["credits"]["value"]) == 0
        assert (one["debits"]["value"], one["sum"]["value"]) == (one["debitsValue"], one["sumValue"])
    names = {line["name"] for line in euros["lines"]}
    assert "provider_settlement:sandbox" in names and euros["accounts"] >= 3


# ---- transfers ----

def transfer(debit, credit, value="1.00", **fields):
    """debit and credit: an account id, or the name of a system account."""
    body = {"id": new_uuid(), "action": "POST_NOW", "amount": money(value)} | fields
    for side, account in (("debit", debit), ("credit", credit)):
        body[side + ("AccountId" if "-" in account else "SystemAccount")] = account
    return body


def ending(pending, action="POST_PENDING", **fields):
    return {"id": new_uuid(), "action": action, "pendingId": pending["id"], **fields}


def send(api, *transfers, expect=201):
    """Each transfer's status, with the reason of those that were rejected."""
    batch = api.post("ledger/transfers", {"transfers": list(transfers)}, expect=expect)
    assert batch["status"] == "DECIDED"
    assert [one["id"] for one in batch["transfers"]] == [one["id"] for one in transfers]
    return [one["reason"] or one["status"] for one in batch["transfers"]]


def test_single_phase(support, admin, wallets):
    rich, poor = wallets
    one = transfer(rich, poor, "20.00")
    others = transfer("equity", poor, "0.50"), transfer(poor, "fees", "0.25")
    assert send(admin, one, *others) == ["POSTED"] * 3
    assert (support.balance(rich), support.balance(poor)) == (("30.00", "0.00"), ("20.25", "0.00"))
    got = admin.get(f"ledger/transfers/{one['id']}")
    assert (got["status"], got["postedAmount"], got["debitAccountId"]) == ("POSTED", money("20.00"), rich)
    assert got["postedAmount"] == money("20.00")
    entry = admin.get(f"transactions/{got['transactionId']}")
    assert_sums_to_zero(entry)
    assert entry["kind"] == "transfer" and entry["paymentId"] == one["id"]


@pytest.mark.parametrize("make, reason", [
    (lambda rich, poor: transfer(poor, rich, "0.01"), "insufficient_funds"),
    (lambda rich, poor: transfer(rich, new_uuid()), "account_not_found"),
    (lambda rich, poor: transfer(rich, rich), "accounts_must_differ"),
    (lambda rich, poor: transfer(rich, poor, amount=money("1.00", "USD")), "currency_mismatch"),
    (lambda rich, poor: ending({"id": new_uuid()}), "pending_not_found"),
])
def test_rejected_transfers(support, admin, wallets, make, reason):
    rich, poor = wallets
    rejected = make(rich, poor)
    assert send(admin, rejected, transfer(rich, poor)) == [reason, "POSTED"], "the other stands alone"
    assert support.balance(rich) == ("49.00", "0.00")
    assert admin.get(f"ledger/transfers/{rejected['id']}")["status"] == "REJECTED"


def test_later_transfers_see_earlier_ones(support, admin, wallets):
    rich, poor = wallets
    batch = transfer(rich, poor, "50.00"), transfer(poor, rich, "10.00"), transfer(rich, poor, "10.01")
    assert send(admin, *batch) == ["POSTED", "POSTED", "insufficient_funds"]
    assert (support.balance(rich).available, support.balance(poor).available) == ("10.00", "40.00")


def test_two_phases(support, admin, wallets):
    rich, poor = wallets
    whole, part, back = (transfer(rich, poor, "10.00", action="RESERVE") for _ in range(3))
    assert send(admin, whole, part, back) == ["PENDING"] * 3
    assert support.balance(rich) == ("20.00", "30.00") and len(support.reservations(rich)) == 3
    assert send(admin, ending(whole), ending(part, amount=money("4.00")), ending(back, "VOID_PENDING")) \
        == ["POSTED", "POSTED", "VOIDED"]
    assert support.balance(rich) == ("36.00", "0.00") and support.balance(poor).available == "14.00"
    assert support.reservations(rich) == []
    assert send(admin, ending(whole), ending(back)) == ["pending_already_posted", "pending_already_voided"]
    assert [admin.get(f"ledger/transfers/{one['id']}")["status"] for one in (whole, part, back)] \
        == ["POSTED", "POSTED", "VOIDED"]


def test_more_than_is_pending(support, admin, wallets):
    rich, poor = wallets
    pending = transfer(rich, poor, "10.00", action="RESERVE")
    assert send(admin, pending, ending(pending, amount=money("10.01"))) == ["PENDING", "exceeds_pending"]
    assert support.balance(rich) == ("40.00", "10.00")


def test_a_pending_transfer_expires(support, admin, wallets):
    rich, poor = wallets
    pending = transfer(rich, poor, "10.00", action="RESERVE", timeoutSeconds=1)
    assert send(admin, pending) == ["PENDING"]
    wait_for(lambda: admin.get(f"ledger/transfers/{pending['id']}")["status"] == "EXPIRED", "expiry", 10)
    assert support.balance(rich) == ("50.00", "0.00")
    assert send(admin, ending(pending)) == ["pending_expired"]


def test_linked_chains_stand_or_fall_together(support, admin, wallets):
    rich, poor = wallets
    good = [transfer(rich, poor, "10.00", linked=True), transfer(poor, rich, "5.00")]
    bad = [transfer(rich, poor, "1.00", linked=True), transfer(rich, poor, "900.00", linked=True),
           transfer(rich, poor)]
    alone = transfer(rich, poor, "2.00")
    assert send(admin, *good, *bad, alone) \
        == ["POSTED", "POSTED", "linked_failed", "insufficient_funds", "linked_failed", "POSTED"]
    assert (support.balance(rich), support.balance(poor)) == (("43.00", "0.00"), ("7.00", "0.00"))


def test_a_chain_that_does_not_end(support, admin, wallets):
    rich, poor = wallets
    assert send(admin, transfer(rich, poor, linked=True), transfer(rich, poor, linked=True)) \
        == ["linked_failed", "linked_chain_open"]
    assert support.balance(rich) == ("50.00", "0.00")


def test_ids_are_remembered_for_ever(support, admin, wallets):
    rich, poor = wallets
    one = transfer(rich, poor, "10.00")
    assert send(admin, one) == ["POSTED"]
    assert send(admin, one) == ["POSTED"], "the same again is answered as before"
    assert send(admin, one | {"amount": money("11.00")}) == ["exists_with_other_fields"]
    assert support.balance(rich) == ("40.00", "0.00")
    refused = transfer(poor, rich, "900.00")
    assert send(admin, refused) == send(admin, refused) == ["insufficient_funds"]


def test_transfers_that_are_not_well_formed(admin, wallets):
    rich, poor = wallets
    good, pending = transfer(rich, poor), transfer(rich, poor, action="RESERVE")
    twice = [good, good]
    cases = [
        ([], "required", "transfers"), (twice, "duplicate_id", "transfers[1].id"),
        ([good | {"pendingId": new_uuid()}], "not_applicable", "transfers[0].pendingId"),
        ([good | {"timeoutSeconds": 5}], "not_applicable", "transfers[0].timeoutSeconds"),
        ([good | {"creditSystemAccount": "fees"}], "not_applicable", "transfers[0].creditSystemAccount"),
        ([{name: value for name, value in good.items() if name != "amount"}], "required",
         "transfers[0].amount"),
        ([good, ending(pending) | {"pendingId": ""}], "invalid_format", "transfers[1].pendingId"),
        ([ending(pending, "VOID_PENDING", amount=money("1.00"))], "not_applicable", "transfers[0].amount"),
        ([good | {"amount": money("0.00")}], "not_positive", "transfers[0].amount.value"),
        ([good | {"id": "17"}], "invalid_format", "transfers[0].id"),
        ([good | {"debitSystemAccount": "Not A Name"}], "pattern_mismatch",
         "transfers[0].debitSystemAccount"),
    ]
    for transfers, code, field in cases:
        admin.refused(400, code, "POST", "ledger/transfers", {"transfers": transfers}, field=field)


@pytest.mark.slow
def test_the_largest_batch(support, admin, wallets):
    rich, poor = wallets
    # 8,190 transfers are about 1.6 MB as JSON: the limit of a body is met before that of the contract.
    batch = [transfer(rich, poor, "0.01") for _ in range(3000)]
    assert send(admin, *batch) == ["POSTED"] * 3000
    assert support.balance(rich) == ("20.00", "0.00")


def test_who_may_transfer(platform, ada, auditor, support, admin, wallets):
    rich, poor = wallets
    body = {"transfers": [transfer(rich, poor)]}
    for caller in (ada, auditor, support):
        caller.refused(403, "forbidden", "POST", "ledger/transfers", body)
    made = admin.post("api-keys", {"name": "ledger", "scopes": ["ledger:write", "ledger:read"]}, expect=201)
    key = Api(platform, made["secret"])
    assert send(key, *body["transfers"]) == ["POSTED"]
    assert key.get(f"ledger/transfers/{body['transfers'][0]['id']}")["status"] == "POSTED"
    assert auditor.get(f"ledger/transfers/{body['transfers'][0]['id']}")["status"] == "POSTED"
    admin.delete(f"api-keys/{made['apiKey']['id']}")


# ---- reversals ----

def reverse(admin, entry_id, **options):
    return admin.post(f"transactions/{entry_id}/reverse", {"reason": "a mistake"}, **options)


def test_reversing_a_payment(ada, bob, admin):
    before = ada.balance(), bob.balance()
    payment = ada.pay(bob, "7.00")
    reversal = reverse(admin, payment["transactionId"], expect=201)
    assert (reversal["kind"], reversal["status"]) == ("reversal", "SETTLED")
    assert reversal["reversesId"] == payment["transactionId"]
    assert_sums_to_zero(reversal)
    assert (ada.balance(), bob.balance()) == before
    entry = ada.get(f"transactions/{payment['transactionId']}")
    assert (entry["status"], entry["reversedById"]) == ("REVERSED", reversal["id"])
    for again in (payment["transactionId"], reversal["id"]):
        code = "already_reversed" if again == entry["id"] else "not_reversible"
        admin.refused(409, code, "POST", f"transactions/{again}/reverse", {"reason": "again"})
    kept = ada.get(f"payments/{payment['id']}")
    assert (kept["status"], kept["reversalId"]) == ("REVERSED", reversal["id"])
    # In whichever order: they are of different keys.
    wait_for(lambda: {"payment.reversed", "transaction.reversed"} <= {event["type"] for event in all_pages(
        ada, f"payments/{payment['id']}/events")}, "its history")
    for user, message in ((ada, "payment_came_back"), (bob, "payment_taken_back")):
        wait_for(lambda: [one for one in user.items("notifications") if one["subject"] == payment["id"] and
                          one["template"] == message], "a message to both")


def test_nothing_of_a_payment_comes_back_twice(ada, bob, admin, support):
    bob.top_up("50.00")
    before = ada.balance(), bob.balance()
    payment = ada.pay(bob, "20.00")
    path = f"payments/{payment['id']}/refunds"
    reverse(admin, payment["transactionId"], expect=201)
    for user in (bob, support, admin):
        document = user.refused(409, "payment_not_refundable", "POST", path, {})
        assert document["detail"]
    assert (ada.balance(), bob.balance()) == before

    payment = ada.pay(bob, "20.00")
    path = f"payments/{payment['id']}/refunds"
    part = bob.post(path, {"amount": money("5.00")}, expect=201)
    document = admin.refused(402, "already_refunded", "POST",
                             f"transactions/{payment['transactionId']}/reverse", {"reason": "a mistake"})
    assert document["detail"] and admin.get(f"transactions/{document['transactionId']}")["status"] == "FAILED"
    bob.post(path, {}, expect=201)
    assert (ada.balance(), bob.balance()) == before

    reverse(admin, part["transactionId"], expect=201)
    assert [one["status"] for one in bob.items(path) if one["id"] == part["id"]] == ["REVERSED"]
    assert bob.get(f"payments/{payment['id']}")["status"] == "PARTIALLY_REFUNDED"
    bob.refused(409, "refund_exceeds_payment", "POST", path, {"amount": money("5.01")})
    bob.post(path, {}, expect=201)
    assert (ada.balance(), bob.balance()) == before


def test_a_refund_and_a_reversal_at_once(ada, bob, admin):
    bob.top_up("100.00")
    for _ in range(5):
        before = Decimal(ada.balance().available)
        payment = ada.pay(bob, "6.00")
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(admin.request, "POST", f"transactions/{payment['transactionId']}/reverse",
                                 {"reason": "a mistake"}),
                     pool.submit(bob.request, "POST", f"payments/{payment['id']}/refunds", {}),
                     pool.submit(bob.request, "POST", f"payments/{payment['id']}/refunds", {})]
            answers = [each.result() for each in asked]
        assert sorted(answer.status_code for answer in answers)[0] == 201
        assert [answer.status_code for answer in answers].count(201) == 1, [one.text for one in answers]
        assert Decimal(ada.balance().available) == before


def test_reversing_a_top_up(platform, admin):
    user = platform.register("topped")
    top_up = user.top_up("30.00")
    path = f"accounts/{user.wallet()}/top-ups/{top_up['id']}"
    user.pay(platform.register("other"), "10.00")
    document = admin.refused(402, "insufficient_funds", "POST",
                             f"transactions/{top_up['transactionId']}/reverse", {"reason": "charged back"})
    assert document["detail"] and user.get(path)["status"] == "COMPLETED"
    user.top_up("10.00")
    reverse(admin, top_up["transactionId"], expect=201)
    assert user.get(path)["status"] == "REVERSED" and user.balance() == ("0.00", "0.00")
    admin.refused(409, "already_reversed", "POST", f"transactions/{top_up['transactionId']}/reverse",
                  {"reason": "charged back"})


def test_reversing_a_transfer(admin, support, wallets):
    rich, poor = wallets
    pending = transfer(rich, poor, "10.00", action="RESERVE")
    post = ending(pending, amount=money("4.00"))
    assert send(admin, pending, post) == ["POSTED", "POSTED"], "as it is at the end of the batch"
    entry = admin.get(f"ledger/transfers/{post['id']}")["transactionId"]
    reverse(admin, entry, expect=201)
    assert support.balance(rich) == ("50.00", "0.00")
    for one in (pending, post):
        assert admin.get(f"ledger/transfers/{one['id']}")["status"] == "REVERSED"
    assert send(admin, post) == ["REVERSED"], "a repeat is answered as it stands"
    assert support.balance(rich) == ("50.00", "0.00")


def test_nobody_decides_about_his_own_money(ada, admin, wallets):
    rich, _ = wallets
    own = admin.wallet()
    payment = ada.pay(own, "3.00")
    admin.refused(403, "is_party", "POST", f"transactions/{payment['transactionId']}/reverse",
                  {"reason": "a mistake"})
    admin.refused(403, "is_party", "POST", "ledger/transfers",
                  {"transfers": [transfer(rich, own, "1.00")]})


def test_reversing_what_was_spent(ada, platform, admin):
    spender = platform.register("spender")
    payment = ada.pay(spender, "7.00")
    spender.pay(ada, "7.00")
    document = admin.refused(402, "insufficient_funds", "POST",
                             f"transactions/{payment['transactionId']}/reverse",
                             {"reason": "a mistake"})
    assert spender.balance() == ("0.00", "0.00") and document["detail"]
    assert admin.get(f"transactions/{document['transactionId']}")["status"] == "FAILED"
    assert ada.get(f"transactions/{payment['transactionId']}")["status"] == "SETTLED"
    spender.top_up("7.00")
    again = reverse(admin, payment["transactionId"], expect=201)
    assert again["status"] == "SETTLED", "it may be tried again"


def test_who_may_reverse(ada, bob, support, auditor, admin):
    payment = ada.pay(bob, "1.00")
    for caller in (ada, support, auditor):
        caller.refused(403, "forbidden", "POST", f"transactions/{payment['transactionId']}/reverse",
                       {"reason": "please"})
    admin.refused(404, "not_found", "POST", f"transactions/{new_uuid()}/reverse", {"reason": "please"})
