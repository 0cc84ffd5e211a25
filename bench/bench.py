#!/usr/bin/env python3
"""Measures MicroPay through its real interface and prints each figure beside a floor of the same run.

    bench/bench.py [ROW ...]     rows: as EVERY lists them; all when none is named

Every row starts from a fresh data folder on the loopback interface and runs for a bounded time. Load: wrk.
After each run the money is counted: the trial balance must be zero and `micropay verify` clean.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import overload

ROOT = Path(__file__).resolve().parent.parent
EVERY = "payments merchant single reads overload start json store".split()
BINARY = ROOT / "build" / "micropay"
USERS, WALLETS = 20, int(os.environ.get("BENCH_WALLETS", "10000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
PASSWORD = "bench password only"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Platform:
    """A running platform on a data folder of its own."""

    def __init__(self, folder, *settings):
        self.folder, self.settings = Path(folder), settings
        self.port, self.ops = free_port(), free_port()
        self.process = None

    def start(self):
        command = [
            str(BINARY),
            "serve",
            "--data",
            str(self.folder),
            "--listen",
            f"127.0.0.1:{self.port}",
            "--ops",
            f"127.0.0.1:{self.ops}",
        ]
        for setting in (
            "gateway.rate_limits=off",
            "fraud.mode=shadow",
            "account.limits=off",
            f"account.max_per_user={WALLETS // USERS + 10}",
            "gateway.access_log=errors",
            *self.settings,
        ):
            command += ["--set", setting]
        began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=open(f"{self.folder}.log", "a")
        )
        while time.monotonic() - began < 60:
            try:
                if self.get_ops("/health/ready")[0] == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit(f"micropay ended: see {self.folder}.log")
            time.sleep(0.005)
        sys.exit("micropay was not ready within a minute")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def get_ops(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.ops, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def metric(self, name):
        total = 0.0
        for line in self.get_ops("/metrics")[1].splitlines():
            if line.startswith(name) and (line[len(name)] in " {"):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads_cpu(self):
        seconds = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            head, rest = (task / "stat").read_text().rsplit(") ", 1)
            name = head.split("(", 1)[1]
            fields = rest.split()
            seconds[name] = seconds.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf(
                "SC_CLK_TCK"
            )
        return seconds

    def rss_mib(self):
        return (
            int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024
        )

    def disk_bytes(self):
        """Log bytes in use (not what is allocated ahead) and table bytes."""
        table = sum(f.stat().st_size for f in self.folder.glob("state.db*"))
        return self.metric("micropay_store_log_bytes"), table


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.token = None

    def call(self, verb, path, body=None, expect=(200, 201)):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(verb, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in expect:
            sys.exit(f"{verb} {path}: {answer.status} {data.decode()[:300]}")
        return json.loads(data) if data else None


def populate(platform, wallets=WALLETS, users=USERS):
    """Users with wallets and money; returns the (token, account) pairs."""

    def one_user(number):
        client = Client(platform.port)
        email = f"bench{number}@example.org"
        client.call(
            "POST", "/api/v1/users", {"email": email, "password": PASSWORD, "displayName": f"Bench {number}"}
        )
        client.token = client.call("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD})[
            "accessToken"
        ]
        pairs = []
        for _ in range(wallets // users):
            account = client.call("POST", "/api/v1/accounts", {"currency": "EUR", "name": "bench"})["id"]
            client.call(
                "POST",
                f"/api/v1/accounts/{account}/top-ups",
                {
                    "amount": {"currency": "EUR", "value": "5000.00"},
                    "provider": "sandbox",
                    "paymentMethod": "card_ok",
                },
            )
            pairs.append((client.token, account))
        return pairs

    with concurrent.futures.ThreadPoolExecutor(users) as pool:
        return [pair for pairs in pool.map(one_user, range(users)) for pair in pairs]


def wrk(url, connections, seconds, script=None, env=None):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    if script:
        command += ["-s", str(script)]
    output = subprocess.run(
        command + [url],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        timeout=seconds + 60,
    ).stdout

    def latency(percent):
        match = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)", output)
        return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000}[match[2]] if match else float("nan")

    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = re.search(r"Socket errors: (.*)", output)
    if not rate:
        sys.exit("wrk said: " + output)
    count = int(re.search(r"(\d+) requests in", output)[1])
    return {
        "rate": float(rate[1]),
        "p50": latency(50),
        "p99": latency(99),
        "bad": int(bad[1]) if bad else 0,
        "errors": errors[1] if errors else "",
        "count": count,
    }


def floor_nginx(folder):
    """Small static answers a second from nginx with one worker: what the loopback carries today."""
    if not shutil.which("nginx"):
        return None
    port = free_port()
    conf = Path(folder) / "nginx.conf"
    conf.write_text(f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/b;
proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }} }}""")
    process = subprocess.Popen(["nginx", "-c", str(conf)], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        return wrk(f"http://127.0.0.1:{port}/", 64, 3)["rate"]
    finally:
        process.terminate()
        process.wait()


def floor_fsync(folder):
    """4 KiB overwrites, each with fdatasync, a second."""
    path = Path(folder) / "fsync"
    with open(path, "wb") as out:
        out.write(bytes(4096 * 256))
        os.fsync(out.fileno())
    handle = os.open(path, os.O_RDWR)
    block, began, count = os.urandom(4096), time.monotonic(), 0
    while time.monotonic() - began < 1.5:
        os.pwrite(handle, block, 4096 * (count % 256))
        os.fdatasync(handle)
        count += 1
    os.close(handle)
    return count / (time.monotonic() - began)


ROWS = []


def row(name, measured, floor, note=""):
    ROWS.append((name, measured, floor, note))
    print(f"  {name:<44} {measured:>20}   {floor:>30}   {note}", flush=True)


def check_money(platform):
    platform.stop()
    verify = subprocess.run(
        [str(BINARY), "verify", "--data", str(platform.folder), "--json"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if verify.returncode != 0:
        sys.exit("verify after the run failed:\n" + verify.stdout + verify.stderr)


def payments(folder, name, merchant, floors, connections=64, seconds=SECONDS):
    platform = Platform(Path(folder) / name)
    platform.start()
    try:
        pairs = populate(platform)
        wallets = Path(folder) / f"{name}.wallets"
        wallets.write_text("".join(f"{token} {account}\n" for token, account in pairs))
        env = {"MICROPAY_BENCH_FILE": str(wallets)}
        if merchant:
            env["MICROPAY_BENCH_MERCHANT"] = pairs[0][1]
        url = f"http://127.0.0.1:{platform.port}"
        wrk(url, connections, 2, ROOT / "bench" / "payments.lua", env)  # warm
        cpu, threads, log, inputs = (
            platform.cpu_seconds(),
            platform.threads_cpu(),
            platform.disk_bytes(),
            platform.metric("micropay_engine_ticks_total"),
        )
        run = wrk(url, connections, seconds, ROOT / "bench" / "payments.lua", env)
        if run["bad"] or run["errors"]:
            sys.exit(f"{name}: {run['bad']} answers were no 201; socket errors: {run['errors']}")
        count = max(1, run["count"])
        cpu_us = (platform.cpu_seconds() - cpu) / count * 1e6
        by_thread = {k: (v - threads.get(k, 0)) / count * 1e6 for k, v in platform.threads_cpu().items()}
        ticks = platform.metric("micropay_engine_ticks_total") - inputs
        time.sleep(1.5)
        after = platform.disk_bytes()
        shares = ", ".join(
            f"{k} {v:.0f}" for k, v in sorted(by_thread.items(), key=lambda i: -i[1])[:5] if v >= 1
        )
        if connections == 1:
            row(
                name,
                f"p50 {run['p50']:.2f} ms",
                f"fdatasync {1000 / floors['fsync']:.2f} ms",
                f"{run['rate']:.0f}/s, p99 {run['p99']:.1f} ms",
            )
        else:
            row(
                name,
                f"{run['rate']:.0f}/s p99 {run['p99']:.1f} ms",
                f"{run['rate'] / floors['http']:.3f} of bare HTTP",
                f"p50 {run['p50']:.1f} ms, {count / max(1, ticks):.0f} a tick",
            )
            row("  CPU a payment", f"{cpu_us:.0f} µs", "", f"by thread, µs: {shares}")
            row(
                "  bytes a payment",
                f"log {(after[0] - log[0]) / count:.0f}",
                "",
                f"tables {(after[1] - log[1]) / count:.0f} (with WAL); RSS {platform.rss_mib():.0f} MiB",
            )
        check_money(platform)
    finally:
        platform.stop()
        shutil.rmtree(platform.folder, ignore_errors=True)
    return run


def reads(folder, floors):
    platform = Platform(Path(folder) / "reads")
    platform.start()
    try:
        pairs = populate(platform, 100, 4)
        script = Path(folder) / "reads.lua"
        lines = ",".join('{"%s","%s"}' % pair for pair in pairs)
        script.write_text(
            f"""local w = {{{lines}}}
function request() local p = w[math.random(#w)]
local headers = {{["Authorization"] = "Bearer " .. p[1]}}
return wrk.format("GET", "/api/v1/accounts/" .. p[2] .. "/balance", headers) end"""
        )
        run = wrk(f"http://127.0.0.1:{platform.port}", 64, 5, script)
        row(
            "balance reads, 64 connections",
            f"{run['rate']:.0f}/s p99 {run['p99']:.1f} ms",
            f"{run['rate'] / floors['http']:.3f} of bare HTTP",
        )
    finally:
        platform.stop()


def start(folder):
    platform = Platform(Path(folder) / "start")
    first = platform.start()
    platform.stop()
    again = platform.start()
    platform.stop()
    row("start of an empty folder / again", f"{first:.2f} s / {again:.2f} s", "")


def program(name):
    """A part by itself, bench/NAME.cc: each of its lines is a row of its own."""
    ran = subprocess.run([str(BINARY.parent / f"bench_{name}")], capture_output=True, text=True, timeout=600)
    if ran.returncode != 0:
        sys.exit(f"bench_{name} failed:\n" + ran.stdout + ran.stderr)
    for line in ran.stdout.splitlines():
        print(f"  {line}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW")
    chosen = parser.parse_args().rows or EVERY
    folder = tempfile.mkdtemp(prefix="micropay-bench-", dir=os.environ.get("BENCH_DIR", ROOT / "build"))
    try:
        floors = {"http": floor_nginx(folder) or 100_000.0, "fsync": floor_fsync(folder)}
        print(
            f"floors of this run: nginx {floors['http']:.0f} small answers/s (wrk -t1 -c64), "
            f"{floors['fsync']:.0f} fdatasync/s, {os.cpu_count()} cores, load generator included\n",
            flush=True,
        )
        for name in chosen:
            if name == "payments":
                payments(folder, "payments, 64 connections", False, floors)
            elif name == "merchant":
                payments(folder, "payments to one merchant", True, floors)
            elif name == "single":
                payments(folder, "one payment at a time", False, floors, connections=1, seconds=5)
            elif name == "reads":
                reads(folder, floors)
            elif name == "overload":
                overload.measure(sys.modules[__name__], folder)
            elif name == "start":
                start(folder)
            elif name in ("json", "store"):
                program(name)
            else:
                sys.exit(f"unknown row {name}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
