"""The wallets of the bench: made once, copied for each row, counted after each. What is counted: the sum
of all balances through the API is what was loaded, the trial balance is zero, and `micropay verify` is
clean."""

import concurrent.futures
import json
import subprocess
from decimal import Decimal
from pathlib import Path

from common import PASSWORD, USERS, WALLETS, BenchFailed, tell, wait_until
from running import Client, Platform

LOADED = Decimal("5000.00")  # into each wallet


def sign_up(port, email):
    """A user with a token; gives (token, its first wallet)."""
    client = Client(port)
    client.call("POST", "/api/v1/users", {"email": email, "password": PASSWORD, "displayName": "Bench"})
    client.token = sign_in(port, email)
    found = []

    def has_one():
        found[:] = client.call("GET", "/api/v1/accounts")["accounts"]
        return found
    wait_until(has_one, 30, "a new user's first wallet")  # in a cluster an event brings it
    return client, found[0]["id"]


def sign_in(port, email):
    return Client(port).call("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD})[
        "accessToken"
    ]


def top_up(client, account):
    body = {
        "amount": {"currency": "EUR", "value": str(LOADED)},
        "provider": "sandbox",
        "paymentMethod": "card_ok",
    }
    client.call("POST", f"/api/v1/accounts/{account}/top-ups", body)


def populate(port, users=USERS, wallets=WALLETS, clients=16):
    """Users who own `wallets` together, with money; gives (token, account) of each."""

    def one_user(number):
        client, account = sign_up(port, f"bench{number}@example.org")
        pairs = []
        for _ in range(wallets // users):
            if pairs:
                account = client.call("POST", "/api/v1/accounts", {"currency": "EUR", "name": "bench"})[
                    "id"
                ]
            top_up(client, account)
            pairs.append((client.token, account))
        return pairs

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [pair for pairs in pool.map(one_user, range(users)) for pair in pairs]


class Prepared:
    """A data folder at rest with wallets that have money; rows run on copies of it."""

    def __init__(self, folder, copies, users=USERS, wallets=WALLETS):
        self.folder, self.copies = Path(folder), Path(copies)
        kept = Path(f"{self.folder}.json")
        if not kept.exists():
            self.make(kept, users, wallets)
        known = json.loads(kept.read_text())
        self.pairs, self.auditor = [tuple(pair) for pair in known["pairs"]], known["auditor"]
        self.wallets_file = Path(f"{self.folder}.wallets")
        self.wallets_file.write_text("".join(f"{token} {account}\n" for token, account in self.pairs))

    def make(self, kept, users, wallets):
        tell(f"{wallets:,} wallets of {users:,} users, each with money; copied for each row")
        platform = Platform(self.folder)
        platform.start()
        try:
            pairs = populate(platform.port, users, wallets)
            email = "auditor@example.org"
            made = platform.run(
                "user", "create-admin", "--email", email, "--password-stdin", stdin=PASSWORD + "\n"
            )
            if made.returncode != 0:
                raise BenchFailed(made.stderr)
            auditor = sign_in(platform.port, email)
            platform.wait_until_quiet()
        finally:
            platform.stop()
        kept.write_text(json.dumps({"pairs": pairs, "auditor": auditor}))

    def platform(self, name, *settings):
        """One on a copy of the folder."""
        copy = self.copies / name
        subprocess.run(["cp", "-r", "--sparse=always", str(self.folder), str(copy)], check=True)
        (copy / "control.sock").unlink(missing_ok=True)
        return Platform(copy, *settings)

    def check(self, platform):
        """Counts everything; stops the platform."""
        platform.wait_until_quiet()  # or a payment would be counted on one side only
        loaded, counted = LOADED * len(self.pairs), self.balances(platform.port)
        if counted != loaded:
            raise BenchFailed(f"the wallets hold {counted} EUR, but {loaded} were loaded")
        trial = Client(platform.port, self.auditor).call("GET", "/api/v1/ledger/trial-balance")
        sums = [Decimal(one["sum"]["value"]) for one in trial["currencies"]]
        if not trial["balanced"] or any(sums):
            raise BenchFailed(f"the trial balance is not zero: {sums}")
        platform.stop()
        verified = platform.run("verify", "--json")
        if verified.returncode != 0:
            raise BenchFailed("verify after the run failed:\n" + verified.stdout[-3000:] + verified.stderr)
        return json.loads(verified.stdout)

    def balances(self, port):
        """The sum over all wallets, each asked for at the API."""

        def of(pairs):
            client, total = Client(port), Decimal(0)
            for token, account in pairs:
                client.token = token
                balance = client.call("GET", f"/api/v1/accounts/{account}/balance")
                total += Decimal(balance["posted"]["value"])
            return total

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return sum(pool.map(of, (self.pairs[part::4] for part in range(4))))
