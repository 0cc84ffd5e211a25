"""What other people get to see of a text: one form, nothing hidden in it, bounded; and never the number of a card."""
import pytest

from platform_client import money, new_uuid, unique
from platform_process import micropay

CARD = "4111111111111111"


@pytest.fixture(scope="module")
def ada(platform):
    return platform.register("ada")


@pytest.mark.parametrize("sent, kept", [
    ("  Ada  ", "Ada"), ("n\u0303", "\u00f1"), ("\u0645\u062d\u0645\u062f", "\u0645\u062d\u0645\u062f"),
    ("\u05d3\u05d5\u05d3", "\u05d3\u05d5\u05d3"), ("\u5c71\u7530\u3000\u592a\u90ce", "\u5c71\u7530\u3000\u592a\u90ce"),
    ("\U0001f469\u200d\U0001f4bb \u2764\ufe0f", "\U0001f469\u200d\U0001f4bb \u2764\ufe0f")])
def test_names_are_kept_in_one_form(ada, sent, kept):
    assert ada.patch("users/me", {"displayName": sent})["displayName"] == kept
    assert ada.post("accounts", {"currency": "EUR", "name": sent}, expect=201)["name"] == kept


UNSEEN = ["\u200b", "   ", "\u00a0", "\u2800", "a\u0085b", "a\u009b31m", "a\x1b[31m", "a\u202eb", "\u200fa", "a\ufeff",
          "a\u2060b", "a\nb", "\ue000", "a\u0301\u0302\u0303\u0304\u0305\u0306"]


@pytest.mark.parametrize("name", UNSEEN)
def test_names_have_nothing_hidden(platform, ada, name):
    ada.refused(400, "invalid_format", "PATCH", "users/me", {"displayName": name}, field="displayName")
    ada.refused(400, "invalid_format", "POST", "accounts", {"currency": "EUR", "name": name}, field="name")
    body = {"email": f"{unique('x')}@example.org", "password": "a passphrase nobody has", "displayName": name}
    platform.anonymous().refused(400, "invalid_format", "POST", "users", body, field="displayName")


def test_texts_may_have_lines(platform, ada):
    bob = platform.register("bob")
    ada.top_up("5.00")
    assert ada.pay(bob, "1.00", description=" one\r\ntwo ")["description"] == "one\ntwo"
    ada.refused(400, "invalid_format", "POST", "payments", ada.payment_body(bob, "1.00", description="a\x07"),
                field="description")


# ---- metadata ----

def test_metadata_is_bounded_in_bytes(platform, ada):
    """Forty payments that failed for want of money left 14 MB behind."""
    bob = platform.register("bob")
    wide = {f"k{n}": "\U0001f642" * 1000 for n in range(3)}
    ada.refused(400, "too_long", "POST", "payments", ada.payment_body(bob, "1.00", metadata=wide), field="metadata")
    ada.refused(400, "too_long", "POST", "payments",
                ada.payment_body(bob, "1.00", metadata={f"k{n}": "x" * 1000 for n in range(9)}), field="metadata")
    ada.refused(400, "invalid_format", "POST", "payments",
                ada.payment_body(bob, "1.00", metadata={"k": "\u202e"}), field="metadata.k")
    ada.refused(400, "invalid_format", "POST", "payments",
                ada.payment_body(bob, "1.00", metadata={"\u200b": "v"}), field="metadata")
    ada.top_up("1.00")
    fits = {f"k{n}": "x" * 1000 for n in range(8)}
    assert ada.pay(bob, "1.00", metadata=fits)["metadata"] == fits


# ---- numbers of cards ----

@pytest.mark.parametrize("number", [CARD, "4111-1111-1111-1111", "4111 1111 1111 1111", "5555555555554444",
                                    "378282246310005", "card_4111111111111111",
                                    "\uff14\uff11\uff11\uff11" + "\uff11" * 12])
def test_numbers_of_cards_are_refused_unseen(platform, ada, number):
    bob = platform.register("bob")
    wallet = ada.wallet()
    pay = ada.payment_body(bob, "1.00")
    for path, body, field in [
            (f"accounts/{wallet}/top-ups", {"amount": money("1.00"), "paymentMethod": number}, "paymentMethod"),
            ("payments", pay | {"description": f"with {number}"}, "description"),
            ("payments", pay | {"metadata": {"card": number}}, "metadata.card"),
            ("payments", pay | {"metadata": {number: "card"}}, "metadata"),
            ("accounts", {"currency": "EUR", "name": number}, "name"),
            (f"accounts/{wallet}/close", {"reason": number}, "reason"),
            ("api-keys", {"name": number, "scopes": ["payments:read"]}, "name")]:
        document = ada.refused(400, "card_number_refused", "POST", path, body, field=field)
        assert number not in str(document)
    document = ada.refused(400, "unknown_field", "POST", "payments", pay | {number: 1})
    assert number not in str(document)
    assert number not in ada.request("GET", f"accounts/{number}").text


def test_a_number_of_a_card_is_nowhere(fresh_platform):
    """Refused, yet kept in clear and shown to staff."""
    platform = fresh_platform("gateway.access_log=on")
    ada = platform.register("ada")
    path = f"accounts/{ada.wallet()}/top-ups"
    ada.refused(400, "card_number_refused", "POST", path, {"amount": money("1.00"), "paymentMethod": CARD})
    ada.request("GET", f"payments?reference={CARD}")
    ada.request("GET", f"accounts/{CARD}")
    ada.request("GET", "accounts", headers={"X-Correlation-Id": CARD})
    ada.request("POST", path, {"amount": money("1.00"), "paymentMethod": "card_ok"},
                headers={"X-Correlation-Id": CARD})
    platform.stop()
    assert CARD.encode() not in platform.log.read_bytes()
    for file in platform.data.rglob("*"):
        if file.is_file():
            assert CARD.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("text", ["0190c5b2-7e0c-7000-8000-000000000001", "AT61 1904 3002 3457 3201", "4111111111111112",
                                  "2026-11-01 - 2026-11-30", "+43 660 1234567"])
def test_other_numbers_are_texts(ada, text):
    assert ada.post("accounts", {"currency": "EUR", "name": text}, expect=201)["name"] == text


# ---- terminals ----

def test_terminals_are_shown_escapes(fresh_platform):
    """Texts of earlier releases were checked by nobody: what is printed is escaped wherever it comes from."""
    platform = fresh_platform()
    platform.anonymous().request("GET", "accounts/%1b%5B31m%C2%9B", headers={"X-Correlation-Id": "a"})
    key = f"x\x1b[31m{new_uuid()}"
    shown = micropay("verify", "--data", key)
    assert "\x1b" not in shown.stderr + shown.stdout
    assert "\\u{1b}" in shown.stderr
    platform.stop()
    assert b"\x1b" not in platform.log.read_bytes()
