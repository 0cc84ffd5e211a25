"""Schemathesis against /openapi.json: whatever it makes of the document, valid or not, for every operation
and role, the answer is no 5xx, and its status, headers, content type and shape are those that the document
says.

What it makes follows from a seed. Ids that it cannot know are put in from records that the callers own, so
that answers with content are looked at, too, and not only 404.
"""
import json
import os
import random

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi_checks

from platform_client import PASSWORD, Api, User, money, unique, wait_for
from platform_process import micropay

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("MICROPAY_TEST_SEED", "1"))
EXAMPLES = int(os.environ.get("MICROPAY_TEST_EXAMPLES", "6"))  # of each operation, role and mode
ROLES = ["ANONYMOUS", "USER", "SUPPORT", "ADMIN", "AUDITOR"]
# What HTTP itself has, or every answer of every server: OpenAPI is not the place for them.
COMMON_HEADERS = {"content-type", "content-length", "content-encoding", "date", "connection", "vary",
                  "cache-control",
                  "x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"}


def documented_headers(document, operation, status):
    answer = operation.definition.raw["responses"].get(str(status), {})
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return {name.lower() for name in answer.get("headers", {})}


def no_undocumented_header(ctx, response, case):
    sent = set(response.headers)
    known = documented_headers(SCHEMA.raw_schema, case.operation, response.status_code)
    assert sent - COMMON_HEADERS <= known, f"{response.status_code}: {sent - COMMON_HEADERS - known}"


CHECKS = [no_undocumented_header, checks.not_a_server_error, openapi_checks.status_code_conformance,
          openapi_checks.content_type_conformance, openapi_checks.response_headers_conformance,
          openapi_checks.response_schema_conformance]


def load():
    document = json.loads(micropay("openapi").stdout)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    return schema


SCHEMA = load()
REACHED = {}  # operation -> statuses
# What needs a secret, a state or a role that is not made here; their stories are told in tests/flow.
HARD_TO_REACH = {
    "GET /api/v1/dead-letters/{id}", "POST /api/v1/dead-letters/{id}/redrive", "POST /api/v1/auth/password",
    "POST /api/v1/accounts/{accountId}/top-ups/{topUpId}/confirm", "POST /api/v1/ledger/transfers",
    "GET /api/v1/ledger/transfers/{id}", "POST /api/v1/users/me/email/verification",  # of whom has proven his
    "POST /api/v1/payments"}  # one payee, but not two
OPERATIONS = {operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()}


@pytest.fixture(scope="module")
def callers(module_platform):
    """An API for each role, and one that is not fuzzed, whose records are asked for."""
    platform = module_platform("user.access_token_ttl=12h")
    found = {role: platform.staff(role) for role in ("ADMIN", "SUPPORT", "AUDITOR")}
    found["USER"] = platform.register("user")
    found["ANONYMOUS"] = Api(platform)
    return found


@pytest.fixture(scope="module")
def known(callers):
    """Values of fields by name: what makes a request mean something."""
    user, other = callers["USER"], callers["ADMIN"].platform.register("other")
    for _ in range(3):
        user.top_up("9000.00")
    other.top_up("100.00")  # or what is refunded would be missing when a payment is to be reversed
    payments = [user.pay(other, "1.00")["id"] for _ in range(3)]
    # So much to somebody new waits for a decision: two are for staff to decide, one for its payer to cancel.
    held = [user.try_pay(user.platform.register("new"), "6000.00").json()["id"] for _ in range(3)]
    cases = [wait_for(lambda: callers["ADMIN"].items("fraud/cases", paymentId=payment), "a case")[0]["id"]
             for payment in held[:2]]
    top_up = user.items(f"accounts/{user.wallet()}/top-ups")[0]["id"]
    transfers = user.items("transactions", accountId=user.wallet())
    notifications = user.items("notifications")
    own = {one["id"] for one in user.items("sessions")}  # to be left alone: its token is used
    spare = [User(user.platform, user.email, user_id=user.id).login() for _ in range(8)]
    sessions = [one["id"] for one in user.items("sessions") if one["id"] not in own]
    for number in range(8):
        user.post("api-keys", {"name": f"key {number}", "scopes": ["payments:read"]}, expect=201)
    return {"accounts": [user.wallet(), user.wallet("USD")], "spare": [user.new_wallet() for _ in range(3)],
            "payments": payments,
            "userId": [other.id], "topUpId": [top_up], "transactions": [one["id"] for one in transfers],
            "users": [user.platform.register("victim").id],  # to be frozen, suspended and given roles
            "reason": ["for a test"], "note": ["for a test"],
            "perPayment": [money("50.00")], "perDay": [money("500.00")], "perMonth": [money("5000.00")],
            "notifications": [one["id"] for one in notifications], "payerAccountId": [user.wallet()],
            "payeeAccountId": [other.wallet()],
            "payeeEmail": [other.email], "email": [other.email], "password": [PASSWORD], "sessions": sessions,
            "api-keys": [one["id"] for one in user.items("api-keys")], "amount": [money("0.01")],
            "scopes": [["payments:read"]],
            "provider": ["sandbox"], "paymentMethod": ["card_ok", "card_declined", "card_challenge"],
            "refreshToken": [one.refresh_token for one in spare[4:]],
            "fraud": cases, "cancel": held[2:]}


