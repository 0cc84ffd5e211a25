"""The row `stream`: how old an event is when it reaches the sockets of those whom it concerns."""

import json
import os
import subprocess
from pathlib import Path

from common import BUILD, CONNECTIONS, SECONDS, BenchFailed, tell
from generators import load
from money import Prepared

USERS = int(os.environ.get("BENCH_STREAM_USERS", "1000"))
SOCKETS_A_USER = 5
RATE = 500  # payments a second, each between two users; some eight events go to their ten sockets


class Listeners:
    """bench_stream on a platform, all sockets ready."""

    def __init__(self, platform, pairs, folder):
        tokens = Path(folder) / "stream.tokens"
        tokens.write_text("".join(f"{token}\n" * SOCKETS_A_USER for token, _ in pairs))
        offset_us = platform.metric("micropay_clock_offset_seconds") * 1e6
        command = [BUILD / "bench_stream", "--port", str(platform.port), "--tokens", tokens]
        command += ["--offset-us", f"{offset_us:.0f}"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if self.process.stdout.readline() != "ready\n":  # it bounds its own time
            raise BenchFailed("the sockets are not ready: " + self.process.communicate(timeout=60)[1])

    def figures(self, completed):
        """After so many payment.completed came, over all sockets."""
        out, err = self.process.communicate(f"{completed}\n", timeout=120)
        if self.process.returncode != 0:
            raise BenchFailed(f"bench_stream: {err}")
        run = json.loads(out)
        if run["completed"] != completed or run["lost"]:
            raise BenchFailed(
                f"{run['completed']} payment.completed came of {completed}, {run['lost']} sockets were closed"
            )
        return run

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def stream(bench):
    """5,000 WebSockets of 1,000 users, 500 payments a second between them: how old an event is when its
    user's sockets have it, from the CloudEvents time (before the commit) to the client, and that none is
    missing.
    """
    users = Prepared(f"{bench.folder}/listening", bench.folder, USERS, USERS)
    with users.platform("stream") as platform:
        load(platform.port, CONNECTIONS, seconds=2, rate=RATE, pay=users.wallets_file)
        platform.wait_until_quiet()
        tell(f"{USERS * SOCKETS_A_USER:,} sockets")
        listeners = Listeners(platform, users.pairs, bench.folder)
        try:
            paid = load(platform.port, CONNECTIONS, seconds=SECONDS, rate=RATE, pay=users.wallets_file)
            run = listeners.figures(paid["answered"] * 2 * SOCKETS_A_USER)
        finally:
            listeners.stop()
        bench.report.row(
            "stream",
            f"live stream, {run['sockets']:,} sockets, {RATE} payments/s",
            f"those payments p99 {paid['p99']:.1f} ms",
            f"p50 {run['p50']:.1f} ms, p99.9 {run['p999']:.0f}, max {run['max']:.0f}; "
            f"{run['events'] / paid['seconds']:,.0f} messages/s",
            p99_ms=run["p99"],
        )
        users.check(platform)
