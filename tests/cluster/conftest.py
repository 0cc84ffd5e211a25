"""Real servers as fixtures; those of platforms are the ones of ../conftest.py."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))


@pytest.fixture(scope="session")
def zipkin():
    from zipkin import Zipkin
    server = Zipkin()
    try:
        yield server.start()
    finally:
        server.stop()
