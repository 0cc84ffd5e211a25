#!/usr/bin/env python3
"""Zipkin, with its traces in memory.

    zipkin.py          fetches its jar with Maven into .servers/zipkin, once (tools/setup.sh)
    Zipkin().start()   http://127.0.0.1:<port>, spans to /api/v2/spans
"""
import json
import pathlib
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server import Server  # noqa: E402

VERSION = "3.6.1"
FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".servers/zipkin"
JAR = FOLDER / f"zipkin-server-{VERSION}-exec.jar"


def fetch():
    """The jar, unless it is there."""
    if JAR.exists():
        return
    print("setup: the Zipkin server of tests and the cluster, by Maven into .servers/zipkin", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run(["mvn", "-q", "-B", "dependency:copy", f"-DoutputDirectory={FOLDER}",
                    f"-Dartifact=io.zipkin:zipkin-server:{VERSION}:jar:exec"], check=True)


class Zipkin(Server):
    name = "zipkin"

    def prepare(self):
        assert JAR.exists(), "no Zipkin in .servers/zipkin: run tools/setup.sh cluster"

    def command(self):
        return ["java", "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-jar", str(JAR), f"--server.port={self.port}"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ready(self):
        try:
            return self.get("/health")["status"] == "UP"
        except (OSError, ValueError, KeyError):
            return False

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)

    def trace(self, trace_id):
        """The spans of the trace, or none when it is not known."""
        try:
            return self.get(f"/api/v2/trace/{urllib.parse.quote(trace_id)}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise


if __name__ == "__main__":
    fetch()
