"""A real server for tests: starts on free ports in a temporary folder, says where it is, stops.

with.py, the fixtures of pytest and the development cluster start servers through this.
"""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

STOP_SECONDS = 15


def free_port():
    """Below those that the system gives to outgoing connections: one of these may take it before its server does."""
    ephemeral = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, max(ephemeral, 20_000))
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def accepts(port):
    """Whether somebody listens on the port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """One server process. A subclass gives name, command(), ready() and environment()."""

    name = ""
    start_seconds = 60

    def __init__(self, folder=None, port=None):
        self.owns_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix=f"micropay-{self.name}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.process = None

    def prepare(self):
        """Makes what the first start needs. Called before every start: must see what is there already."""

    def command(self):
        raise NotImplementedError

    def ready(self):
        return accepts(self.port)

    def environment(self):
        """The variables by which tests find it."""
        return {f"MICROPAY_TEST_{self.name.upper()}": f"127.0.0.1:{self.port}"}

    def start(self):
        self.prepare()
        log = open(self.folder / "server.log", "a")
        # A group of its own: Ctrl-C in the terminal is for whoever started it, which then stops it in order.
        self.process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=subprocess.STDOUT, process_group=0)
        log.close()
        deadline = time.monotonic() + self.start_seconds
        while not self.ready():
            code = self.process.poll()
            assert code is None, f"{self.name} ended with {code}:\n{self.log_tail()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.log_tail()}"
            time.sleep(0.05)
        return self

    def kill(self):
        """At once, as a crash does; what it kept stays."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self, lines=40):
        log = self.folder / "server.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
