"""serve --demo: logins of every role, a tour that works when pasted, and nothing added by a second start."""
import re
import subprocess

import pytest

from platform_client import User
from platform_process import clean_environment


@pytest.fixture(scope="module")
def demo(module_platform):
    return module_platform(flags=("--demo",))


def printed(demo):
    return demo.log.read_text()


def logins(demo):
    return dict(re.findall(r"^\s+(\S+@demo\.micropay\.dev)\s+(\S+)\s", printed(demo), re.M))


def test_every_login_works(demo):
    roles = {}
    for email, password in logins(demo).items():
        user = User(demo, email, password).login()
        roles.setdefault(user.get("users/me")["roles"][0], []).append(email)
    assert set(roles) == {"ADMIN", "SUPPORT", "AUDITOR", "USER"} and len(roles["USER"]) >= 3


def test_there_is_something_to_see(demo):
    ada, admin = (User(demo, f"{name}@demo.micropay.dev", "demo-password").login()
                  for name in ("ada", "admin"))
    assert {account["currency"] for account in ada.items("accounts")} == {"EUR", "USD"}
    assert float(ada.balance().available) > 100
    payments = admin.items("payments", pageSize=500)
    assert len(payments) >= 25
    assert {"COMPLETED", "FAILED", "IN_REVIEW", "REFUNDED"} <= {payment["status"] for payment in payments}
    assert admin.items("fraud/cases", status="OPEN")


def test_the_tour_works_when_pasted(demo):
    text = printed(demo)
    assert demo.url in text and f"{demo.url}/docs" in text
    tour = [line.strip() for line in text[text.index("API="):].splitlines() if line.strip()]
    tour = "\n".join(tour[:next(at for at, line in enumerate(tour) if line.startswith("Every route"))])
    environment = {name: value for name, value in clean_environment().items() if "proxy" not in name.lower()}
    pasted = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", tour], capture_output=True, text=True,
                            timeout=60, env=environment)
    assert pasted.returncode == 0, pasted.stdout + pasted.stderr
    assert '"available"' in pasted.stdout and '"COMPLETED"' in pasted.stdout
    assert pasted.stdout.strip().splitlines()[-8:] == [
        "payment.initiated", "account.balance.reserved", "fraud.risk.assessed", "payment.processing",
        "transaction.created",
        "transaction.settled", "account.balance.updated", "payment.completed"]


def test_a_second_start_adds_nothing(demo):
    def counts():
        admin = User(demo, "admin@demo.micropay.dev", "demo-password").login()
        return [len(admin.items(path, pageSize=500))
                for path in ("users", "accounts", "payments", "transactions")]
    before = counts()
    demo.restart()
    assert counts() == before and logins(demo)


@pytest.mark.slow
def test_a_folder_with_other_users_stays_as_it_is(fresh_platform, tmp_path):
    platform = fresh_platform()
    platform.register("mine")
    platform.stop()
    platform.flags = ("--demo",)
    platform.start()
    assert "no demo data" in printed(platform)
    assert len(platform.staff("ADMIN").items("users")) == 2
