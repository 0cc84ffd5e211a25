"""Whoever is a party does not decide: staff paid itself, approved its own case, unfroze its own wallet."""
from platform_client import wait_for


def is_party(caller, method, path, body):
    return caller.refused(403, "is_party", method, path, body)


def test_nobody_decides_the_case_of_his_own_payment(platform, admin, support):
    payer = support
    payer.top_up("9000.00")
    shop = platform.register("shop")
    held = payer.try_pay(shop, "8000.00").json()["id"]
    case = wait_for(lambda: admin.items("fraud/cases", paymentId=held), "a case")[0]
    assert (case["payerUserId"], case["payeeUserId"]) == (payer.id, shop.id)
    for decision in ("APPROVE", "DECLINE"):
        is_party(payer, "POST", f"fraud/cases/{case['id']}/decide", {"decision": decision, "note": "it is mine"})
    assert admin.get(f"fraud/cases/{case['id']}")["status"] == "OPEN"
    admin.post(f"fraud/cases/{case['id']}/decide", {"decision": "DECLINE", "note": "not known"}, expect=200)
    wait_for(lambda: payer.get(f"payments/{held}")["status"] == "FAILED", "the end of the payment")


def test_nobody_decides_the_case_of_a_payment_to_him(platform, admin, support):
    ada = platform.register("ada")
    ada.top_up("9000.00")
    held = ada.try_pay(support, "8000.00").json()["id"]
    wait_for(lambda: admin.items("fraud/cases", paymentId=held), "a case")
    is_party(support, "POST", f"fraud/cases/{held}/decide", {"decision": "APPROVE", "note": "it is for me"})
    is_party(support, "POST", f"payments/{held}/cancel", {})
    ada.post(f"payments/{held}/cancel", {}, expect=200)


def test_nobody_freezes_unfreezes_or_limits_his_own_wallet(platform, admin, support):
    for caller in (admin, support):
        other = admin if caller is support else support
        wallet = caller.new_wallet()
        reason = {"reason": "it is mine"}
        is_party(caller, "POST", f"accounts/{wallet}/freeze", reason)
        other.post(f"accounts/{wallet}/freeze", reason, expect=200)
        is_party(caller, "POST", f"accounts/{wallet}/unfreeze", reason)
        other.post(f"accounts/{wallet}/unfreeze", reason, expect=200)
    wallet = admin.new_wallet()
    admin.refused(403, "is_party", "PUT", f"accounts/{wallet}/limits", {"limits": {}})
    admin.post(f"accounts/{wallet}/close", {}, expect=200)  # an owner's own right


def test_nobody_changes_his_own_roles(platform, admin):
    body = {"roles": ["ADMIN", "SUPPORT"], "reason": "for a test"}
    is_party(admin, "PUT", f"users/{admin.id}/roles", body)
