"""Payments that wait for a decision of staff, and everything that may end the waiting."""
import pytest

from platform_client import money, told, wait_for


@pytest.fixture(scope="module")
def bob(platform):
    return platform.register("bob")


class Held:
    """A payment of 6,000.00 to somebody new: the first rules of the fraud service hold it."""

    def __init__(self, platform, payee):
        self.payer = platform.register("payer")
        self.payer.top_up("7000.00")
        response = self.payer.try_pay(payee, "6000.00")
        assert response.status_code == 202, told(response, "expected it to be held")
        self.payment = response.json()
        self.id = self.payment["id"]

    def now(self):
        return self.payer.get(f"payments/{self.id}")

    def outcome(self):
        return wait_for(lambda: (now := self.now())["status"] not in ("IN_REVIEW", "PROCESSING") and now,
                        "an outcome")

    def assert_nothing_moved(self):
        assert self.payer.balance() == ("7000.00", "0.00") and self.payer.reservations() == []


@pytest.fixture
def held(platform, bob):
    return Held(platform, bob)


def case_of(support, held):
    return wait_for(lambda: support.items("fraud/cases", paymentId=held.id), "a case")[0]


def decide(support, held, decision):
    return support.post(f"fraud/cases/{case_of(support, held)['id']}/decide",
                        {"decision": decision, "note": "looked at it"})


def test_a_held_payment_reserves_and_opens_a_case(held, support):
    assert held.payment["status"] == "IN_REVIEW"
    assert held.payer.balance() == ("1000.00", "6000.00")
    assert [one["id"] for one in held.payer.reservations()] == [held.id]
    case = case_of(support, held)
    assert (case["status"], case["score"] >= 60) == ("OPEN", True)
    assert {"large_amount", "new_payee"} <= {reason["rule"] for reason in case["reasons"]}
    assert support.get(f"fraud/cases/{case['id']}") == case
    types = held.payer.event_types(held.id, 5)
    assert types[:3] == ["payment.initiated", "account.balance.reserved", "fraud.risk.assessed"]
    assert sorted(types[3:]) == ["fraud.case.opened", "payment.held"]


def test_approved(held, support, bob):
    before = float(bob.balance().available)
    assert decide(support, held, "APPROVE")["status"] == "APPROVED"
    assert held.outcome()["status"] == "COMPLETED"
    assert held.payer.balance() == ("1000.00", "0.00") and held.payer.reservations() == []
    assert float(bob.balance().available) == before + 6000
    case = case_of(support, held)
    assert (case["status"], case["decidedBy"], case["note"]) == ("APPROVED", support.id, "looked at it")
    support.refused(409, "case_not_open", "POST", f"fraud/cases/{case['id']}/decide",
                    {"decision": "DECLINE", "note": "no no"})


def test_the_same_again_is_held_again(held, support, bob):
    """It went through: attempts made the payee known."""
    decide(support, held, "DECLINE")
    assert held.outcome()["status"] == "FAILED"
    wait_for(lambda: held.payer.reservations() == [], "release")
    again = held.payer.try_pay(bob, "6000.00")
    assert again.status_code == 202, told(again, "expected it to be held")
    held.payer.post(f"payments/{again.json()['id']}/cancel", {})
    wait_for(lambda: held.payer.reservations() == [], "release")
    assert held.payer.pay(bob, "0.01")["status"] == "COMPLETED"
    after_a_cent = held.payer.try_pay(bob.new_wallet(), "6000.00")
    assert after_a_cent.status_code == 202, told(after_a_cent, "expected it to be held")


def test_a_large_amount_in_parts_is_held(platform, bob):
    payer = platform.register("payer")
    payer.top_up("9000.00")
    second = payer.new_wallet()
    payer.pay(second, "4500.00")
    payer.pay(bob, "4000.00")
    body = {"payerAccountId": second, "payeeAccountId": bob.new_wallet(), "amount": money("4000.00")}
    answer = payer.request("POST", "payments", body)
    assert answer.status_code == 202, told(answer, "expected it to be held")


def test_the_payee_sees_nothing_yet(held, support, bob):
    bob.refused(404, "not_found", "GET", f"payments/{held.id}")
    bob.refused(404, "not_found", "GET", f"payments/{held.id}/events")
    assert held.id not in [one["id"] for one in bob.items("payments", pageSize=500)]
    decide(support, held, "APPROVE")
    assert held.outcome()["status"] == "COMPLETED"
    assert bob.get(f"payments/{held.id}")["status"] == "COMPLETED"
    types = {event["type"] for event in bob.items(f"payments/{held.id}/events")}
    assert "payment.completed" in types
    assert not {name for name in types if name.startswith("fraud.") or name == "payment.held"}


