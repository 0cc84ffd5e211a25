"""Messages: who is told what and when, reading, muting."""
import pytest

from platform_client import new_uuid, problem, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(scope="module")
def bob(platform):
    return platform.register("bob")


def told_of(user, template, subject=None):
    """The newest message of this kind."""
    def find():
        return next((one for one in user.items("notifications", pageSize=500)
                     if one["template"] == template and subject in (None, one["subject"])), None)
    return wait_for(find, f"message {template}")


def test_the_welcome_of_a_registration(platform, auditor):
    """user.created, account.created, notification.sent: in this order, each once, and of one correlation."""
    user = platform.register("newcomer", displayName="Nora")
    welcome = told_of(user, "welcome")
    assert "Nora" in welcome["text"] and not welcome["read"]

    def trail():
        wanted = ("user.created", "account.created", "notification.sent")
        found = [entry for subject in (user.id, user.wallet())
                 for entry in auditor.items("audit/entries", subject=subject) if entry["action"] in wanted]
        return found if len(found) >= 3 else None
    entries = sorted(wait_for(trail, "the trail of a registration"), key=lambda entry: entry["sequence"])
    order = platform.order
    assert order(entry["action"] for entry in entries) \
        == order(["user.created", "account.created", "notification.sent"])
    assert len({entry["correlationId"] for entry in entries}) == 1
    user.new_wallet("USD")
    assert len([one for one in user.items("notifications") if one["template"] == "welcome"]) == 1


def test_both_sides_of_a_payment(ada, bob):
    payment = ada.pay(bob, "12.34")
    sent = told_of(ada, "payment_sent", payment["id"])
    received = told_of(bob, "payment_received", payment["id"])
    assert "12.34 EUR" in sent["text"] and "Bob" in sent["text"]
    assert "12.34 EUR" in received["text"] and "Ada" in received["text"]
    assert received["eventType"] == "payment.completed"
    bob.post(f"payments/{payment['id']}/refunds", {}, expect=201)
    assert "12.34 EUR" in told_of(ada, "refund_received", payment["id"])["text"]
    told_of(bob, "refund_sent", payment["id"])


def test_what_went_wrong(bob, ada, support):
    failed = problem(bob.try_pay(ada, "900.00"), 402, "insufficient_funds")
    assert "900.00 EUR" in told_of(bob, "payment_failed", failed["paymentId"])["text"]
    body = {"amount": {"currency": "EUR", "value": "5.00"}, "paymentMethod": "card_declined"}
    top_up = bob.refused(402, "declined", "POST", f"accounts/{bob.wallet()}/top-ups", body)
    told_of(bob, "top_up_failed", top_up["topUpId"])
    wallet = bob.new_wallet()
    support.post(f"accounts/{wallet}/freeze", {"reason": "for a test"})
    told_of(bob, "account_frozen", wallet)


def test_in_the_language_of_the_user(platform, ada):
    german = platform.register("hans", language="de-AT")
    assert "Willkommen" in told_of(german, "welcome")["title"]
    payment = ada.pay(german, "1.50")
    assert "1,50 EUR" in told_of(german, "payment_received", payment["id"])["text"]
    german.put("notifications/preferences", {"language": "en"})
    payment = ada.pay(german, "1.50")
    assert "1.50 EUR" in told_of(german, "payment_received", payment["id"])["text"]


def test_reading(ada):
    told_of(ada, "welcome")
    told_of(ada, "top_up_completed")
    first = ada.items("notifications")[-1]
    unread = len(ada.items("notifications", unread="true", pageSize=500))
    read = ada.post(f"notifications/{first['id']}/read", {})
    assert read["read"] and read["readAt"] == ada.post(f"notifications/{first['id']}/read", {})["readAt"]
    left = ada.items("notifications", unread="true", pageSize=500)
    assert len(left) == unread - 1 and first["id"] not in [one["id"] for one in left]


def test_newest_first_and_paged(ada):
    everything = ada.items("notifications", pageSize=500)
    times = [one["createdAt"] for one in everything]
    assert times == sorted(times, reverse=True)
    page = ada.get("notifications", pageSize=1)
    rest = ada.get("notifications", pageSize=500, pageToken=page["nextPageToken"])
    assert page["notifications"] + rest["notifications"] == everything


def test_anothers_messages_do_not_exist(ada, bob):
    message = told_of(ada, "welcome")
    bob.refused(404, "not_found", "POST", f"notifications/{message['id']}/read", {})
    bob.refused(404, "not_found", "POST", f"notifications/{new_uuid()}/read", {})
    assert message["id"] not in [one["id"] for one in bob.items("notifications")]


def test_muting(platform, ada):
    quiet = platform.register("quiet")
    told_of(quiet, "welcome")
    muted = quiet.put("notifications/preferences", {"muted": ["payment_received", "top_up_completed"]})
    assert quiet.get("notifications/preferences") == muted and muted["userId"] == quiet.id
    payment = ada.pay(quiet, "1.00")
    quiet.top_up("1.00")
    told_of(ada, "payment_sent", payment["id"])  # so the handler has been there
    quiet.pay(ada, "1.00")
    told_of(quiet, "payment_sent")
    assert {one["template"] for one in quiet.items("notifications")} == {"welcome", "payment_sent"}
    quiet.refused(400, "cannot_be_muted", "PUT", "notifications/preferences", {"muted": ["welcome"]},
                  field="muted[0]")
    quiet.refused(400, "unknown_template", "PUT", "notifications/preferences", {"muted": ["poems"]},
                  field="muted[0]")
