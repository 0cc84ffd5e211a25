"""Twenty kills with -9 under load: in payments, log rotation, checkpoint, start, schema change, rebuild, and
backup. The moments are random; the seed is printed and MICROPAY_TEST_SEED repeats it. A longer run:
make soak-kills KILLS=500.
"""
import os
import random

import pytest

from kill_campaign import TURN, run_campaign

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
def test_twenty_kills_lose_nothing(tmp_path):
    seed = int(os.environ.get("MICROPAY_TEST_SEED", random.SystemRandom().randrange(1_000_000)))
    counts = run_campaign(tmp_path, seed, len(TURN), print)
    print(dict(counts))
    assert counts["kills"] == 20 and all(counts[moment] for moment in TURN)
    assert counts["answered payments"] > 0 and counts["requests without an answer"] > 0