def known_for(known, name, path):
    """Values for a field or parameter of this name at this path; none when there are none."""
    if name == "userId" and path.startswith("/api/v1/users/"):
        return known["users"]
    if name in known:
        return known[name]
    if name == "paymentId":
        return known["payments"]
    if name.lower().endswith("accountid"):
        return known["accounts"]
    if name == "id" and path.endswith(("freeze", "close", "limits")):
        return known["spare"]  # the others are to go on working
    kind = "cancel" if path.endswith("cancel") else path.split("/")[3]
    return known.get(kind, []) if name == "id" else []


def with_known(value, known, path, chance):
    """A body with ids of records that there are."""
    if not isinstance(value, dict):
        return value
    return {name: chance.choice(found) if (found := known_for(known, name, path))
            else with_known(inner, known, path, chance) for name, inner in value.items()}


def make_it_mean_something(case, known, chance):
    path = case.operation.path
    for place in (case.path_parameters, case.query):
        for name in list(place or {}):
            found = known_for(known, name, path)
            if found and chance.random() < 0.7:
                place[name] = chance.choice(found)
    if isinstance(case.body, dict) and "/accounts/" in path and path.endswith("/freeze"):
        case.body["scope"] = "WALLET"  # the others are to go on working
    if isinstance(case.body, dict) and chance.random() < 0.7:
        case.body = with_known(case.body, known, path, chance)
        if path.endswith("/payments") and "payeeAccountId" in case.body:
            case.body.pop("payeeEmail", None)  # one of both is wanted, which the document cannot say
        if "email" in case.body and path.endswith("/users"):
            case.body["email"] = f"{unique('made')}@example.org"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("label", OPERATIONS)
def test_answers_are_as_documented(callers, known, label, role):
    operation, caller = OPERATIONS[label], callers[role]
    chance = random.Random(f"{SEED} {label} {role}")
    headers = {"Authorization": f"Bearer {caller.token}"} if caller.token else {}

    def one(case):
        make_it_mean_something(case, known, chance)
        case.headers = {name: value for name, value in (case.headers or {}).items()
                        if name.lower() != "authorization"}
        response = case.call(base_url=caller.platform.url, headers=headers, timeout=60)
        case.validate_response(response, checks=CHECKS)
        REACHED.setdefault(label, set()).add(response.status_code)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        run = given(operation.as_strategy(generation_mode=mode))(one)
        run = settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
                       suppress_health_check=list(HealthCheck))(seed(SEED)(run))
        run()


def test_what_is_documented_was_reached():
    """Of each operation an answer that is no refusal, or the test above would prove little."""
    if len(REACHED) < len(OPERATIONS):
        pytest.skip("needs all of the tests above")
    without = {label for label, statuses in REACHED.items() if min(statuses) >= 300}
    missing = without - HARD_TO_REACH
    assert not missing, "\n".join(sorted(missing))


def test_everybody_is_still_signed_in(callers):
    """Otherwise the tests above would have looked at refusals only."""
    for role in ROLES[1:]:
        assert callers[role].get("users/me")["id"] == callers[role].id
