"""The cluster that the tests of this folder share: tests/servers/cluster.py, and what they ask of its processes."""
import contextlib
import importlib.util
import json
import os
import pathlib
import pwd
import re
import urllib.request

import httpx

from platform_client import new_uuid, told, wait_for
from platform_process import RemotePlatform

# By its path: for pytest, "cluster" is this folder.
SPEC = importlib.util.spec_from_file_location(
    "servers_cluster", pathlib.Path(__file__).resolve().parents[1] / "servers/cluster.py")
SERVERS_CLUSTER = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SERVERS_CLUSTER)

EMAIL, PASSWORD = "admin@example.org", "correct horse battery"


def people(platform, value):
    """Two users, the first with money. A busy machine may need more than one call's time for the hash of a password."""
    def registered(name):
        with contextlib.suppress(AssertionError):
            return platform.register(name)
    ada, bob = (wait_for(lambda: registered(name), f"the user {name}", 120) for name in ("ada", "bob"))
    ada.top_up(value)
    bob.wallet()
    return ada, bob


def pay_patiently(payer, payee, value, seconds=60):
    """A payment that completes, as a client makes one in bad times: sent with one key until it is answered, then looked
    at until it is final. The payment.
    """
    key = new_uuid()

    def answered():
        with contextlib.suppress(httpx.TransportError):
            answer = payer.try_pay(payee, value, key=key)
            assert answer.status_code in (201, 202, 409, 500, 502, 503, 504), told(answer, "expected a payment")
            return answer.status_code in (201, 202) and answer.json()["id"]

    def final():
        answer = payer.request("GET", f"payments/{payment}")
        return answer.status_code == 200 and answer.json()["status"] not in ("PENDING", "PROCESSING") and answer.json()
    payment = wait_for(answered, "an answer", seconds)
    made = wait_for(final, f"payment {payment}", seconds)
    assert made["status"] == "COMPLETED", made
    return made


class SharedCluster(SERVERS_CLUSTER.Cluster):
    small_disk = None  # none: no right to mount

    def __init__(self, folder, zipkin):
        super().__init__(folder, settings={
            "gateway.rate_limits": "off",
            "trace.exporter": "zipkin", "trace.endpoint": zipkin.url,
            "trace.sampling": "0",  # those of callers who want it, and nobody else's
            "store.lease": "2s",
        })

    def plan(self):
        """Processes hear of new settings by config.changed and ask by themselves once an hour; fraud asks often."""
        super().plan()
        self["config"].settings["config.watch_interval"] = "100ms"
        for process in self.processes.values():
            if not process.name.startswith(("config", "discovery")):
                process.settings["config_client.interval"] = "500ms" if process.name == "fraud" else "1h"

    def make_databases(self):
        """balance's tables are on a disk of their own, which a test may fill; the log of PostgreSQL is not."""
        super().make_databases()
        folder = self.folder / "small-disk"
        folder.mkdir()
        if os.system(f"mount -t tmpfs -o size=256m none '{folder}' 2> /dev/null") != 0:
            return
        self.small_disk = folder
        account = pwd.getpwnam("postgres")
        place = folder / "tables"
        place.mkdir(mode=0o700)
        if os.getuid() == 0:
            os.chown(place, account.pw_uid, account.pw_gid)
        self.sql(f"CREATE TABLESPACE small LOCATION '{place}';\n")
        self.sql("ALTER DATABASE micropay_balance_db SET TABLESPACE small;\n")

    def kill(self):
        super().kill()
        if self.small_disk:
            os.system(f"umount -l '{self.small_disk}'")

    def give(self, **settings):
        """Serves these settings beside what all have; None takes one away."""
        for key, value in settings.items():
            key = key.replace("__", ".")
            if value is None:
                self.more_settings.pop(key, None)
            else:
                self.more_settings[key] = value
        self.write_settings()

    def start(self):
        super().start()
        self.create_admin(EMAIL, PASSWORD)
        self.platform = RemotePlatform(self.gateway.url, self.gateway.ops_url, f"{EMAIL}:{PASSWORD}")
        self.ada, self.bob = people(self.platform, "5000.00")
        self.platform.staff("AUDITOR")
        return self

    def instances(self, service):
        """The processes of a service."""
        return [each for each in self.processes.values() if service in each.services]

    def metric(self, name, service, **labels):
        """The sum over the processes of a service and over all series with these labels."""
        total = 0.0
        for process in self.instances(service):
            if not process.runs:
                continue
            with urllib.request.urlopen(f"http://127.0.0.1:{process.ops_port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
            for found in re.finditer(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.M):
                given = dict(re.findall(r'(\w+)="((?:[^"\\\\]|\\\\.)*)"', found[1] or ""))
                if labels.items() <= given.items():
                    total += float(found[2])
        return total

    def log_lines(self, service, code):
        """The log lines with this code, of all processes of a service, as documents."""
        lines = []
        for process in self.instances(service):
            for line in process.log.read_text(errors="replace").splitlines():
                if f'"{code}"' in line:
                    lines.append(json.loads(line))
        return lines
