"""Money from outside: the sandbox provider's cards succeed, decline, time out, or ask for a second step."""
import pytest

from platform_client import money, new_uuid, problem, wait_for


@pytest.fixture(scope="module")
def ada(platform):
    return platform.register("ada")


def path_of(top_up):
    return f"accounts/{top_up['accountId']}/top-ups/{top_up['id']}"


def begin(ada, card, value="10.00"):
    """A top-up whose outcome the first answer does not say."""
    body = {"amount": money(value), "provider": "sandbox", "paymentMethod": card}
    return ada.post(f"accounts/{ada.wallet()}/top-ups", body, expect=202)


def test_card_ok(ada, admin):
    wallet = ada.new_wallet()
    top_up = ada.top_up("25.50", wallet, expect=201)
    assert (top_up["status"], top_up["amount"]) == ("COMPLETED", money("25.50"))
    assert ada.balance(wallet) == ("25.50", "0.00")
    assert ada.get(path_of(top_up)) == top_up
    listed = ada.items(f"accounts/{wallet}/top-ups", status="COMPLETED")
    assert [one["id"] for one in listed] == [top_up["id"]]
    entry = ada.get(f"transactions/{top_up['transactionId']}")
    legs = {posting["systemAccount"] or posting["accountId"]: posting["amount"]["value"]
            for posting in entry["postings"]}
    assert legs == {"provider_settlement:sandbox": "-25.50", wallet: "25.50"} and entry["kind"] == "top_up"


@pytest.mark.parametrize("card, code",
                         [("card_declined", "declined"), ("card_unheard_of", "unsupported_payment_method")])
def test_refused_cards(ada, card, code):
    before = ada.balance()
    body = {"amount": money("10.00"), "provider": "sandbox", "paymentMethod": card}
    document = ada.refused(402, code, "POST", f"accounts/{ada.wallet()}/top-ups", body)
    top_up = ada.get(f"accounts/{ada.wallet()}/top-ups/{document['topUpId']}")
    assert (top_up["status"], top_up["failureReason"]) == ("FAILED", code)
    assert ada.balance() == before


def test_an_unknown_outcome_is_polled_until_it_is_known(ada):
    wallet = ada.new_wallet()
    body = {"amount": money("10.00"), "provider": "sandbox", "paymentMethod": "card_timeout"}
    top_up = ada.post(f"accounts/{wallet}/top-ups", body, expect=202)
    assert top_up["status"] == "PENDING" and top_up["outcomeUnknown"]
    assert ada.balance(wallet) == ("0.00", "0.00")
    ada.refused(409, "top_up_pending", "POST", f"accounts/{wallet}/close", {})
    done = wait_for(lambda: (now := ada.get(path_of(top_up)))["status"] == "COMPLETED" and now,
                    "known outcome", 60)
    assert not done["outcomeUnknown"] and ada.balance(wallet) == ("10.00", "0.00")


def test_a_second_step(ada):
    before = ada.balance()
    top_up = begin(ada, "card_challenge", "12.34")
    assert top_up["status"] == "ACTION_REQUIRED" and top_up["nextActionUrl"].startswith("https://")
    assert ada.balance() == before
    done = ada.post(path_of(top_up) + "/confirm", {"challengeCode": "123456"}, expect=200)
    assert done["status"] == "COMPLETED"
    assert float(ada.balance().available) == pytest.approx(float(before.available) + 12.34)
    ada.refused(409, "no_action_required", "POST", path_of(top_up) + "/confirm", {"challengeCode": "123456"})


def test_a_wrong_second_step(ada):
    before = ada.balance()
    top_up = begin(ada, "card_challenge")
    document = ada.refused(402, "challenge_failed", "POST", path_of(top_up) + "/confirm",
                           {"challengeCode": "000000"})
    assert document["topUpId"] == top_up["id"]
    assert ada.get(path_of(top_up))["status"] == "FAILED" and ada.balance() == before


@pytest.mark.parametrize("change, code, field", [
    ({"amount": money("1.00", "USD")}, "currency_mismatch", "amount.currency"),
    ({"amount": money("100000.01")}, "top_up_too_large", "amount.value"),
    ({"amount": money("0.00")}, "not_positive", "amount.value"),
    ({"amount": money("-1.00")}, "not_positive", "amount.value"),
    ({"provider": "bank_of_nowhere"}, "unknown_provider", "provider"),
    ({"paymentMethod": "card ok"}, "pattern_mismatch", "paymentMethod"),
])
def test_top_ups_that_do_not_begin(ada, change, code, field):
    path = f"accounts/{ada.wallet()}/top-ups"
    before = len(ada.items(path, pageSize=500))
    body = {"amount": money("1.00"), "provider": "sandbox", "paymentMethod": "card_ok"} | change
    ada.refused(400, code, "POST", path, body, field=field)
    assert len(ada.items(path, pageSize=500)) == before


def test_top_ups_of_another_wallet(ada, platform):
    top_up = ada.top_up("1.00", expect=201)
    other = ada.new_wallet()
    ada.refused(404, "not_found", "GET", f"accounts/{other}/top-ups/{top_up['id']}")
    ada.refused(404, "not_found", "GET", f"accounts/{ada.wallet()}/top-ups/{new_uuid()}")
    stranger = platform.register("stranger")
    stranger.refused(404, "not_found", "GET", path_of(top_up))
    problem(stranger.request("POST", path_of(top_up) + "/confirm", {"challengeCode": "123456"}), 404,
            "not_found")
