"""A cluster that is hurt for a minute while customers pay; see chaos.py. The seed is fixed so that a run says the same for
everybody; MICROPAY_TEST_SEED takes another. A longer run: make chaos SECONDS=600.
"""
import os
import tempfile

import pytest

from chaos import run_chaos

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [int(os.environ.get("MICROPAY_TEST_SEED", 11))])
def test_a_minute_of_chaos_loses_nothing(seed):
    with tempfile.TemporaryDirectory(prefix="micropay-chaos-") as folder:  # PostgreSQL's own user goes through it
        chaos = run_chaos(folder, seed, 60, print)
    assert len(chaos.blows) >= 4, chaos.blows
    assert sum(one.status == 201 for one in chaos.load.tries()) > 100
