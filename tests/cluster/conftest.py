"""Real servers as fixtures, those of platforms are the ones of ../conftest.py; `edge(service, *settings)` starts a
config or discovery service. All are stopped at the end.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))

from edge_process import EdgeProcess  # noqa: E402


@pytest.fixture(scope="session")
def zipkin():
    from zipkin import Zipkin
    server = Zipkin()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def edge(tmp_path):
    made = []

    def start(service, *settings, port=None):
        made.append(EdgeProcess(service, tmp_path, *settings, port=port))
        return made[-1].start()
    yield start
    for process in made:
        process.stop()
