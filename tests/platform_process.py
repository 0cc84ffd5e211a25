"""The binary under test: running it as a platform in a folder of its own, and running its commands.

A platform that was started elsewhere (a cluster) is tested by the same files: MICROPAY_TEST_URL and
MICROPAY_TEST_OPS_URL say where it is, MICROPAY_TEST_ADMIN=email:password who its administrator is,
MICROPAY_TEST_ENGINE_OPS_URL where the metrics of one of its services are.
"""
import os
import pathlib
import signal
import socket
import subprocess
import time

import httpx

from platform_client import PASSWORD, Platform, User, unique

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = (ROOT / os.environ.get("BUILD", "build") / "micropay").resolve()
START_SECONDS = 30
STOP_SECONDS = 30


def clean_environment():
    """Without settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MICROPAY_")}


def micropay(*arguments, stdin="", environment=None, cwd=None, timeout=60):
    """Runs a command of the binary to its end."""
    words = [str(BINARY), *(str(argument) for argument in arguments)]
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd,
                          env=clean_environment() | (environment or {}))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def new_client(url):
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    return httpx.Client(base_url=url, timeout=30, trust_env=False, verify=False, limits=limits)


class LocalPlatform(Platform):
    """`micropay serve` on a folder: start, stop, kill, start again with what the folder holds."""

    running = []  # for the report of a failed test

    def __init__(self, data, *settings, flags=()):
        self.data = pathlib.Path(data)
        self.settings = ("gateway.rate_limits=off", *settings)
        self.flags = flags
        self.log = self.data.with_name(self.data.name + ".log")
        self.process = None
        self.environment = {}
        self._staff = {}

    def start(self):
        starts = self.starts()
        self.launch()
        self.wait_until_ready(starts)
        return self

    def launch(self):
        """Starts the process and does not wait for it."""
        listen, ops = (f"127.0.0.1:{free_port()}" for _ in range(2))
        words = [str(BINARY), "serve", "--data", str(self.data), "--listen", listen, "--ops", ops,
                 *self.flags]
        for setting in self.settings:
            words += ["--set", setting]
        out = open(self.log, "a")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                        env=clean_environment() | self.environment)
        out.close()
        LocalPlatform.running.append(self)
        self.url, self.ops_url = f"http://{listen}", f"http://{ops}"
        self.client = new_client(self.url)

    def starts(self):
        """How often the platform has said that it is up (with --demo: when the demo data is there, too)."""
        return self.log.read_text(errors="replace").count(" is up in ") if self.log.exists() else 0

    def wait_until_ready(self, starts):
        deadline = time.monotonic() + START_SECONDS
        while True:
            code = self.process.poll()
            assert code is None, f"the platform ended with {code}:\n{self.log_tail()}"
            try:
                if self.ops("/health/ready").status_code == 200 and self.starts() > starts:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"not ready after {START_SECONDS} s:\n{self.log_tail()}"
            time.sleep(0.02)

    def end(self, how):
        """Sends the signal and gives the exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        LocalPlatform.running.remove(self)
        process.send_signal(how)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"not stopped after {STOP_SECONDS} s:\n{self.log_tail()}")

    def stop(self):
        code = self.end(signal.SIGTERM)
        assert code == 0, f"the platform ended with {code}:\n{self.log_tail()}"

    def kill(self):
        self.end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def verify(self):
        """`micropay verify` on the folder holds."""
        verified = micropay("verify", "--data", self.data, timeout=300)
        told = f"verify ended with {verified.returncode}:\n{verified.stdout}{verified.stderr}"
        assert verified.returncode == 0, told

    def log_tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def make_admin(self):
        admin = User(self, f"{unique('admin')}@example.org")
        made = micropay("user", "create-admin", "--data", self.data, "--email", admin.email,
                        "--password-stdin",
                        stdin=PASSWORD + "\n")
        assert made.returncode == 0, made.stdout + made.stderr
        return admin.login()


class RemotePlatform(Platform):
    """One that somebody else started: a cluster."""

    one_log = False

    def __init__(self, url, ops_url, admin, engine_ops_url=None):
        self.url, self.ops_url, self.admin = url, ops_url, admin
        self.engine_ops_url = engine_ops_url
        self.client = new_client(url)
        self._staff = {}

    def make_admin(self):
        email, _, password = self.admin.partition(":")
        return User(self, email, password).login()
