"""The load generator of the bench tells the truth: it counts what is wrong, missing or broken, and in an open
loop a server that stands still shows in the latencies of all who were due meanwhile."""
import json
import socket
import subprocess
import threading
import time

import pytest

from platform_process import BINARY

LOAD = BINARY.parent / "bench_load"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STALL_SECONDS = 1.0


class Server:
    """Answers request i with what `answer(i)` gives: bytes; None closes the connection; "" says nothing."""

    def __init__(self, answer):
        self.answer, self.count, self.lock = answer, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            while connection.recv(65536):
                with self.lock:
                    number, self.count = self.count, self.count + 1
                    says = self.answer(number)
                if says is None:
                    return
                connection.sendall(says or b"")


@pytest.fixture
def load(tmp_path):
    requests = tmp_path / "requests"
    requests.write_text("GET /a - -\nPOST /b - {\"x\":1}\n")

    def run(answer, **options):
        server = Server(answer)
        words = [LOAD, "--port", str(server.port), "--requests", str(requests)]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        finally:
            server.listener.close()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_counts_every_answer(load):
    run = load(lambda number: ANSWER, connections=4, count=500)
    assert (run["answered"], run["wrong"], run["lost"], run["broken"]) == (500, 0, 0, 0)
    assert 0 < run["p50"] <= run["p99"] <= run["p999"] <= run["max"]


def test_counts_what_is_wrong_missing_or_broken(load):
    refusal = ANSWER.replace(b"200", b"500")
    wrong = load(lambda number: refusal if number == 7 else ANSWER, connections=2, count=50)
    assert (wrong["answered"], wrong["wrong"]) == (50, 1) and wrong["firstWrong"].startswith("500")
    broken = load(lambda number: None if number == 7 else ANSWER, connections=2, count=50)
    assert (broken["answered"], broken["broken"], broken["lost"]) == (50, 1, 0)
    silent = load(lambda number: "" if number == 7 else ANSWER, connections=2, count=50, seconds=1, drain=1)
    assert silent["lost"] == 1


def test_who_was_due_while_the_server_stood_still_has_waited(load):
    def stall(number):
        if number == 20:
            time.sleep(STALL_SECONDS)  # the server's part: not a wait of the test for something to happen
        return ANSWER

    # 200 requests in 2 s; half of them fall due during the stall and wait half of it in the mean.
    run = load(stall, connections=1, rate=100, seconds=2)
    assert (run["answered"], run["lost"]) == (200, 0)
    assert run["p90"] >= 0.6 * STALL_SECONDS * 1000
    assert run["max"] >= STALL_SECONDS * 1000
