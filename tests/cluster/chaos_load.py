"""Customers of a cluster who go on whatever happens to it: payments to each other and to one merchant, refunds,
top-ups, ledger transfers. Each has an idempotency key of its own and is asked for until there is a final answer;
what was answered is kept, with when.
"""
import collections
import http.client
import json
import random
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

from platform_client import money, new_uuid

CUSTOMERS = 8
FIRST_LOAD = 500_000  # cents
TOO_MUCH = 90_000_000
PAUSE_SECONDS = (0.005, 0.05)  # between two payments of a customer
AGAIN_SECONDS = 0.1  # after an answer that says to come again
ANSWER_SECONDS = 30
# What says nothing about the payment but that the same key may be asked again.
AGAIN = {409: ("idempotency_in_progress",), 429: None, 502: None, 503: None, 504: None}
KINDS = {"paid": 64, "merchant": 14, "refused": 4, "later": 6, "loaded": 5, "refunded": 4, "transferred": 3}


def text_of(cents):
    return f"{cents // 100}.{cents % 100:02}"


@dataclass
class Try:
    kind: str
    caller: object
    path: str
    body: dict
    moves: list  # (account, cents) of what happens when it succeeds
    key: str = field(default_factory=new_uuid)
    headers: dict = field(default_factory=dict)
    status: int = 0  # of the first final answer; 0: none yet
    id: str = ""
    code: str = ""  # of a refusal
    lost: int = 0   # attempts without an answer

    def __str__(self):
        return f"{self.kind} {self.id or '(no id)'} with key {self.key}"


class Connection:
    """One caller's way to the gateway; opened again when it broke."""

    def __init__(self, url):
        self.where = urllib.parse.urlsplit(url)
        self.http = None

    def ask(self, one):
        """(status, document), or None when nothing came back."""
        if self.http is None:
            self.http = http.client.HTTPConnection(self.where.hostname, self.where.port, timeout=ANSWER_SECONDS)
        headers = {"Authorization": f"Bearer {one.caller.token}", "Content-Type": "application/json",
                   "Idempotency-Key": one.key} | one.headers
        try:
            self.http.request("POST", one.path, json.dumps(one.body), headers)
            answer = self.http.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            self.close()
            return None

    def close(self):
        if self.http is not None:
            self.http.close()
        self.http = None


def found_id(one, document):
    if one.kind == "transferred":
        return document["transfers"][0]["id"]
    return document.get("id") or document.get("paymentId", "")  # of a problem


class Customer(threading.Thread):
    def __init__(self, load, number, dice):
        super().__init__(name=f"customer {number}", daemon=True)
        self.load, self.random = load, dice
        self.user, self.wallet = load.users[number], load.wallets[number]
        self.tries = []
        self.served = []  # (asked at, answered at) of everything that was final
        self.problem = None

    def next_try(self):
        kinds = list(KINDS)
        kind = self.random.choices(kinds, [KINDS[name] for name in kinds])[0]
        done = [one for one in self.tries[-200:] if one.kind in ("paid", "merchant") and one.status == 201]
        if kind == "refunded" and not done:
            kind = "paid"
        return getattr(self, kind)(done) if kind == "refunded" else getattr(self, kind)()

    def payment(self, kind, payee, cents, **headers):
        body = {"payerAccountId": self.wallet, "payeeAccountId": payee, "amount": money(text_of(cents))}
        return Try(kind, self.user, "/api/v1/payments", body, [(self.wallet, -cents), (payee, cents)], headers=headers)

    def other(self):
        return self.random.choice([wallet for wallet in self.load.wallets if wallet != self.wallet])

    def paid(self):
        return self.payment("paid", self.other(), self.random.randint(1, 300))

    def merchant(self):
        return self.payment("merchant", self.load.merchant_wallet, self.random.randint(1, 300))

    def refused(self):
        one = self.payment("refused", self.other(), TOO_MUCH)
        one.moves = []
        return one

    def later(self):
        return self.payment("later", self.other(), self.random.randint(1, 300), Prefer="respond-async")

    def loaded(self):
        cents = self.random.randint(1, 300)
        return Try("loaded", self.user, f"/api/v1/accounts/{self.wallet}/top-ups",
                   {"amount": money(text_of(cents)), "provider": "sandbox", "paymentMethod": "card_ok"},
                   [(self.wallet, cents)])

    def refunded(self, done):
        """One cent of a payment goes back; its payee gives it."""
        one = self.random.choice(done)
        payee = one.body["payeeAccountId"]
        return Try("refunded", self.load.owners[payee], f"/api/v1/payments/{one.id}/refunds", {"amount": money("0.01")},
                   [(payee, -1), (self.wallet, 1)])

    def transferred(self):
        cents, to = self.random.randint(1, 300), self.other()
        body = {"transfers": [{"id": new_uuid(), "action": "POST_NOW", "amount": money(text_of(cents)),
                               "debitAccountId": self.wallet, "creditAccountId": to}]}
        return Try("transferred", self.load.admin, "/api/v1/ledger/transfers", body, [(self.wallet, -cents), (to, cents)])

    def run(self):
        connection = Connection(self.load.url)
        try:
            while not self.load.stopping.is_set():
                self.tries.append(self.next_try())
                self.settle(self.tries[-1], connection)
                time.sleep(self.random.uniform(*PAUSE_SECONDS))
        except Exception as problem:  # told at the end of the blow
            self.problem = problem
        finally:
            connection.close()

    def settle(self, one, connection):
        """Asks until the answer is final."""
        deadline = time.monotonic() + self.load.patience
        while True:
            asked = time.monotonic()
            answer = connection.ask(one)
            if self.load.note(one, answer):
                self.served.append((asked, time.monotonic()))
                return
            assert time.monotonic() < deadline, f"{one} has no final answer; last: {answer}"
            time.sleep(AGAIN_SECONDS)


