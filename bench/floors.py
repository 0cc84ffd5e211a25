"""What the machine carries today, measured first: small static answers from nginx, writes with fdatasync,
and PostgreSQL's pgbench as a peer that makes bare transfers durable."""

import os
import pwd
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from common import CONNECTIONS, BenchFailed, free_port, wait_until
from generators import wrk

STANDARD_HTTP = 100_000  # answers a second for which the asked rates hold
CONF = """daemon off; worker_processes 1; pid {0}/nginx.pid; error_log {0}/nginx.err;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {0}/b; proxy_temp_path {0}/p;
fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
server {{ listen 127.0.0.1:{1}; location / {{ return 200 "ok"; }} }} }}"""


def http_rate(folder):
    """Small static answers a second from nginx with one worker; 0 when there is no nginx."""
    if not shutil.which("nginx"):
        return 0
    port = free_port()
    conf = Path(folder) / "nginx.conf"
    conf.write_text(CONF.format(folder, port))
    process = subprocess.Popen(["nginx", "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        wait_until((Path(folder) / "nginx.pid").exists, 20, "start of nginx")
        return wrk(f"http://127.0.0.1:{port}/", CONNECTIONS, 3)["rate"]
    finally:
        process.terminate()
        process.wait(20)


def fsyncs(folder):
    """4 KiB overwrites, each with fdatasync: how many a second, and the median of one in ms. On a busy
    disk a few slow ones make the mean much longer than the median."""
    path = Path(folder) / "fsync"
    with open(path, "wb") as out:
        out.write(bytes(4096 * 256))
        os.fsync(out.fileno())
    handle = os.open(path, os.O_RDWR)
    block, took = os.urandom(4096), []
    began = now = time.monotonic()
    while now - began < 1.5:
        os.pwrite(handle, block, 4096 * (len(took) % 256))
        os.fdatasync(handle)
        before, now = now, time.monotonic()
        took.append(now - before)
    os.close(handle)
    path.unlink()
    return len(took) / (now - began), statistics.median(took) * 1000


# --- the peer ---

# Both wallets in the order of their ids, or two transfers could wait for each other.
TRANSFER = """\\set a random(1, {wallets})
\\set b 1 + (:a + random(0, {wallets} - 2)) % {wallets}
\\set low least(:a, :b)
\\set high greatest(:a, :b)
\\set moved CASE WHEN :a < :b THEN -1 ELSE 1 END
BEGIN;
UPDATE wallet SET balance = balance + :moved WHERE id = :low;
UPDATE wallet SET balance = balance - :moved WHERE id = :high;
INSERT INTO transfer (payer, payee, amount) VALUES (:a, :b, 1);
COMMIT;
"""
SCHEMA = """CREATE TABLE wallet (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO wallet SELECT id, 500000 FROM generate_series(1, {wallets}) id;
CREATE TABLE transfer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payer int NOT NULL,
  payee int NOT NULL, amount bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());
"""


class Postgres:
    """A private server with its defaults, on a free port; as the user postgres when we are root."""

    def __init__(self, folder):
        bins = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not bins or not shutil.which("pgbench"):
            raise FileNotFoundError("needs the Debian package postgresql")
        self.bin, self.folder, self.port = bins[-1].parent, Path(folder), free_port()
        self.folder.mkdir()
        self.user = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.process = None

    def __enter__(self):
        data = self.folder / "data"
        self.call(
            self.bin / "initdb", "-D", data, "-U", "bench", "--auth=trust", "-E", "UTF8", "--no-locale"
        )
        log = open(self.folder / "log", "w")
        command = [self.bin / "postgres", "-D", data, "-p", str(self.port), "-k", self.folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "synchronous_commit=on"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self.user)
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, 60, "start of PostgreSQL")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, program, *words, stdin="", seconds=120):
        done = subprocess.run(
            [program, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=self.folder,
            **self.user,
        )
        if done.returncode != 0:
            raise BenchFailed(f"{Path(program).name}: {done.stderr[-1000:]}")
        return done.stdout

    def sql(self, text):
        words = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "-d", "postgres", "-qAt"]
        return self.call(self.bin / "psql", *words, "-v", "ON_ERROR_STOP=1", stdin=text).strip()

    def transfers(self, wallets, clients, seconds):
        """Rate and latencies of durable transfers: two updates and an insert each."""
        self.sql(SCHEMA.format(wallets=wallets))
        script = self.folder / "transfer.sql"
        script.write_text(TRANSFER.format(wallets=wallets))
        words = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "-n", "-M", "prepared", "-j", "1"]
        words += ["-c", str(clients), "-f", script, "postgres"]
        self.call(self.bin / "pgbench", "-T", "2", *words)
        logged = ["-T", str(seconds), "--log", "--log-prefix", self.folder / "took"]
        out = self.call(self.bin / "pgbench", *logged, *words, seconds=seconds + 120)
        rate = float(out.split("tps = ")[1].split()[0])
        took = sorted(
            int(line.split()[2])
            for file in self.folder.glob("took.*")
            for line in file.read_text().splitlines()
        )
        total, made = self.sql("SELECT sum(balance) FROM wallet"), int(
            self.sql("SELECT count(*) FROM transfer")
        )
        if int(total) != 500_000 * wallets or made < len(took):
            raise BenchFailed("PostgreSQL's money does not add up")
        return {"rate": rate, "p50": took[len(took) // 2] / 1000, "p99": took[len(took) * 99 // 100] / 1000}
