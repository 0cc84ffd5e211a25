#!/usr/bin/env python3
"""Runs the cluster profile on this machine until Ctrl-C: `make cluster`.

    cluster.py [--data FOLDER] [--database mariadb] [--set KEY=VALUE]...

Kafka, PostgreSQL and Redis on ports of their own, config (8888), discovery (8761, 8762), every service in a process
of its own (payment, transaction and balance in two), the gateway on 8080. Everything is kept below the folder.
"""
import argparse
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/servers"))
from cluster import Cluster, FixedPorts  # noqa: E402


def tell(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data-cluster")
    parser.add_argument("--database", choices=("postgres", "mariadb"), default="postgres")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    began = time.monotonic()
    cluster = Cluster(pathlib.Path(arguments.data).resolve(), FixedPorts(), tell=tell, lasting=True,
                      database=arguments.database, settings=dict(each.split("=", 1) for each in arguments.set))
    try:
        cluster.start()
        tell(f"\nMicroPay's cluster is up in {time.monotonic() - began:.1f} s, kept in {cluster.folder}\n")
        tell(cluster.table())
        tell(f"\n  {cluster.gateway.url}/docs        every route\n"
             f"  {cluster.gateway.ops_url}/metrics     of the gateway; each process has its own\n"
             f"  {cluster.folder}/logs        a log per process\n\n"
             "An administrator: echo PASSWORD | build/micropay user create-admin "
             f"--data {cluster['user'].data} --email YOU --password-stdin\n"
             "Ctrl-C stops everything.")
        watch(cluster)
    except KeyboardInterrupt:
        tell("\nstopping")
    except AssertionError as problem:
        tell(f"\ncluster: {problem}")
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it stops already
        failed = cluster.stop()
        for name, code in failed.items():
            tell(f"{name} ended with {code}; see {cluster.folder}/logs/{name}.log")
    return 0


def watch(cluster):
    """Says when a process ends by itself."""
    said = set()
    while True:
        time.sleep(0.5)
        for name, each in cluster.processes.items():
            if name not in said and not each.runs:
                said.add(name)
                tell(f"{name} has ended; see {cluster.folder}/logs/{name}.log")


if __name__ == "__main__":
    sys.exit(main())
