"""What was answered survives restarts, kill -9 and lost tables; backups; damage is found and named."""
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest

from platform_client import Api, money, new_uuid, told, wait_for
from platform_process import micropay

pytestmark = pytest.mark.slow


def run_history(platform):
    """Somebody of every kind of record; gives the two users."""
    ada, bob = platform.register("ada"), platform.register("bob")
    ada.top_up("9000.00")
    for value in ("1.00", "2.50", "0.01"):
        ada.pay(bob, value)
    refunded = ada.pay(bob, "5.00")
    bob.post(f"payments/{refunded['id']}/refunds", {"amount": money("2.00")}, expect=201)
    bob.try_pay(ada, "900.00")
    held = ada.try_pay(platform.register("carol"), "6000.00")
    assert held.status_code == 202, told(held, "expected it to be held")
    platform.staff("AUDITOR")
    return ada, bob


def everything_of(user):
    paths = ["users/me", "accounts", f"accounts/{user.wallet()}/balance",
             f"accounts/{user.wallet()}/reservations",
             f"accounts/{user.wallet()}/top-ups", "payments", "notifications", "sessions",
             f"transactions?accountId={user.wallet()}"]
    paths += [f"payments/{payment['id']}/events" for payment in user.items("payments")]
    answers = {path: user.get(path) for path in paths}
    answers[paths[2]].pop("asOf", None)
    return answers


def test_a_restart_keeps_everything(fresh_platform):
    platform = fresh_platform()
    ada, bob = run_history(platform)
    admin, auditor = platform.staff("ADMIN"), platform.staff("AUDITOR")

    def everything():
        return [everything_of(ada), everything_of(bob), admin.items("fraud/cases"),
                admin.items("fraud/assessments"),
                auditor.post("audit/verify", {}, expect=200)["intact"]]
    before = everything()
    platform.restart()
    assert everything() == before, "tokens are still good, too"
    assert ada.pay(bob, "1.00")["status"] == "COMPLETED"


def test_what_was_revoked_stays_revoked(fresh_platform):
    """A session, the token of other roles, an API key: refused before a kill, and still after it."""
    platform = fresh_platform()
    admin, user, helper = platform.staff("ADMIN"), platform.register("user"), platform.register("helper")
    stolen = Api(platform, user.token)
    user.login().delete(f"sessions/{user.items('sessions', pageSize=2)[-1]['id']}")
    admin.put(f"users/{helper.id}/roles", {"roles": ["SUPPORT"], "reason": "for a test"})
    made = user.post("api-keys", {"name": "old", "scopes": ["payments:read"]}, expect=201)
    user.delete(f"api-keys/{made['apiKey']['id']}")
    platform.kill()
    platform.start()
    revoked = [stolen, helper, Api(platform, made["secret"])]
    for api in revoked:
        api.refused(401, "invalid_token", "GET", "payments")
    assert user.get("users/me")["id"] == user.id and helper.login().items("users")


class Payers:
    """Users who pay one merchant without a pause until the platform is gone, and what they were answered."""

    def __init__(self, platform, count=8):
        self.platform = platform
        self.merchant = platform.register("merchant")
        with ThreadPoolExecutor(4) as pool:
            self.users = list(pool.map(self.payer, range(count)))
        self.answered = {}  # id -> payer
        self.tried = {}     # idempotency key -> (payer, body)
        self.lock = threading.Lock()

    def payer(self, number):
        user = self.platform.register(f"payer{number}")
        user.top_up("1000.00")
        return user

    def pay_until_gone(self, user):
        body = user.payment_body(self.merchant.wallet(), "0.01")
        while True:
            key = new_uuid()
            with self.lock:
                self.tried[key] = (user, body)
            try:
                answer = user.request("POST", "payments", body, key=key)
            except httpx.TransportError:
                return
            if answer.status_code == 503:
                return
            assert answer.status_code == 201, told(answer, "expected a completed payment")
            with self.lock:
                self.answered[answer.json()["id"]] = user

    def pay_and_kill(self, least):
        """Kills the platform in the middle of it all, after so many more answers."""
        enough = len(self.answered) + least
        with ThreadPoolExecutor(len(self.users)) as pool:
            paying = [pool.submit(self.pay_until_gone, user) for user in self.users]
            try:
                wait_for(lambda: len(self.answered) >= enough or any(one.done() for one in paying),
                         "payments", 30)
            finally:
                self.platform.kill()
        for one in paying:
            one.result()
        assert len(self.answered) >= enough


