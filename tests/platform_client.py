"""What the tests speak to a platform: HTTP with a caller's rights, and waiting for what comes later.

api.get/post/put/patch/delete give the answer's JSON and fail the test on another status; api.refused() wants
a problem and gives its document; api.request() is the plain httpx.Response. Paths are below /api/v1
("payments"), or whole when they start with a slash ("/openapi.json").
"""
import re
import time
import uuid
from typing import NamedTuple

PASSWORD = "correct horse battery"


def money(value, currency="EUR"):
    return {"currency": currency, "value": value}


def unique(prefix="x"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def new_uuid():
    return str(uuid.uuid4())


def wait_for(condition, what="condition", seconds=15.0):
    """The first true value of condition(), asked again and again."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s; last: {value!r}"
        time.sleep(0.01)


class Held(NamedTuple):
    """A wallet's balance as text: what may be spent, and what is reserved."""
    available: str
    reserved: str


class Api:
    """A caller: anonymous, or with a token."""

    def __init__(self, platform, token=None):
        self.platform = platform
        self.token = token

    def request(self, method, path, body=None, *, key=None, headers=None, **options):
        """The answer, whatever it is. A POST gets an Idempotency-Key; key gives another one, "" none."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if method == "POST" and key != "":
            sent["Idempotency-Key"] = key or new_uuid()
        sent.update(headers or {})
        if body is not None:
            options["json"] = body
        url = path if path.startswith("/") else f"/api/v1/{path}"
        return self.platform.client.request(method, url, headers=sent, **options)

    def expect(self, status, method, path, body=None, **options):
        response = self.request(method, path, body, **options)
        expected = (status,) if isinstance(status, int) else status
        assert response.status_code in expected, told(response, f"expected {status}")
        return response.json() if response.content else None

    def get(self, path, expect=200, **params):
        return self.expect(expect, "GET", path, params=params or None)

    def items(self, path, **params):
        """The items of the first page of a list."""
        return items_of(self.get(path, **params))

    def post(self, path, body=None, expect=(200, 201, 202, 204), **options):
        return self.expect(expect, "POST", path, {} if body is None else body, **options)

    def put(self, path, body, expect=200, **options):
        return self.expect(expect, "PUT", path, body, **options)

    def patch(self, path, body, expect=200, **options):
        return self.expect(expect, "PATCH", path, body, **options)

    def delete(self, path, expect=204, **options):
        return self.expect(expect, "DELETE", path, **options)

    def refused(self, status, code, method, path, body=None, *, field=None, **options):
        """The problem document of an answer that must have this status, code and (unless None) field."""
        if body is None and method in ("POST", "PUT", "PATCH") and "content" not in options:
            body = {}
        return problem(self.request(method, path, body, **options), status, code, field)


def told(response, text):
    request = response.request
    sent = request.content[:500].decode("utf-8", "replace")
    return f"{text}\n  {request.method} {request.url} {sent}\n  {response.status_code} {response.text[:1500]}"


def problem(response, status, code, field=None):
    assert response.status_code == status, told(response, f"expected {status} {code}")
    assert response.headers["content-type"] == "application/problem+json", told(response, "no problem")
    document = response.json()
    assert document["code"] == code, told(response, f"expected {code}")
    assert document["status"] == status and document["title"], told(response, "not as RFC 9457 says")
    assert document["correlationId"] == response.headers["x-correlation-id"], told(response, "correlation id")
    if field is not None:
        assert document.get("field", "") == field, told(response, f"expected the field {field!r}")
    return document


def items_of(page):
    return next(value for value in page.values() if isinstance(value, list))


def all_pages(api, path, **params):
    """Every item of a list, page by page."""
    found, token = [], ""
    while True:
        page = api.get(path, **params, **({"pageToken": token} if token else {}))
        found += items_of(page)
        token = page.get("nextPageToken", "")
        if not token:
            return found


class User(Api):
    """Somebody who signed in."""

    def __init__(self, platform, email, password=PASSWORD, user_id=None):
        super().__init__(platform)
        self.email, self.password, self.id = email, password, user_id
        self.refresh_token = None
        self._wallets = {}

    def login(self):
        self.token = None
        pair = self.post("auth/login", {"email": self.email, "password": self.password}, expect=200)
        self.token, self.refresh_token = pair["accessToken"], pair["refreshToken"]
        if self.id is None:
            self.id = self.get("users/me")["id"]
        return self

    def prove(self):
        """Shows by the code that was sent there that the address is this user's."""
        code = self.platform.code_of(self.email)
        if code is not None:
            self.post("users/me/email/verify", {"code": code}, expect=200)
        return self

    def _mine(self):
        """Staff sees everybody's wallets: the parameter that leaves its own."""
        staff = {"ADMIN", "SUPPORT", "AUDITOR"} & set(self.get("users/me")["roles"])
        return {"userId": self.id} if staff else {}

    def wallet(self, currency="EUR"):
        """The id of the wallet of this currency, opened when there is none."""
        if currency not in self._wallets:
            if currency == "EUR":  # opened with the registration
                self._wallets[currency] = wait_for(
                    lambda: [row for row in self.items("accounts", currency="EUR", **self._mine())
                             if row["status"] != "CLOSED"], "first wallet")[-1]["id"]
            else:
                self._wallets[currency] = self.post("accounts", {"currency": currency}, expect=201)["id"]
            path = f"accounts/{self._wallets[currency]}/balance"
            wait_for(lambda: self.request("GET", path).status_code == 200, "balance of a new wallet")
        return self._wallets[currency]

    def new_wallet(self, currency="EUR", **fields):
        """One more wallet, whatever there is."""
        wallet = self.post("accounts", {"currency": currency, **fields}, expect=201)["id"]
        wait_for(lambda: self.request("GET", f"accounts/{wallet}/balance").status_code == 200,
                 "balance of a new wallet")
        return wallet

    def balance(self, wallet=None):
        view = self.get(f"accounts/{wallet or self.wallet()}/balance")
        return Held(view["available"]["value"], view["reserved"]["value"])

    def reservations(self, wallet=None):
        return self.items(f"accounts/{wallet or self.wallet()}/reservations")

    def top_up(self, value, wallet=None, currency="EUR", card="card_ok", **options):
        body = {"amount": money(value, currency), "provider": "sandbox", "paymentMethod": card}
        return self.post(f"accounts/{wallet or self.wallet(currency)}/top-ups", body, **options)

    def payment_body(self, payee, value, currency="EUR", **fields):
        """payee: a user, an account id, or an e-mail address."""
        body = {"payerAccountId": self.wallet(currency), "amount": money(value, currency)}
        if isinstance(payee, User):
            payee = payee.wallet(currency)
        body["payeeEmail" if "@" in payee else "payeeAccountId"] = payee
        return body | fields

    def try_pay(self, payee, value, currency="EUR", headers=None, key=None, **fields):
        return self.request("POST", "payments", self.payment_body(payee, value, currency, **fields),
                            headers=headers, key=key)

    def pay(self, payee, value, currency="EUR", **fields):
        """A payment that completes."""
        response = self.try_pay(payee, value, currency, **fields)
        assert response.status_code == 201, told(response, "expected a completed payment")
        payment = response.json()
        assert payment["status"] == "COMPLETED", payment
        return payment

    def event_types(self, payment_id, least):
        """The types of a payment's events in order, when there are so many: the story follows the payment."""
        events = wait_for(lambda: enough(self.items(f"payments/{payment_id}/events"), least),
                          f"{least} events")
        return [event["type"] for event in events]


def enough(items, least):
    return items if len(items) >= least else None


class Platform:
    """Somewhere that a platform runs: its addresses, one HTTP client, and users made once."""

    url = ops_url = None
    engine_ops_url = None  # of a process that has an engine, when that is another
    client = None
    one_log = True  # all services have one log, and with it one order of all events

    def anonymous(self):
        return Api(self)

    def ops(self, path):
        return self.client.get(self.ops_url + path)

    def order(self, items):
        """Of events of several services, as far as it is one: with logs of their own, whoever hears two services
        hears them in an order of its own."""
        return list(items) if self.one_log else sorted(items)

    def engine_ops(self, path):
        return self.client.get((self.engine_ops_url or self.ops_url) + path)

    @property
    def ws_url(self):
        return self.url.replace("http", "ws", 1) + "/ws"

    def code_of(self, email):
        """The code that was sent to the address last; None: this platform is of a release without codes."""
        admin = self.staff("ADMIN")
        if admin.request("GET", "outbox", params={"pageSize": 1}).status_code == 404:
            return None
        sent = wait_for(lambda: admin.items("outbox", to=email, template="verify_email"), f"code for {email}")
        return re.search(r"\b\d{6,12}\b", sent[0]["body"])[0]

    def register(self, prefix="user", prove=True, **fields):
        """A new user, signed in; the address is proven."""
        user = User(self, f"{unique(prefix)}@example.org")
        body = {"email": user.email, "password": user.password, "displayName": prefix.title()} | fields
        user.id = user.post("users", body, expect=201)["id"]
        user.login()
        return user.prove() if prove else user

    def staff(self, role):
        """Somebody with this role alone, made once; ADMIN is the first administrator."""
        if role not in self._staff:
            if role == "ADMIN":
                self._staff[role] = self.make_admin()
            else:
                user = self.register(role.lower())
                self.staff("ADMIN").put(f"users/{user.id}/roles", {"roles": [role], "reason": "for a test"})
                self._staff[role] = user.login()
        return self._staff[role]

    def make_admin(self):
        raise NotImplementedError
