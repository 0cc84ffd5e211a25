"""The audit trail: every event has its entry; filters, pages, verification."""
import pytest

from platform_client import all_pages, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(scope="module")
def payment(platform, ada):
    return ada.pay(platform.register("bob"), "1.00")


def trail(auditor, least=1, **filters):
    def find():
        found = auditor.items("audit/entries", **filters)
        return found if len(found) >= least else None
    return wait_for(find, f"{least} entries with {filters}")


def test_the_trail_of_a_payment(platform, ada, payment, auditor):
    entries = trail(auditor, 8, subject=payment["id"])
    order = platform.order
    assert order(entry["action"] for entry in entries[::-1]) == order(ada.event_types(payment["id"], 8))
    assert {entry["actor"] for entry in entries} == {ada.id}
    assert {len(entry["hash"]) for entry in entries} == {43}, "BLAKE2b-256 as base64url"
    events = ada.items(f"payments/{payment['id']}/events")
    assert order(entry["eventId"] for entry in entries[::-1]) == order(event["id"] for event in events)
    if platform.one_log:
        assert [entry["sequence"] for entry in entries[::-1]] == [event["position"] for event in events]


def test_filters(ada, payment, auditor):
    trail(auditor, 8, subject=payment["id"])
    completed = trail(auditor, action="payment.completed", subject=payment["id"])
    assert len(completed) == 1 and completed[0]["service"] == "payment"
    mine = auditor.items("audit/entries", actor=ada.id, pageSize=500)
    assert {entry["actor"] for entry in mine} == {ada.id} and completed[0] in mine
    at = completed[0]["time"]
    same_time = auditor.items("audit/entries", **{"from": at, "subject": payment["id"]})
    assert completed[0] in same_time and all(entry["time"] >= at for entry in same_time)
    earlier = auditor.items("audit/entries", to=at, actor=ada.id, pageSize=500)
    assert completed[0] not in earlier and all(entry["time"] < at for entry in earlier)
    assert auditor.items("audit/entries", action="no.such.event") == []


def test_pages_and_order(payment, auditor):
    trail(auditor, 8, subject=payment["id"])
    paged = all_pages(auditor, "audit/entries", subject=payment["id"], pageSize=3)
    assert paged == auditor.items("audit/entries", subject=payment["id"])
    ascending = auditor.items("audit/entries", subject=payment["id"], orderBy="sequence asc")
    assert ascending == paged[::-1]
    first = auditor.items("audit/entries", orderBy="sequence asc", pageSize=5)
    assert [entry["sequence"] for entry in first] == [1, 2, 3, 4, 5], "none is missing"


def test_sign_ins_and_staff_actions(ada, platform, support, auditor, admin):
    ada.refused(401, "invalid_credentials", "POST", "auth/login",
                {"email": ada.email, "password": "not the password"})
    trail(auditor, action="user.sign_in_failed", subject=ada.id)
    ada.login()
    trail(auditor, action="user.signed_in", subject=ada.id)
    wallet = ada.new_wallet()
    support.post(f"accounts/{wallet}/freeze", {"reason": "for a test"})
    assert trail(auditor, action="account.frozen", subject=wallet)[0]["actor"] == support.id


def test_verifying(payment, auditor):
    whole = auditor.post("audit/verify", {}, expect=200)
    assert whole["intact"] and whole["firstBadSequence"] == 0
    assert whole["checked"] == whole["headSequence"] >= 20
    part = auditor.post("audit/verify", {"fromSequence": 5, "maxEntries": 7}, expect=200)
    assert part["intact"] and part["checked"] >= 7
    auditor.refused(400, "out_of_range", "POST", "audit/verify", {"fromSequence": -1}, field="fromSequence")


def test_who_may_see_it(ada, support, admin, auditor):
    assert admin.items("audit/entries", pageSize=1) and auditor.items("audit/entries", pageSize=1)
    for caller in (ada, support):
        caller.refused(403, "forbidden", "GET", "audit/entries")
    for caller in (ada, support, admin):
        caller.refused(403, "forbidden", "POST", "audit/verify", {})
    auditor.refused(400, "invalid_page_token", "GET", "audit/entries?pageToken=x", field="pageToken")
