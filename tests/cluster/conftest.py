"""Real servers as fixtures, those of platforms are the ones of ../conftest.py; `edge(service, *settings)` starts a
config or discovery service, `cluster` is all of a cluster on real servers, one for the session. All are stopped at
the end.
"""
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

SERVERS = pathlib.Path(__file__).resolve().parents[1] / "servers"
sys.path.insert(0, str(SERVERS))

from edge_process import EdgeProcess  # noqa: E402
from whole_cluster import SharedCluster  # noqa: E402


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


@pytest.fixture(scope="session")
def cluster(zipkin):
    """Every service in processes of its own. A test leaves it as it was: all run, and answer."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="micropay-cluster-"))
    folder.chmod(0o755)  # PostgreSQL's own user goes through it
    shared = SharedCluster(folder, zipkin)
    try:
        yield shared.start()
        ended = shared.stop()
        assert not ended, f"did not stop in order: {ended}"
    finally:
        shared.kill()
        if kept := os.environ.get("MICROPAY_TEST_KEEP_LOGS"):
            shutil.copytree(folder / "logs", kept, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items):
    # A cluster is verified before others put what no service has written onto its topics.
    items.sort(key=lambda item: "test_verify_cluster" not in item.nodeid)
    for item in items:
        if "cluster" in item.fixturenames:  # the first of them waits for sixteen processes
            item.add_marker(pytest.mark.timeout(300))
