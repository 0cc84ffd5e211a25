"""Real servers as fixtures, those of platforms are the ones of ../conftest.py; `edge(service, *settings)` starts a
config or discovery service. All are stopped at the end.
"""
import importlib.util
import os
import pathlib
import sys
import tempfile

import pytest

SERVERS = pathlib.Path(__file__).resolve().parents[1] / "servers"
sys.path.insert(0, str(SERVERS))

from edge_process import EdgeProcess  # noqa: E402


@pytest.fixture(scope="session")
def zipkin():
    from zipkin import Zipkin
    server = Zipkin()
    try:
        yield server.start()
    finally:
        server.stop()


def cluster_class():
    """Of servers/cluster.py, whose name is this folder's, too, for pytest."""
    spec = importlib.util.spec_from_file_location("whole_cluster", SERVERS / "cluster.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Cluster


@pytest.fixture(scope="module")
def cluster():
    """The whole cluster profile, every service in processes of its own."""
    Cluster = cluster_class()
    with tempfile.TemporaryDirectory(prefix="micropay-cluster-") as folder:
        os.chmod(folder, 0o755)  # PostgreSQL's own user goes through it
        made = Cluster(folder, settings={"gateway.rate_limits": "off"})
        try:
            yield made.start()
            assert made.stop() == {}
        finally:
            made.kill()


@pytest.fixture
def edge(tmp_path):
    made = []

    def start(service, *settings, port=None):
        made.append(EdgeProcess(service, tmp_path, *settings, port=port))
        return made[-1].start()
    yield start
    for process in made:
        process.stop()
