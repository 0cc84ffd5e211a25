"""People who pay without a pause, whatever happens to the platform. Each payment has a fresh idempotency key;
who gets no answer asks again with the same key when the platform is back. What was answered is written down.
"""
import concurrent.futures
import http.client
import json
import urllib.parse
from dataclasses import dataclass

from platform_client import money, new_uuid, wait_for

PAID = "0.01"
TOO_MUCH = "900000.00"
LOADED = "1.00"


@dataclass
class Try:
    """One request that moves money, and the first final answer to it, if there was one."""
    key: str
    path: str
    body: dict
    kind: str  # paid, refused, later (202 at once), loaded (a top-up)
    id: str = ""
    status: int = 0
    lost: bool = False  # at least one attempt got no answer


class Payer:
    """One user on one connection of his own."""

    def __init__(self, user, payee, random):
        self.user, self.payee, self.random = user, payee, random
        self.wallet = user.wallet()
        self.tries = []
        self.checked = 0  # so many of them were looked up
        self.connection = None
        self.url = None

    def next_try(self):
        kind = self.random.choices(("paid", "refused", "later", "loaded"), (80, 6, 8, 6))[0]
        if kind == "loaded":
            body = {"amount": money(LOADED), "provider": "sandbox", "paymentMethod": "card_ok"}
            return Try(new_uuid(), f"/api/v1/accounts/{self.wallet}/top-ups", body, kind)
        body = {"payerAccountId": self.wallet, "payeeAccountId": self.payee,
                "amount": money(TOO_MUCH if kind == "refused" else PAID)}
        return Try(new_uuid(), "/api/v1/payments", body, kind)

    def ask(self, one, url):
        """(status, document), or None when nothing came back."""
        if self.connection is None or self.url != url:
            self.close()
            where = urllib.parse.urlsplit(url)
            self.connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
            self.url = url
        headers = {"Authorization": f"Bearer {self.user.token}", "Content-Type": "application/json",
                   "Idempotency-Key": one.key}
        if one.kind == "later":
            headers["Prefer"] = "respond-async"
        try:
            self.connection.request("POST", one.path, json.dumps(one.body), headers)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            self.close()
            one.lost = True
            return None

    def unchecked(self):
        """What was tried since it was last looked up; the last of it may be without an answer yet."""
        return self.tries[self.checked:]

    def oldest_unchecked(self):
        return next((one.id for one in self.unchecked() if one.id and one.kind != "loaded"), None)

    def note_checked(self):
        self.checked = sum(1 for one in self.tries if one.status != 0)

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def settle(self, one, url):
        """Asks once; True when the answer is final. A platform that stops or is busy may say 503 and 409."""
        answer = self.ask(one, url)
        if answer is None or answer[0] in (409, 503):
            return False
        status, document = answer
        expected = {"refused": (402,), "loaded": (201, 202), "later": (201, 202)}.get(one.kind, (201,))
        assert status in expected, f"{one} was answered {status} {document}"
        found = document.get("paymentId") or document["id"]
        if status == 201:
            assert document["status"] == "COMPLETED", document
        assert one.id in ("", found), f"{one} was answered a second time as {found}"
        one.id, one.status = found, status
        return True


class Load:
    """All of them at once, each on a thread, from go() until the platform is gone."""

    def __init__(self, payers):
        self.payers = payers
        self.pool = concurrent.futures.ThreadPoolExecutor(len(payers))
        self.running = []

    def go(self, url):
        self.running = [self.pool.submit(self.pay, payer, url) for payer in self.payers]

    def pay(self, payer, url):
        one = next((one for one in payer.tries if one.status == 0), None)
        while True:
            if one is None:
                one = payer.next_try()
                payer.tries.append(one)
            if payer.settle(one, url):
                one = None
            elif payer.connection is None:
                return

    def pause(self):
        """Called when the platform is dead; raises what a payer has found to be wrong."""
        running, self.running = self.running, []
        for one in running:
            one.result(60)

    def retry_all(self, url):
        """Each key once more: the same payment, or for a refusal the same refusal."""
        def retry(payer):
            for one in payer.tries:
                wait_for(lambda one=one: payer.settle(one, url), "a final answer")
        for one in [self.pool.submit(retry, payer) for payer in self.payers]:
            one.result(600)

    def end(self):
        for payer in self.payers:
            payer.close()
        self.pool.shutdown()
