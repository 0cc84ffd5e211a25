"""Who may call what, for every route of /openapi.json: its x-access says what the contract allows, and the
platform does that and nothing else. Each caller calls each route: is it let in (401, 403, 404)?
"""
import re
import uuid

import pytest

from platform_client import Api, User, money, new_uuid

STAFF = ("SUPPORT", "AUDITOR", "ADMIN")
# Bodies with which a request gets as far as the question of who owns the record.
BODIES = {
    "createAccount": {"currency": "EUR"},
    "createTopUp": {"amount": money("1.00"), "paymentMethod": "card_ok"},
    "confirmTopUp": {"challengeCode": "123456"},
    "createPayment": {"payerAccountId": "{accountId}", "payeeEmail": "nobody@nowhere.example",
                      "amount": money("1.00")},
    "freezeAccount": {"reason": "for a test"},
    "unfreezeAccount": {"reason": "for a test"},
    "setLimits": {"limits": {}},
    "freezeHolder": {"reason": "for a test"},
    "unfreezeHolder": {"reason": "for a test"},
    "setRoles": {"roles": ["USER"], "reason": "for a test"},
    "reverseTransaction": {"reason": "for a test"},
    "decideFraudCase": {"decision": "APPROVE", "note": "for a test"},
}


class Operation:
    def __init__(self, method, path, document):
        self.method, self.path = method.upper(), path
        self.name, self.access = document["operationId"], document["x-access"]
        self.variables = re.findall(r"{(\w+)}", path)

    def __repr__(self):
        return f"{self.method} {self.path}"

    def allowed(self, role):
        access = self.access
        return access.get("public") or access.get("signedIn") or role in access.get("roles", [])

    def call(self, api, ids, body=None):
        path = self.path
        for variable in self.variables:
            path = path.replace("{%s}" % variable, ids(self, variable))
        if self.method in ("GET", "DELETE"):
            return api.request(self.method, path)
        body = BODIES.get(self.name, {}) if body is None else body
        filled = {name: ids(self, "accountId") if value == "{accountId}" else value
                  for name, value in body.items()}
        return api.request(self.method, path, filled)


@pytest.fixture(scope="module")
def operations(platform):
    document = platform.anonymous().get("/openapi.json")
    found = [Operation(method, path, operation) for path, verbs in document["paths"].items()
             for method, operation in verbs.items()]
    assert len(found) >= 45
    return found


def of_nobody(operation, variable):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, variable))


def test_every_operation_says_who_may_call_it(operations):
    words = {"public", "signedIn", "roles", "owner", "scope"}
    silent = [operation for operation in operations if not operation.access
              or not words.issuperset(operation.access)]
    assert silent == []


def test_nobody_signed_in(platform, operations):
    """401 with a challenge, unless the route is public; also when the request is broken otherwise."""
    wrong = []
    for operation in operations:
        response = operation.call(platform.anonymous(), of_nobody, {})
        refused = response.status_code == 401 and response.json()["code"] == "unauthenticated"
        challenged = response.headers.get("www-authenticate", "").startswith("Bearer")
        is_public = bool(operation.access.get("public"))
        if is_public == (refused and challenged):
            wrong.append((operation, response.status_code, response.text))
    assert wrong == []


@pytest.mark.parametrize("role", ["USER", *STAFF])
def test_roles(platform, operations, role):
    """403 exactly where the contract denies the role; an owner's route answers others 404."""
    caller = platform.register("plain") if role == "USER" else platform.staff(role)
    wrong = []
    for operation in operations:
        if operation.name == "changePassword":
            continue  # its own 403 is for the wrong password
        response = operation.call(caller, of_nobody)
        if operation.allowed(role):
            right = response.status_code not in (401, 403) or operation.access.get("public")
        elif "owner" in operation.access:
            right = response.status_code == 404
        else:
            right = response.status_code == 403 and response.json()["code"] == "forbidden"
        if not right or response.status_code >= 500:
            wrong.append((operation, response.status_code, response.text))
    assert wrong == []


@pytest.fixture(scope="module")
def victim(platform):
    """Somebody who has one of everything, and the id of each by the path that it belongs to."""
    user = platform.register("victim")
    other = platform.register("other")
    top_up = user.top_up("100.00", expect=201)
    payment = user.pay(other, "1.00")
    session = User(platform, user.email, user.password).login().items("sessions")[0]
    key = user.post("api-keys", {"name": "mine", "scopes": ["payments:read"]}, expect=201)["apiKey"]
    notes = user.items("notifications")
    return user, {"users": user.id, "accounts": user.wallet(), "top-ups": top_up["id"],
                  "payments": payment["id"],
                  "transactions": payment["transactionId"], "sessions": session["id"], "api-keys": key["id"],
                  "notifications": notes[0]["id"] if notes else new_uuid()}


def test_anothers_records_do_not_exist(platform, operations, victim):
    """Each route that names a record of somebody else answers 404 to a plain user, and changes nothing."""
    user, known = victim
    stranger = platform.register("stranger")

    def of_victim(operation, variable):
        if variable == "accountId" and "{accountId}" not in operation.path:
            return known["accounts"]  # in a body
        before = operation.path[:operation.path.index("{%s}" % variable)].rstrip("/")
        return known[before.rsplit("/", 1)[1]]
    tried, wrong = [], []
    for operation in operations:
        mine = operation.access.get("signedIn") or "owner" in operation.access
        if not mine or not (operation.variables or "owner" in operation.access):
            continue
        tried.append(operation.name)
        response = operation.call(stranger, of_victim)
        if response.status_code != 404 or response.json()["code"] != "not_found":
            wrong.append((operation, response.status_code, response.text))
    assert wrong == []
    assert len(tried) >= 19, tried
    assert user.balance() == ("99.00", "0.00") and user.get(f"accounts/{user.wallet()}")["status"] == "ACTIVE"
    assert user.items("api-keys")[0]["revoked"] is False
    assert {session["status"] for session in user.items("sessions")} == {"ACTIVE"}


@pytest.mark.parametrize("path", ["payments?accountId={accounts}", "transactions?accountId={accounts}",
                                  "accounts?userId={users}"])
def test_anothers_lists_do_not_exist(platform, victim, path):
    stranger = platform.register("lister")
    stranger.refused(404, "not_found", "GET", path.format_map(victim[1]))


def test_own_records_do(platform, operations, victim):
    """The counterpart: the owner is let in wherever a stranger was not (reading only)."""
    user, known = victim
    for path in ("users/{users}", "accounts/{accounts}", "accounts/{accounts}/balance",
                 "accounts/{accounts}/reservations", "accounts/{accounts}/top-ups",
                 "accounts/{accounts}/top-ups/{top-ups}", "payments/{payments}", "payments/{payments}/events",
                 "payments/{payments}/refunds", "transactions/{transactions}",
                 "payments?accountId={accounts}", "transactions?accountId={accounts}",
                 "accounts?userId={users}"):
        user.get(re.sub(r"{([\w-]+)}", lambda match: known[match[1]], path))


def test_an_api_key_opens_its_scope_only(platform, operations, admin):
    made = admin.post("api-keys", {"name": "ledger", "scopes": ["ledger:read"]}, expect=201)
    key = Api(platform, made["secret"])
    wrong = []
    for operation in operations:
        if operation.access.get("public"):
            continue
        response = operation.call(key, of_nobody, {})
        in_scope = operation.access.get("scope") == "ledger:read"
        if in_scope == (response.status_code == 403):
            wrong.append((operation, response.status_code, response.text))
    admin.delete(f"api-keys/{made['apiKey']['id']}")
    assert wrong == []
