"""The load generators: our own (bench/load.cc: verified answers, open loop, exact percentiles), and wrk
for floors and for what nobody needs to look into. Every run is bounded in time; one that hangs fails the
row."""

import json
import os
import re
import subprocess

from common import BUILD, CONNECTIONS, BenchFailed

LOAD = BUILD / "bench_load"


def command_of(port, connections, **options):
    command = [str(LOAD), "--port", str(port), "--connections", str(connections)]
    for name, value in options.items():
        if value not in (None, ""):
            command += [f"--{name}", str(value)]
    return command


class Load:
    """bench_load in the background; answers() waits for its end and refuses a run with a wrong answer."""

    def __init__(self, port, connections=CONNECTIONS, **options):
        self.bound = float(options.get("seconds", 3600)) + 120
        self.process = subprocess.Popen(
            command_of(port, connections, **options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answers(self):
        try:
            out, err = self.process.communicate(timeout=self.bound)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BenchFailed(f"the load generator did not end within {self.bound:.0f} s") from None
        if self.process.returncode != 0:
            raise BenchFailed(f"bench_load ended with {self.process.returncode}: {err}")
        run = json.loads(out)
        if run["wrong"] or run["lost"] or run["broken"]:
            raise BenchFailed(
                f"{run['wrong']} answers were wrong (the first: {run['firstWrong']}), "
                f"{run['lost']} did not come, {run['broken']} connections broke"
            )
        return run

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def load(port, connections=CONNECTIONS, **options):
    return Load(port, connections, **options).answers()


def wrk(url, connections, seconds, script=None, env=None):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    if script:
        command += ["-s", str(script)]
    output = subprocess.run(
        [*command, url],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        timeout=seconds + 60,
    ).stdout

    def latency(percent):
        match = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)", output)
        return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000}[match[2]] if match else float("nan")

    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if not rate:
        raise BenchFailed("wrk said: " + output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return {"rate": float(rate[1]), "p50": latency(50), "p99": latency(99), "refused": int(refused[1]) if refused else 0}
