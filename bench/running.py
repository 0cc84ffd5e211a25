"""A platform that runs on a data folder of its own, what /metrics and /proc say of it, and a client of
it."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from common import BINARY, USERS, WALLETS, BenchFailed, free_port

SETTINGS = (
    "gateway.rate_limits=off",
    "fraud.mode=shadow",
    "account.limits=off",
    f"account.max_per_user={max(20, WALLETS // USERS + 10)}",
    "gateway.access_log=errors",
    "user.access_token_ttl=12h",
)
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Platform:
    """`with Platform(folder) as platform:` runs one; its end stops the process and removes the folder."""

    def __init__(self, folder, *settings):
        self.folder, self.settings = Path(folder), settings
        self.port, self.ops = free_port(), free_port()
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        """Gives the seconds from the start of the process until it is ready."""
        command = [str(BINARY), "serve", "--data", str(self.folder)]
        command += ["--listen", f"127.0.0.1:{self.port}", "--ops", f"127.0.0.1:{self.ops}"]
        for setting in (*SETTINGS, *self.settings):
            command += ["--set", setting]
        began = time.monotonic()
        with open(f"{self.folder}.log", "a") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        while time.monotonic() - began < 600:
            try:
                if self.get_ops("/health/ready")[0] == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            if self.process.poll() is not None:
                said = Path(f"{self.folder}.log").read_text(errors="replace")[-2000:]
                raise BenchFailed(f"micropay ended with {self.process.returncode}:\n{said}")
            time.sleep(0.005)
        raise BenchFailed("micropay was not ready within ten minutes")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(300)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise BenchFailed("micropay did not stop within five minutes") from None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def get_ops(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.ops, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name, label=""):
        """The sum over all labels, or over those samples whose labels contain `label`."""
        total = 0.0
        for line in self.get_ops("/metrics")[1].splitlines():
            if line.startswith(name) and line[len(name)] in " {" and label in line:
                total += float(line.rsplit(" ", 1)[1])
        return total

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def threads_cpu(self):
        """Seconds of CPU by the name of the thread."""
        seconds = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                head, rest = (task / "stat").read_text().rsplit(") ", 1)
            except OSError:
                continue  # it ended
            name, fields = head.split("(", 1)[1], rest.split()
            used = (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
            seconds[name] = seconds.get(name, 0) + used
        return seconds

    def rss_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024 / 1e6

    def disk_bytes(self):
        """Log bytes in use (not what is allocated ahead), and bytes of the tables with what SQLite has
        beside."""
        tables = sum(file.stat().st_size for file in self.folder.glob("state.db*"))
        return self.metric("micropay_store_log_bytes"), tables

    def wait_until_quiet(self, seconds=600):
        """Until nothing moves any more: what clients left behind is done, everything is in the tables."""
        deadline, before, calm = time.monotonic() + seconds, None, 0
        while calm < 4:
            busy = self.metric("micropay_engine_queued_inputs") + self.metric(
                "micropay_store_unapplied_ticks"
            )
            ticks = self.metric("micropay_engine_ticks_total")
            calm = calm + 1 if ticks == before and busy == 0 else 0
            before = ticks
            if time.monotonic() > deadline:
                raise BenchFailed(f"the platform is still busy after {seconds} s")
            time.sleep(0.05)

    def run(self, *words, stdin="", seconds=3600):
        """A command of the binary."""
        command = [str(BINARY), *words, "--data", str(self.folder)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds)


class Client:
    def __init__(self, port, token=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.token = token

    def call(self, verb, path, body=None, headers=None, success=(200, 201)):
        headers = {"Content-Type": "application/json", **(headers or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(verb, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in success:
            raise BenchFailed(f"{verb} {path}: {answer.status} {data.decode()[:300]}")
        return json.loads(data) if data else None
