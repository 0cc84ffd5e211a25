"""Fraud: rules and how they change, assessments with reasons. A platform of its own: rules hold for all."""
import pytest

from platform_client import problem, wait_for


@pytest.fixture(scope="module")
def fraud(module_platform):
    return module_platform()


@pytest.fixture(scope="module")
def boss(fraud):
    return fraud.staff("ADMIN")


@pytest.fixture(scope="module")
def people(fraud):
    ada, bob = fraud.register("ada"), fraud.register("bob")
    ada.top_up("1000.00")
    return ada, bob


@pytest.fixture
def rules(boss):
    """The first rules, put back afterwards."""
    first = boss.get("fraud/rules")
    request = {name: first[name] for name in ("reviewAt", "declineAt", "rules")}
    yield request
    boss.put("fraud/rules", request)


def assessment(boss, payment_id):
    return wait_for(lambda: boss.items("fraud/assessments", paymentId=payment_id), "an assessment")[0]


def rule(**fields):
    return {"id": "ours", "feature": "amount_minor", "threshold": 1, "points": 10, "enabled": True} | fields


def test_the_first_rules(boss):
    policy = boss.get("fraud/rules")
    assert policy["reviewAt"] < policy["declineAt"] and policy["version"] >= 1
    assert {"absurd_amount", "large_amount", "new_payee"} <= {one["id"] for one in policy["rules"]}


def test_a_score_says_why(boss, people):
    ada, bob = people
    payment = ada.pay(bob, "10.00")
    found = assessment(boss, payment["id"])
    assert (found["decision"], found["accountId"], found["shadow"]) == ("APPROVE", ada.wallet(), False)
    reasons = {reason["rule"]: reason for reason in found["reasons"]}
    assert found["score"] == sum(reason["points"] for reason in found["reasons"])
    assert reasons["new_payee"]["points"] == 10 and "new_payee" in reasons["new_payee"]["detail"]
    second = assessment(boss, ada.pay(bob, "10.00")["id"])
    assert "new_payee" not in {reason["rule"] for reason in second["reasons"]}, "known for as much by now"
    third = assessment(boss, ada.pay(bob, "20.01")["id"])
    assert "new_payee" in {reason["rule"] for reason in third["reasons"]}, "but not for more"


def test_rules_hold_from_the_next_payment(boss, people, rules):
    ada, bob = people
    changed = boss.put("fraud/rules", rules | {"rules": [rule(threshold=3000, decision="DECLINE", points=0)]})
    assert changed == boss.get("fraud/rules") and changed["version"] >= 2
    before = ada.balance()
    document = problem(ada.try_pay(bob, "30.00"), 402, "declined")
    assert ada.balance() == before
    found = assessment(boss, document["paymentId"])
    assert found["decision"] == "DECLINE" and found["policyVersion"] == changed["version"]
    assert [reason["rule"] for reason in found["reasons"]] == ["ours"]
    assert "3000" in found["reasons"][0]["detail"]
    ada.pay(bob, "29.99")
    declined = boss.items("fraud/assessments", decision="DECLINE")
    assert document["paymentId"] in [one["paymentId"] for one in declined]


def test_points_decide(boss, people, rules):
    ada, bob = people
    three = [rule(id=f"rule_{n}", points=20) for n in range(3)]
    boss.put("fraud/rules", {"reviewAt": 60, "declineAt": 61, "rules": three})
    held = ada.try_pay(bob, "1.00")
    assert held.status_code == 202 and held.json()["status"] == "IN_REVIEW"
    boss.put("fraud/rules", {"reviewAt": 50, "declineAt": 60, "rules": three})
    problem(ada.try_pay(bob, "1.00"), 402, "declined")
    boss.put("fraud/rules", {"reviewAt": 61, "declineAt": 62, "rules": three})
    ada.pay(bob, "1.00")
    boss.put("fraud/rules",
             {"reviewAt": 60, "declineAt": 61, "rules": three[:2] + [three[2] | {"enabled": False}]})
    ada.pay(bob, "1.00")
    boss.put("fraud/rules",
             {"reviewAt": 60, "declineAt": 61, "rules": three[:2] + [three[2] | {"currency": "USD"}]})
    ada.pay(bob, "1.00")
    ada.post(f"payments/{held.json()['id']}/cancel", {})


@pytest.mark.parametrize("change, code, field", [
    ({"declineAt": 60}, "thresholds_contradict", "declineAt"),
    ({"reviewAt": 0}, "out_of_range", "reviewAt"),
    ({"declineAt": 1001}, "out_of_range", "declineAt"),
    ({"rules": [rule(feature="luck")]}, "unknown_feature", "rules[0].feature"),
    ({"rules": [rule(), rule()]}, "duplicate_rule", "rules[1].id"),
    ({"rules": [rule(id="Not A Name")]}, "pattern_mismatch", "rules[0].id"),
    ({"rules": [rule(points=101)]}, "out_of_range", "rules[0].points"),
    ({"rules": [rule(decision="APPROVE")]}, "invalid_decision", "rules[0].decision"),
    ({"rules": [rule(comparison="ABOUT")]}, "invalid_format", "rules[0].comparison"),
    ({"rules": [rule(feature="night", amount={"currency": "EUR", "value": "1.00"})]}, "not_an_amount",
     "rules[0].amount"),
    ({"version": 7}, "unknown_field", "version"),
])
def test_rules_that_make_no_sense(boss, rules, change, code, field):
    before = boss.get("fraud/rules")
    boss.refused(400, code, "PUT", "fraud/rules", rules | {"reviewAt": 60, "declineAt": 90} | change,
                 field=field)
    assert boss.get("fraud/rules") == before


def test_what_was_done_is_remembered(boss, people):
    """Many payments within an hour add points: the window counts this one, too."""
    ada, bob = people
    payments = [ada.pay(bob, "0.10") for _ in range(20)]
    last = assessment(boss, payments[-1]["id"])
    assert "many_payments" in {reason["rule"] for reason in last["reasons"]}


@pytest.mark.slow
@pytest.mark.parametrize("mode, assessed", [("shadow", True), ("off", False)])
def test_modes(fresh_platform, mode, assessed):
    platform = fresh_platform(f"fraud.mode={mode}", "account.limits=off")
    ada, admin = platform.register("ada"), platform.staff("ADMIN")
    ada.top_up("60000.00")
    payment = ada.pay(platform.register("bob"), "50000.00")
    if assessed:
        found = assessment(admin, payment["id"])
        assert (found["decision"], found["shadow"]) == ("DECLINE", True)
    assert admin.items("fraud/cases") == []
