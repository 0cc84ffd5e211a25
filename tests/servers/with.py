#!/usr/bin/env python3
"""Runs a command with real servers beside it: with.py postgres kafka -- build/libs_kafka_test

Every name is a file beside this one with a class Server of that name. The command finds them by the variables
MICROPAY_TEST_<NAME>; afterwards they are stopped and their folders removed.
"""
import importlib
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server import Server  # noqa: E402


def make(name):
    module = importlib.import_module(name)
    kinds = [kind for kind in vars(module).values()
             if isinstance(kind, type) and issubclass(kind, Server) and kind.name == name]
    return kinds[0]()


def main():
    if "--" not in sys.argv[1:-1]:
        sys.exit(__doc__)
    at = sys.argv.index("--")
    servers, variables = [], dict(os.environ)
    try:
        for name in sys.argv[1:at]:
            servers.append(make(name))
            servers[-1].start()
            variables |= servers[-1].environment()
        return subprocess.run(sys.argv[at + 1:], env=variables).returncode
    finally:
        for server in reversed(servers):
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
