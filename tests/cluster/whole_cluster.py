"""The cluster that the tests of this folder share: tests/servers/cluster.py, and what they ask of its processes."""
import importlib.util
import json
import pathlib
import re
import urllib.request

from platform_process import RemotePlatform

# By its path: for pytest, "cluster" is this folder.
SPEC = importlib.util.spec_from_file_location(
    "servers_cluster", pathlib.Path(__file__).resolve().parents[1] / "servers/cluster.py")
SERVERS_CLUSTER = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SERVERS_CLUSTER)

EMAIL, PASSWORD = "admin@example.org", "correct horse battery"


class SharedCluster(SERVERS_CLUSTER.Cluster):
    def __init__(self, folder, zipkin):
        super().__init__(folder, settings={
            "gateway.rate_limits": "off",
            "trace.exporter": "zipkin", "trace.endpoint": zipkin.url,
            "trace.sampling": "0",  # those of callers who want it, and nobody else's
            "store.lease": "2s",
        })

    def plan(self):
        """Processes hear of new settings by config.changed and look for them by themselves once an hour; fraud looks often."""
        super().plan()
        self["config"].settings["config.watch_interval"] = "100ms"
        for process in self.processes.values():
            if not process.name.startswith(("config", "discovery")):
                process.settings["config_client.interval"] = "500ms" if process.name == "fraud" else "1h"

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
        self.make_people()
        return self

    def make_people(self):
        """Two users, the first with money: made once, because passwords are hashed when nothing else runs."""
        self.ada, self.bob = self.platform.register("ada"), self.platform.register("bob")
        self.ada.top_up("5000.00")
        self.bob.wallet()
        self.platform.staff("AUDITOR")

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
