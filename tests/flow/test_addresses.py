"""Proven e-mail addresses: codes, the outbox, whose an address is, and who is found by it."""
import json
import re

import pytest

from platform_client import PASSWORD, User, problem, unique, wait_for
from platform_process import LocalPlatform, micropay


@pytest.fixture(scope="module")
def payer(platform):
    user = platform.register("payer")
    user.top_up("100.00")
    return user


def claim(platform, email, name, password=PASSWORD):
    """A user with this address who has proven nothing, signed in."""
    body = {"email": email, "password": password, "displayName": name}
    user = User(platform, email, password, platform.anonymous().post("users", body, expect=201)["id"])
    return user.login()


def test_a_registration_is_unproven_until_its_code_comes_back(platform):
    user = platform.register("new", prove=False)
    me = user.get("users/me")
    assert me["emailVerified"] is False and "emailVerifiedAt" not in me
    code = platform.code_of(user.email)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    user.refused(400, "invalid_code", "POST", "users/me/email/verify", {"code": wrong}, field="code")
    proven = user.post("users/me/email/verify", {"code": code}, expect=200)
    assert proven["emailVerified"] is True and proven["emailVerifiedAt"]
    assert user.get("users/me") == proven
    user.refused(409, "email_already_verified", "POST", "users/me/email/verification")


@pytest.mark.parametrize("code", ["", "12345", "1234567890123", "12345a", "\u0661\u0662\u0663\u0664\u0665\u0666"])
def test_what_is_no_code(platform, code):
    user = platform.register("nocode", prove=False)
    answer = user.request("POST", "users/me/email/verify", {"code": code})
    assert answer.status_code == 400 and answer.json()["field"] == "code"


def test_another_code_replaces_the_first_and_few_are_sent(platform):
    user = platform.register("again", prove=False)
    first = platform.code_of(user.email)
    user.post("users/me/email/verification", expect=204)
    second = wait_for(lambda: (code := platform.code_of(user.email)) != first and code, "another code")
    user.refused(400, "invalid_code", "POST", "users/me/email/verify", {"code": first})
    user.post("users/me/email/verify", {"code": second}, expect=200)
    other = platform.register("toomany", prove=False)
    for _ in range(4):
        other.post("users/me/email/verification", expect=204)
    refused = other.request("POST", "users/me/email/verification", {})
    problem(refused, 429, "too_many_codes")
    assert 0 < int(refused.headers["retry-after"]) <= 3600


def test_five_wrong_codes_spend_the_right_one(platform):
    user = platform.register("guess", prove=False)
    code = platform.code_of(user.email)
    for n in range(1, 6):
        user.refused(400, "invalid_code", "POST", "users/me/email/verify",
                     {"code": f"{(int(code) + n) % 1_000_000:06}"})
    user.refused(400, "invalid_code", "POST", "users/me/email/verify", {"code": code})


def test_a_squatter_gets_nothing_and_keeps_nobody_out(platform, payer):
    email = f"{unique('treasurer')}@bigcorp.example"
    squatter = claim(platform, email, "Squatter", "the squatter's password")
    unproven = problem(payer.try_pay(email, "1.00"), 404, "payee_not_found")
    nobody = problem(payer.try_pay(f"{unique()}@bigcorp.example", "1.00"), 404, "payee_not_found")
    for document in (unproven, nobody):
        document.pop("correlationId"), document.pop("paymentId")
    assert unproven == nobody, "whether somebody registered the address cannot be told"
    owner = claim(platform, email, "Owner", "the owner's own password").prove()
    # By address the payment service hears of it a moment later where services have databases of their own.
    wait_for(lambda: payer.try_pay(email, "1.00").status_code == 201, "payment to the proven address")
    assert wait_for(lambda: owner.balance() if owner.balance().available != "0.00" else None,
                    "money of the owner") == ("1.00", "0.00")
    assert squatter.balance() == ("0.00", "0.00")
    body = {"email": email, "password": PASSWORD, "displayName": "Third"}
    platform.anonymous().refused(409, "email_taken", "POST", "users", body, field="email")
    squatter.refused(409, "email_taken", "POST", "users/me/email/verification")
    # Both still sign in, each to his own.
    assert squatter.login().get("users/me")["id"] == squatter.id
    assert owner.login().get("users/me")["id"] == owner.id


def test_the_outbox_is_the_administrators(platform, admin, support):
    user = platform.register("reader")
    for other in (user, support, platform.staff("AUDITOR")):
        other.refused(403, "forbidden", "GET", "outbox")
    (message,) = admin.items("outbox", to=user.email.upper())
    assert (message["channel"], message["template"], message["recipient"], message["userId"]) \
        == ("EMAIL", "verify_email", user.email, user.id)
    assert message["subject"] and message["createdAt"]
    assert admin.items("outbox", userId=user.id, template="verify_email") == [message]
    assert admin.items("outbox", userId=user.id, template="nothing") == []
    page = admin.get("outbox", pageSize=1)
    assert len(page["messages"]) == 1
    assert admin.refused(400, "invalid_page_token", "GET", "outbox", params={"pageToken": "x"})


def test_codes_stand_in_no_event(platform, admin, auditor):
    user = platform.register("hidden", prove=False)
    code = platform.code_of(user.email)
    entries = wait_for(lambda: auditor.items("audit/entries", subject=user.id), "the trail")
    assert code not in json.dumps(entries) and "verificationCode" not in json.dumps(entries)
    if isinstance(platform, LocalPlatform):
        shown = micropay("events", "tail", "--from", "1", "--data", platform.data, "--type", "user.*")
        assert user.id in shown.stdout and "erificationCode" not in shown.stdout
        assert code not in platform.log.read_text()


def test_the_command_line_reads_the_outbox(platform):
    if not isinstance(platform, LocalPlatform):
        pytest.skip("of a folder on this machine")
    user = platform.register("cli", prove=False)
    code = platform.code_of(user.email)
    shown = micropay("outbox", "--data", platform.data, "--to", user.email)
    assert shown.returncode == 0 and re.search(rf"\b{code}\b", shown.stdout) and user.email in shown.stdout
    (line,) = micropay("outbox", "--data", platform.data, "--to", user.email, "--json").stdout.splitlines()
    assert code in json.loads(line)["body"]
    assert micropay("outbox", "--data", platform.data, "--to", "no address").returncode == 2
    assert micropay("outbox", "--data", platform.data / "nothing", "--follow").returncode == 2
