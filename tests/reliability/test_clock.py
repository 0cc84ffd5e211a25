"""The wall clock is set an hour wrong, while the platform runs and between two runs (libfaketime; only the
wall clock is faked). Ids stay unique and ordered, nothing that is held expires, no token lives for ever.
"""
import glob
import re
import time

import pytest

from platform_client import told, wait_for

pytestmark = pytest.mark.slow
HOUR = 3600
LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
# jemalloc asks for the time before libfaketime, which allocates first, can tell it: so another one goes first.
MALLOC = "libtcmalloc_minimal.so.4"


@pytest.fixture
def wall(tmp_path, fresh_platform):
    """A platform whose wall clock the test owns."""
    if LIBRARY is None:
        pytest.skip("the Debian package faketime is not installed; tools/setup.sh test does it")
    return WallClock(tmp_path / "faketime", fresh_platform)


class WallClock:
    def __init__(self, file, fresh_platform):
        self.file, self.fresh_platform = file, fresh_platform
        self.set(0)

    def set(self, offset):
        self.offset = offset
        self.file.write_text(f"{offset:+d}s\n")

    def start(self, *settings):
        self.platform = self.fresh_platform(*settings, environment={
            "LD_PRELOAD": f"{MALLOC}:{LIBRARY}", "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
        return self.platform

    def ahead(self):
        """How far the wall clock is ahead of the platform's, as the platform sees it."""
        metrics = self.platform.ops("/metrics").text
        return float(re.search(r"^micropay_clock_offset_seconds(?:{})? (\S+)$", metrics, re.M).group(1))

    def jump(self, offset):
        """Sets the wall clock of the running platform, and waits until it has seen that."""
        by = offset - self.offset
        before = self.ahead()
        self.set(offset)
        wait_for(lambda: abs(self.ahead() - before - by) < HOUR / 4, "the jump", 30)


def hold(payer, payee):
    """A payment that staff has to decide, with its reservation."""
    held = payer.try_pay(payee, "6000.00")
    assert held.status_code == 202, told(held, "expected it to be held")
    return held.json()["id"]


def expect_held(payer, payment):
    assert payer.get(f"payments/{payment}")["status"] == "IN_REVIEW"
    assert payer.balance().reserved == "6000.00" and len(payer.reservations()) == 1


def test_the_wall_clock_jumps_while_it_runs(wall):
    platform = wall.start()
    payer, payee = platform.register("payer"), platform.register("payee")
    payer.top_up("9000.00")
    held = hold(payer, payee)
    paid = []
    for offset in (HOUR, -HOUR, 0):
        wall.jump(offset)
        paid += [payer.pay(payee, "0.01") for _ in range(20)]
        expect_held(payer, held)
        platform.register("newcomer").get("users/me")
    ids, times = [one["id"] for one in paid], [one["createdAt"] for one in paid]
    assert ids == sorted(set(ids)) and times == sorted(times)
    assert payer.get("users/me")["id"] == payer.id, "who is signed in stays signed in"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HOUR / 4))
    assert times[-1] < now, "an hour of the wall clock was not an hour"


def test_a_token_ends_although_the_wall_clock_went_back(wall):
    platform = wall.start("user.access_token_ttl=5s")
    user = platform.register("user")
    wall.jump(-HOUR)
    wait_for(lambda: user.login().request("GET", "users/me").status_code == 200, "use of a token in time", 60)
    wait_for(lambda: user.request("GET", "users/me").status_code == 401, "the end of a token of 5 s", 60)


def test_the_log_is_of_the_future_when_it_starts(wall):
    """The first run had a clock an hour ahead."""
    wall.set(HOUR)
    platform = wall.start()
    payer, payee = platform.register("payer"), platform.register("payee")
    payer.top_up("9000.00")
    held = hold(payer, payee)
    before = [payer.pay(payee, "0.01") for _ in range(5)]
    platform.stop()
    wall.set(0)
    platform.start()
    assert payer.get("users/me")["id"] == payer.id
    expect_held(payer, held)
    after = [payer.pay(payee, "0.01") for _ in range(5)]
    for field in ("id", "createdAt"):
        values = [one[field] for one in before + after]
        assert values == sorted(values)
    assert len({one["id"] for one in before + after}) == 10
    payer.login().get("users/me")
    admin = platform.staff("ADMIN")
    admin.put(f"users/{payer.id}/roles", {"roles": ["SUPPORT"], "reason": "for a test"})
    payer.refused(401, "invalid_token", "GET", "users/me")
    assert payer.login().items("users"), "a token of after the change is good at once"
