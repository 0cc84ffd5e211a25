"""The cluster profile on this machine: real Kafka, PostgreSQL or MariaDB, Redis, and every service in processes of its own.

    cluster = Cluster(folder, ports=FixedPorts()).start()     # `make cluster`; tests take FreePorts()
    cluster.gateway.url
    cluster["payment-2"].kill(); cluster["payment-2"].start()
    cluster.stop()

Every process keeps its settings, certificate and log below the folder. What settings they share comes from the
config server, which serves the folder's config/.
"""
import contextlib
import functools
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from server import accepts, free_port  # noqa: E402

ROOT = HERE.parent.parent
BINARY = ROOT / os.environ.get("BUILD", "build") / "micropay"
START_SECONDS = 60
STOP_SECONDS = 30
TWICE = ("payment", "transaction", "balance")


@functools.cache
def services(binary=BINARY):
    """What a binary says of its services: a service that is added is started, given a database, and tested like any."""
    listed = subprocess.run([binary, "services", "--json"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return {each["service"]: each for each in json.loads(listed)}


class FixedPorts:
    """Those that the documents name; the second instance of a service is a hundred further."""

    def __call__(self, wanted):
        assert not accepts(wanted), f"port {wanted} is taken: stop what listens there"
        return wanted


class FreePorts:
    def __call__(self, wanted):
        return free_port()


class Process:
    """One `micropay serve` of the cluster."""

    def __init__(self, cluster, name, services, port, settings):
        self.cluster, self.name, self.services = cluster, name, services
        self.port, self.ops_port = port, cluster.ports(9000 + port % 100 + (100 if port % 1000 >= 100 else 0))
        self.settings = settings
        self.data = cluster.folder / "data" / name
        self.log = cluster.folder / "logs" / f"{name}.log"
        self.process = None
        self.binary = BINARY
        self.surroundings = {}  # variables of its own

    def command(self):
        words = [str(self.binary), "serve", "--services", ",".join(self.services), "--data", str(self.data),
                 "--config", str(self.cluster.folder / "bootstrap.yaml"), "--ops", f"127.0.0.1:{self.ops_port}"]
        # Last known settings: two clusters on one machine have each their own.
        for key, value in {"config_client.cache": self.data / "config-cache.json", **self.settings}.items():
            words += ["--set", f"{key}={value}"]
        return words

    def launch(self):
        self.data.mkdir(parents=True, exist_ok=True)
        with open(self.log, "a") as out:
            # A group of its own: Ctrl-C is for whoever started the cluster, who stops it in order.
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT,
                                            env=self.cluster.environment() | self.surroundings,
                                            process_group=0)
        return self

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/health/ready", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_until_ready(self, seconds=START_SECONDS):
        deadline = time.monotonic() + seconds
        while not self.ready():
            code = self.process.poll()
            assert code is None, f"{self.name} ended with {code}:\n{self.log_tail()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.log_tail()}"
            time.sleep(0.05)
        return self

    def start(self):
        return self.launch().wait_until_ready()

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.runs:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.runs:
            self.process.terminate()

    def stop(self):
        """Its exit code; 0 also when it did not run."""
        if not self.runs:
            return 0
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop:\n{self.log_tail()}") from None
        finally:
            self.process = None

    def log_tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Cluster:
    def __init__(self, folder, ports=None, settings=None, binary=BINARY, twice=TWICE, tell=lambda line: None,
                 lasting=False, database="postgres"):
        self.folder = pathlib.Path(folder)
        self.ports = ports or FreePorts()
        self.more_settings = settings or {}
        self.binary, self.twice, self.tell = binary, twice, tell
        self.database = database  # or mariadb
        self.lasting = lasting  # longer than a test: Kafka may take its time to compile itself
        self.servers, self.processes = {}, {}

    def __getitem__(self, name):
        return self.processes[name]

    # ---- set-up ----

    def start(self):
        for part in ("logs", "data", "config", "servers"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.start_servers()
        self.make_certificates()
        self.plan()
        self.write_settings()
        self.start_processes()
        return self

    def start_servers(self):
        from kafka import Server as Kafka
        from mariadb import Mariadb
        from postgres import Postgres
        from redis import Redis
        databases = {"postgres": Postgres, "mariadb": Mariadb}
        for other in databases:  # topics and databases belong together
            assert other == self.database or not (self.folder / "servers" / other).exists(), \
                f"{self.folder} was made with {other}: give another folder"
        kinds = {self.database: databases[self.database], "kafka": Kafka, "redis": Redis}
        wanted = {"postgres": 5433, "mariadb": 3307, "kafka": 9094, "redis": 6380}
        for name, kind in kinds.items():
            self.tell(f"starting {name}")
            more = {"lasting": self.lasting} if name == "kafka" else {}
            self.servers[name] = kind(self.folder / "servers" / name, self.ports(wanted[name]), **more).start()
        self.make_databases()

    def sql(self, *arguments):
        return self.servers[self.database].sql(*arguments)

    def make_databases(self):
        """A database per service; its owner makes tables, its application role reads and writes rows only. A folder that
        is older than a service gets those that are missing.
        """
        password = self.folder / "servers/database-password"
        server = self.servers[self.database]
        if not password.exists():
            secret = secrets.token_hex(16)
            server.make_roles(secret)
            password.touch(mode=0o600)
            password.write_text(secret)
        server.make_databases([f"micropay_{service}_db" for service in services()])

    def make_certificates(self):
        folder = self.folder / "certs"
        if all((folder / f"{name}.crt").exists() for name in ("gateway", *services())):
            return
        self.tell("making an authority and certificates")
        subprocess.run([self.binary, "certs", "--out", folder], check=True,
                       stdout=subprocess.DEVNULL)

    def plan(self):
        def add(name, services, port, **settings):
            self.processes[name] = Process(self, name, services, port, settings)
            self.processes[name].binary = self.binary

        config_port, found = self.ports(8888), [self.ports(8761), self.ports(8762)]
        self.config_url = f"http://127.0.0.1:{config_port}"
        self.discovery_urls = ",".join(f"http://127.0.0.1:{port}/eureka" for port in found)
        add("config", ["config"], config_port, **{"config.listen": f"127.0.0.1:{config_port}",
                                                  "config.directory": self.folder / "config",
                                                  "kafka.brokers": f"127.0.0.1:{self.servers['kafka'].port}"})
        for number, port in enumerate(found):
            others = [f"http://127.0.0.1:{other}/eureka" for other in found if other != port]
            add(f"discovery-{number + 1}", ["discovery"], port,
                **{"discovery.listen": f"127.0.0.1:{port}", "discovery.peers": ",".join(others)})
        for service, of_it in services().items():
            for number in range(2 if service in self.twice else 1):
                port = self.ports(of_it["port"] + 100 * number)
                name = f"{service}-{number + 1}" if service in self.twice else service
                add(name, [service], port,
                    **{"rpc.listen": f"127.0.0.1:{port}",
                       "rpc.tls.certificate": self.folder / f"certs/{service}.crt",
                       "rpc.tls.key": self.folder / f"certs/{service}.key"})
        port = self.ports(8080)
        add("gateway", ["gateway"], port, **{"gateway.listen": f"127.0.0.1:{port}",
                                             "rpc.tls.certificate": self.folder / "certs/gateway.crt",
                                             "rpc.tls.key": self.folder / "certs/gateway.key"})
        self.gateway = self.processes["gateway"]
        self.gateway.url = f"http://127.0.0.1:{port}"
        self.gateway.ops_url = f"http://127.0.0.1:{self.gateway.ops_port}"

    def shared_settings(self):
        database, kafka, redis = (self.servers[name] for name in (self.database, "kafka", "redis"))
        return {
            "store.url": database.url("micropay_app", "micropay_{service}_db"),
            "store.owner_url": database.url("micropay_owner", "micropay_{service}_db"),
            "store.password_file": self.folder / "servers/database-password",
            # Which is for trying what instances do beside each other. Whoever wants it fast on one machine has one, so
            # that events come to one instance of a service, and the others stand by (docs/scaling.md).
            "kafka.partitions": 1 if self.lasting else 2,
            "kafka.brokers": f"127.0.0.1:{kafka.port}",
            "redis.url": f"redis://127.0.0.1:{redis.port}",
            "user.keys": self.folder / "keys",
        } | self.more_settings

    def write_settings(self):
        """What a process has to know before it can ask the config server, and what that answers."""
        def lines(settings):
            return "".join(f"{key}: {json.dumps(str(value))}\n" for key, value in settings.items())
        (self.folder / "bootstrap.yaml").write_text(lines({
            "profile": "cluster",
            "config_client.uris": self.config_url,
            "discovery_client.uris": self.discovery_urls,
            "rpc.tls.authority": self.folder / "certs/authority.crt",
        }))
        (self.folder / "config/application.yml").write_text(lines(self.shared_settings()))

    def environment(self):
        return {name: value for name, value in os.environ.items() if not name.startswith("MICROPAY_")}

    def start_processes(self):
        # Those that others ask come first; the others start together.
        for name in ("config", "discovery-1", "discovery-2"):
            self.tell(f"starting {name}")
            self.processes[name].start()
        others = [each for each in self.processes.values() if not each.runs]
        self.tell(f"starting {len(others)} processes of {len(services())} services and the gateway")
        for each in others:
            each.launch()
        for each in others:
            each.wait_until_ready()

    # ---- use ----

    def create_admin(self, email, password):
        made = subprocess.run([self.binary, "user", "create-admin", "--data", self["user"].data, "--email", email,
                               "--password-stdin"], input=password + "\n", text=True, capture_output=True)
        assert made.returncode == 0, made.stdout + made.stderr

    def table(self):
        rows = [("process", "address", "operations", "pid")]
        for name, server in self.servers.items():
            rows.append((name, f"127.0.0.1:{server.port}", "", str(server.process.pid)))
        for name, each in self.processes.items():
            rows.append((name, f"127.0.0.1:{each.port}", f"127.0.0.1:{each.ops_port}", str(each.process.pid)))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                         for row in rows)

    def stop(self):
        """In the order of dependence: the edge first, then those that it calls, then the servers."""
        codes = {}
        order = ["gateway", *(name for name in self.processes
                              if name != "gateway" and not name.startswith(("config", "discovery"))),
                 "discovery-1", "discovery-2", "config"]
        for name in order:
            if name in self.processes:
                self.processes[name].end()  # they drain side by side
        for name in order:
            if name in self.processes:
                codes[name] = self.processes[name].stop()
        for server in reversed(self.servers.values()):
            server.stop()
        return {name: code for name, code in codes.items() if code != 0}

    def kill(self):
        for each in self.processes.values():
            each.kill()
        for server in self.servers.values():
            with contextlib.suppress(Exception):
                server.stop()
