"""`edge(service, *settings)` starts a config or discovery service; all are stopped at the test's end."""
import pytest

from edge_process import EdgeProcess


@pytest.fixture
def edge(tmp_path):
    made = []

    def start(service, *settings, port=None):
        made.append(EdgeProcess(service, tmp_path, *settings, port=port))
        return made[-1].start()
    yield start
    for process in made:
        process.stop()
