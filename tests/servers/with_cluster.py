#!/usr/bin/env python3
"""Runs a command with a cluster of ours beside it: with_cluster.py [OPTION]... -- pytest tests/flow

Kafka, PostgreSQL (or --database mariadb), Redis and all processes on free ports in a temporary folder; the command finds
the gateway and an administrator by MICROPAY_TEST_URL, MICROPAY_TEST_OPS_URL and MICROPAY_TEST_ADMIN, as
tests/platform_process.py says.
Fails, too, when a process did not stop in order. --keep-logs FOLDER keeps their logs.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cluster import Cluster  # noqa: E402

EMAIL, PASSWORD = "admin@example.org", "correct horse battery"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--lasting", action="store_true", help="for what runs for minutes: Kafka compiles itself")
    parser.add_argument("--database", choices=("postgres", "mariadb"), default="postgres")
    parser.add_argument("--keep-logs", metavar="FOLDER")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = [word for word in arguments.command if word != "--"]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="micropay-cluster-"))
    folder.chmod(0o755)  # PostgreSQL's own user goes through it
    settings = {"gateway.rate_limits": "off"} | dict(each.split("=", 1) for each in arguments.set)
    cluster = Cluster(folder, settings=settings, lasting=arguments.lasting, database=arguments.database)
    try:
        cluster.start()
        cluster.create_admin(EMAIL, PASSWORD)
        code = subprocess.run(command, env=os.environ | {
            "MICROPAY_TEST_URL": cluster.gateway.url, "MICROPAY_TEST_OPS_URL": cluster.gateway.ops_url,
            "MICROPAY_TEST_ENGINE_OPS_URL": f"http://127.0.0.1:{cluster['payment-1'].ops_port}",
            "MICROPAY_TEST_ADMIN": f"{EMAIL}:{PASSWORD}"}).returncode
        failed = cluster.stop()
        for name, ended in failed.items():
            print(f"{name} ended with {ended}:\n{cluster[name].log_tail()}")
        return code or (1 if failed else 0)
    finally:
        cluster.kill()
        if arguments.keep_logs:
            shutil.copytree(folder / "logs", arguments.keep_logs, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