def test_declined(held, support):
    decide(support, held, "DECLINE")
    outcome = held.outcome()
    assert (outcome["status"], outcome["failureReason"]) == ("FAILED", "declined")
    wait_for(lambda: held.payer.reservations() == [], "release")
    held.assert_nothing_moved()


def test_cancelled_by_the_payer(held, support, bob):
    bob.refused(404, "not_found", "POST", f"payments/{held.id}/cancel", {})
    cancelled = held.payer.post(f"payments/{held.id}/cancel", {"reason": "changed my mind"}, expect=200)
    assert cancelled["status"] == "CANCELLED"
    wait_for(lambda: held.payer.reservations() == [], "release")
    held.assert_nothing_moved()
    wait_for(lambda: case_of(support, held)["status"] == "CLOSED", "end of the case")
    held.payer.refused(409, "payment_not_cancellable", "POST", f"payments/{held.id}/cancel", {})


def test_frozen_while_it_waits(platform, held, support, auditor):
    wallet = held.payer.wallet()
    support.post(f"accounts/{wallet}/freeze", {"reason": "looks odd"})
    outcome = held.outcome()
    assert (outcome["status"], outcome["failureReason"]) == ("FAILED", "account_frozen")
    wait_for(lambda: held.payer.reservations() == [], "release")
    held.assert_nothing_moved()

    def entry(action, subject):
        found = wait_for(lambda: auditor.items("audit/entries", action=action, subject=subject), action)
        return found[0]
    frozen, failed = entry("account.frozen", wallet), entry("payment.failed", held.id)
    sequences = [one["sequence"] for one in (frozen, failed, entry("account.balance.released", held.id))]
    assert platform.order(sequences) == sorted(sequences)
    assert frozen["actor"] == support.id and frozen["correlationId"] == failed["correlationId"]
    support.post(f"accounts/{wallet}/unfreeze", {"reason": "all is well"})
    assert held.now()["status"] == "FAILED"


def test_payee_frozen_while_it_waits(platform, support):
    payee = platform.register("payee")
    held = Held(platform, payee)
    support.post(f"accounts/{payee.wallet()}/freeze", {"reason": "looks odd"})
    assert held.outcome()["failureReason"] == "account_frozen"
    wait_for(lambda: held.payer.reservations() == [], "release")
    held.assert_nothing_moved()


def test_staff_cancels(held, support):
    assert support.post(f"payments/{held.id}/cancel", {"reason": "asked by phone"})["status"] == "CANCELLED"
    wait_for(lambda: held.payer.reservations() == [], "release")
    held.assert_nothing_moved()


def test_decisions_are_checked(held, support, auditor):
    path = f"fraud/cases/{case_of(support, held)['id']}/decide"
    support.refused(400, "invalid_decision", "POST", path, {"decision": "REVIEW", "note": "later"},
                    field="decision")
    support.refused(400, "required", "POST", path, {"decision": "APPROVE"}, field="note")
    auditor.refused(403, "forbidden", "POST", path, {"decision": "APPROVE", "note": "fine"})
    held.payer.refused(403, "forbidden", "POST", path, {"decision": "APPROVE", "note": "fine"})
    assert held.now()["status"] == "IN_REVIEW"


@pytest.mark.slow
def test_expired(fresh_platform):
    """Nobody decides: the money is free again after payment.reservation_ttl."""
    platform = fresh_platform("payment.reservation_ttl=1s")
    held = Held(platform, platform.register("payee"))
    outcome = held.outcome()
    assert (outcome["status"], outcome["failureReason"]) == ("FAILED", "expired")
    wait_for(lambda: held.payer.reservations() == [], "release")
    held.assert_nothing_moved()
    assert case_of(platform.staff("ADMIN"), held)["status"] == "CLOSED"


@pytest.mark.slow
def test_waiting_survives_a_restart(fresh_platform):
    platform = fresh_platform()
    held = Held(platform, platform.register("payee"))
    admin = platform.staff("ADMIN")
    platform.restart()
    assert held.now()["status"] == "IN_REVIEW" and held.payer.balance() == ("1000.00", "6000.00")
    decide(admin, held, "APPROVE")
    assert held.outcome()["status"] == "COMPLETED"
