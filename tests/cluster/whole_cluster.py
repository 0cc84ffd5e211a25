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

    def start(self):
        super().start()
        self.create_admin(EMAIL, PASSWORD)
        self.platform = RemotePlatform(self.gateway.url, self.gateway.ops_url, f"{EMAIL}:{PASSWORD}")
        return self

    def people(self, value="500.00"):
        """Two users, the first with money."""
        ada, bob = self.platform.register("ada"), self.platform.register("bob")
        ada.top_up(value)
        return ada, bob

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