def test_killed_under_load(fresh_platform):
    """Three times kill -9 while eight pay: each answered payment is there and complete, the money adds up."""
    platform = fresh_platform("account.limits=off", "fraud.mode=shadow")
    payers = Payers(platform)
    for _ in range(3):
        payers.pay_and_kill(200)
        platform.verify()
        platform.start()
    for payment_id, user in payers.answered.items():
        payment = user.get(f"payments/{payment_id}")
        assert payment["status"] == "COMPLETED", payment
    # Whoever got no answer asks again with the same key and gets one.
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(lambda item: item[1][0].request("POST", "payments", item[1][1], key=item[0]),
                              payers.tried.items()))
    assert {answer.status_code for answer in again} == {201}
    assert len({answer.json()["id"] for answer in again}) == len(payers.tried)
    total = Decimal("0.01") * len(payers.tried)
    assert payers.merchant.balance() == (str(total), "0.00")
    left = sum(Decimal(user.balance().available) for user in payers.users)
    assert left + total == 1000 * len(payers.users)
    assert all(user.reservations() == [] for user in payers.users)
    platform.stop()
    platform.verify()


def test_registrations_survive_a_kill(fresh_platform):
    platform = fresh_platform()
    user = platform.register("brief")
    user.top_up("10.00")
    platform.kill()
    platform.start()
    assert user.get("users/me")["email"] == user.email, "the token, too"
    assert user.balance() == ("10.00", "0.00")


def test_an_unknown_outcome_is_polled_after_a_kill(fresh_platform):
    platform = fresh_platform()
    user = platform.register("patient")
    body = {"amount": money("10.00"), "paymentMethod": "card_timeout"}
    top_up = user.post(f"accounts/{user.wallet()}/top-ups", body, expect=202)
    platform.kill()
    platform.start()
    path = f"accounts/{user.wallet()}/top-ups/{top_up['id']}"
    wait_for(lambda: user.get(path)["status"] == "COMPLETED", "known outcome", 60)
    assert user.balance() == ("10.00", "0.00")