class Load:
    """All customers at once."""

    def __init__(self, platform, seed, patience=120):
        self.url, self.patience = platform.url, patience
        self.stopping = threading.Event()
        self.answers = collections.Counter()  # by status and code, all of them
        self.lock = threading.Lock()
        self.admin = platform.staff("ADMIN")
        self.merchant_user = platform.register("merchant")
        self.merchant_wallet = self.merchant_user.wallet()
        self.users = [platform.register(f"customer{number}") for number in range(CUSTOMERS)]
        self.wallets = [user.wallet() for user in self.users]
        self.owners = dict(zip(self.wallets, self.users)) | {self.merchant_wallet: self.merchant_user}
        for user in self.users:
            user.top_up(text_of(FIRST_LOAD))
        self.customers = [Customer(self, number, random.Random(f"{seed} {number}")) for number in range(CUSTOMERS)]

    def start(self):
        for customer in self.customers:
            customer.start()

    def note(self, one, answer):
        """Whether the answer is final. What must never be answered is a problem of the customer."""
        if answer is None:
            one.lost += 1
            with self.lock:
                self.answers["none"] += 1
            return False
        status, document = answer
        code = document.get("code", "")
        with self.lock:
            self.answers[f"{status} {code}".strip()] += 1
        if status in AGAIN and (AGAIN[status] is None or code in AGAIN[status]):
            return False
        assert status in (201, 202) or (status in (402, 409, 422) and one.kind in ("refused", "refunded")), \
            f"{one} was answered {status} {document}"
        found = found_id(one, document)
        if one.kind in ("paid", "merchant", "later", "refused") and status == 201:
            assert document["status"] == "COMPLETED", document
        assert one.id in ("", found), f"{one} was answered a second time as {found}"
        if one.status == 0:
            one.status, one.id, one.code = status, found, code
        elif one.status == 202:
            assert status in (201, 202, 402), f"{one} was answered 202, then {status} {document}"
        else:
            assert (one.status, one.code) == (status, code), \
                f"{one} was answered {one.status} {one.code}, then {status} {document}"
        return True

    def check(self):
        """Raises what a customer has found to be wrong."""
        for customer in self.customers:
            if customer.problem is not None:
                raise customer.problem

    def stop(self):
        """Nobody begins anything new; what was begun is asked for until it is final."""
        self.stopping.set()
        for customer in self.customers:
            customer.join(self.patience + ANSWER_SECONDS)
            assert not customer.is_alive(), f"{customer.name} hangs"
        self.check()

    def tries(self):
        return [one for customer in self.customers for one in customer.tries]

    # ---- how it was served ----

    def served_again(self, since):
        """When each customer had the first answer to something asked after a moment; None as long as one had none."""
        whens = []
        for customer in self.customers:
            after = [answered for asked, answered in customer.served[-500:] if asked >= since]
            if not after:
                return None
            whens.append(min(after))
        return whens

    def longest_silence(self, since, until):
        """The longest time without any final answer."""
        whens = sorted(answered for customer in self.customers for _, answered in customer.served[-2000:]
                       if since <= answered <= until)
        return max(b - a for a, b in zip([since, *whens], [*whens, until]))