def test_lost_tables_are_made_anew(fresh_platform):
    """state.db follows from the log: without it, everything is as it was."""
    platform = fresh_platform()
    ada, bob = run_history(platform)
    before = everything_of(ada), everything_of(bob)
    platform.stop()
    for file in platform.data.glob("state.db*"):
        file.unlink()
    platform.start()
    assert (everything_of(ada), everything_of(bob)) == before
    platform.stop()
    replayed = micropay("replay", "--data", platform.data)
    assert replayed.returncode == 0 and "DIFFERS" not in replayed.stdout, replayed.stdout + replayed.stderr
    rebuilt = micropay("replay", "--data", platform.data, "--rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    platform.verify()


@pytest.fixture(scope="module")
def at_rest(module_platform, tmp_path_factory):
    """A folder with history, and a function that copies it."""
    platform = module_platform()
    run_history(platform)
    platform.stop()
    copies = tmp_path_factory.mktemp("copies")

    def copy():
        to = copies / new_uuid()
        made = micropay("backup", "--data", platform.data, "--to", to)
        assert made.returncode == 0, made.stderr
        return to
    return copy


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x01
    path.write_bytes(content)


def records(segment):
    """Where the log's segment holds something: the offsets of its written blocks."""
    content = segment.read_bytes()
    return [at for at in range(0, len(content), 4096) if content[at:at + 4096].strip(b"\0")]


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("offset", [20, 100], ids=["in its header", "in its content"])
def test_a_changed_byte_in_the_log_is_found(at_rest, place, offset):
    data = at_rest()
    segment = sorted(path for path in (data / "log").iterdir() if path.is_file() and records(path))[0]
    written = records(segment)
    flip(segment, written[int(len(written) * place)] + offset)
    verified = micropay("verify", "--data", data)
    assert verified.returncode in (1, 2), verified.stdout
    assert segment.name in verified.stdout + verified.stderr, "it names the place"


@pytest.mark.parametrize("table, column, value", [
    ("balance_balance", "posted_minor", 1), ("payment_payment", "status", 4),
    ("transaction_journal", "kind", "'gift'"),
    ("payment_history", None, None), ("user_user", "display_name", "'Eve'"),
])
def test_a_changed_row_is_found(at_rest, table, column, value):
    data = at_rest()
    with sqlite3.connect(data / "state.db") as tables:
        statement = f"UPDATE {table} SET {column} = {value}" if column else f"DELETE FROM {table}"
        changed = tables.execute(statement)
        assert changed.rowcount > 0
    verified = micropay("verify", "--data", data)
    assert verified.returncode == 1, verified.stdout + verified.stderr
    assert table in verified.stdout, verified.stdout
    assert micropay("replay", "--data", data).returncode == 1
    assert micropay("replay", "--data", data, "--rebuild").returncode == 0
    mended = micropay("verify", "--data", data)
    assert mended.returncode == 0, mended.stdout + mended.stderr


def test_verify_says_what_it_checked(at_rest):
    import json
    report = json.loads(micropay("verify", "--data", at_rest(), "--json").stdout)
    assert report["ok"] and all(check["ok"] for check in report["checks"]) and len(report["checks"]) >= 6
    assert {"log is whole", "tables equal the log"} <= {check["name"] for check in report["checks"]}


def test_a_backup_while_it_runs(fresh_platform, tmp_path):
    platform = fresh_platform("account.limits=off", "fraud.mode=shadow")
    payers = Payers(platform, 3)
    payers.users[0].pay(payers.merchant, "1.00")
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    with ThreadPoolExecutor(3) as pool:
        paying = [pool.submit(payers.pay_until_gone, user) for user in payers.users]
        made = micropay("backup", "--data", platform.data, "--to", backup)
        assert made.returncode == 0, made.stderr
        platform.stop()
    for one in paying:
        one.result()
    again = micropay("backup", "--data", platform.data, "--to", backup)
    assert again.returncode == 2, "nothing is overwritten"
    brought = micropay("restore", "--from", backup, "--data", restored)
    assert brought.returncode == 0, brought.stderr
    again = micropay("restore", "--from", backup, "--data", restored)
    assert again.returncode == 2 and str(restored) in again.stderr
    verified = micropay("verify", "--data", restored)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    other = fresh_platform("account.limits=off", "fraud.mode=shadow", data=restored)
    merchant = type(payers.merchant)(other, payers.merchant.email, user_id=payers.merchant.id).login()
    assert Decimal(merchant.balance().available) >= 1


def test_verify_beside_a_running_platform(fresh_platform):
    platform = fresh_platform()
    platform.register("one").top_up("1.00")
    platform.verify()


def test_one_platform_a_folder(fresh_platform):
    platform = fresh_platform()
    second = micropay("serve", "--data", platform.data, "--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0")
    assert second.returncode == 2 and str(platform.data) in second.stderr
    assert platform.anonymous().request("GET", "users/me").status_code == 401, "the first one is well"
    assert micropay("replay", "--data", platform.data, "--rebuild").returncode == 2


def test_a_stop_finishes_what_runs(fresh_platform):
    """SIGTERM under load: exit code 0, each answer stands."""
    platform = fresh_platform("account.limits=off", "fraud.mode=shadow")
    payers = Payers(platform, 4)
    with ThreadPoolExecutor(4) as pool:
        paying = [pool.submit(payers.pay_until_gone, user) for user in payers.users]
        wait_for(lambda: len(payers.answered) >= 50 or any(one.done() for one in paying), "payments", 30)
        platform.stop()
    for one in paying:
        one.result()
    platform.verify()
    platform.start()
    for payment_id, user in payers.answered.items():
        assert user.get(f"payments/{payment_id}")["status"] == "COMPLETED"
