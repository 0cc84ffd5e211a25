#!/usr/bin/env python3
"""Apache Kafka, one broker that is its own controller (KRaft).

    kafka.py          fetches its jars with Maven into .servers/kafka, once (tools/setup.sh)
    kafka.py FOLDER PORT [KEY=VALUE…] [CA CERTIFICATE KEY]
                      becomes a broker; for tests that kill their own
    Server().start()                                       plaintext on 127.0.0.1
    Server(settings={"group.min.session.timeout.ms": 100})
    Server(tls=Tls("ca.pem", "broker-cert.pem", "broker-key.pem"))   mutual TLS on the same port

The folder keeps topics and identity: killed and started again on it, the broker goes on.
"""
import collections
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server import Server as Base, free_port  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
JARS = HERE.parent.parent / ".servers/kafka"
POM = HERE / "kafka.pom.xml"
PR_SET_PDEATHSIG = 1
MADE_FROM = JARS / "made-from"
CLASSES = JARS / "classes.jsa"  # as the JVM has them in memory: halves the time to start
# Kilobytes of topics need no more; the serial collector starts fastest, and the first compiler alone for what is brief.
JAVA = ["java", "-Xms96m", "-Xmx256m", "-Xss512k", "-XX:+UseSerialGC"]
BRIEF = "-XX:TieredStopAtLevel=1"
LIBRARIES = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{JARS}/*"]

Tls = collections.namedtuple("Tls", "ca certificate key")  # PEM files; the key PKCS #8, not encrypted


def fetch():
    """The jars, unless those of this pom are there."""
    wanted = POM.read_text()
    if MADE_FROM.exists() and MADE_FROM.read_text() == wanted:
        return
    print("setup: the Kafka broker of tests and the cluster, 44 MB by Maven into .servers/kafka", flush=True)
    shutil.rmtree(JARS, ignore_errors=True)
    subprocess.run(["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
                    f"-DoutputDirectory={JARS}", "-DincludeScope=runtime"], check=True)
    first = Server(java_options=[f"-XX:ArchiveClassesAtExit={CLASSES}"])
    first.start()
    first.stop()
    MADE_FROM.write_text(wanted)


class Server(Base):
    name = "kafka"
    start_seconds = 180  # seconds are enough for it, but not on a machine that has too much to do

    def __init__(self, folder=None, port=None, settings=None, tls=None, java_options=None, lasting=False):
        super().__init__(folder, port)
        self.java_options = java_options or [f"-XX:SharedArchiveFile={CLASSES}", *([] if lasting else [BRIEF])]
        self.settings = settings or {}
        self.tls = tls
        kept = self.folder / "controller-port"  # the metadata remembers it
        if not kept.exists():
            kept.write_text(str(free_port()))
        self.controller_port = int(kept.read_text())

    def prepare(self):
        assert JARS.exists(), "no Kafka in .servers/kafka: run tools/setup.sh cluster"
        (self.folder / "server.properties").write_text(
            "".join(f"{key}={value}\n" for key, value in self.properties().items()))
        if not (self.folder / "data/meta.properties").exists():
            tool = [*JAVA, *LIBRARIES, "kafka.tools.StorageTool", "format", "--standalone",
                    "-t", "AAAAAAAAQACAAAAAAAAAAQ", "-c", "server.properties"]
            made = subprocess.run(tool, cwd=self.folder, capture_output=True, text=True)
            assert made.returncode == 0, made.stdout + made.stderr

    def properties(self):
        protocol = "SSL" if self.tls else "PLAINTEXT"
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"{protocol}://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"{protocol}://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": protocol,
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / "data",
            "num.partitions": 8,
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 500,
            # A broker that was killed waits for its former self to be given up.
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 400,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
        }
        if self.tls:
            properties |= {
                "ssl.keystore.type": "PEM",
                "ssl.truststore.type": "PEM",
                "ssl.client.auth": "required",
                "ssl.truststore.location": self.tls.ca,
                "ssl.keystore.location": self.keystore(),
            }
        return properties | self.settings

    def keystore(self):
        """Kafka wants the key before its certificates in one file."""
        path = self.folder / "keystore.pem"
        path.touch(mode=0o600)
        path.write_text("".join(pathlib.Path(part).read_text()
                                for part in (self.tls.key, self.tls.certificate)))
        return path

    def configure(self, topic, **settings):
        """Changes settings of a topic, which begins to live by them within a second; None is the broker's again."""
        words = [*JAVA, *LIBRARIES, "kafka.admin.ConfigCommand", "--bootstrap-server", f"127.0.0.1:{self.port}",
                 "--alter", "--entity-type", "topics", "--entity-name", topic]
        given = {key.replace("_", "."): value for key, value in settings.items()}
        if added := ",".join(f"{key}={value}" for key, value in given.items() if value is not None):
            words += ["--add-config", added]
        if removed := ",".join(key for key, value in given.items() if value is None):
            words += ["--delete-config", removed]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def kcat(self, *words, text=""):
        done = subprocess.run(["kcat", "-b", f"127.0.0.1:{self.port}", *words], input=text, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def partitions(self, topic):
        """How many it has."""
        return len(json.loads(self.kcat("-L", "-J", "-t", topic))["topics"][0]["partitions"])

    def publish(self, topic, value, key="", partition=0, headers=None):
        """A record of anybody's."""
        words = [word for name, text in (headers or {}).items() for word in ("-H", f"{name}={text}")]
        self.kcat("-P", "-t", topic, "-p", str(partition), *words, "-K", "\x02", "-D", "\x01",
                  text=f"{key}\x02{value}")

    def headers_of(self, topic):
        """Of every record of a topic, {name: value}."""
        lines = self.kcat("-C", "-q", "-e", "-o", "beginning", "-t", topic, "-f", "%h\n").splitlines()
        return [dict(each.split("=", 1) for each in line.split(",") if "=" in each) for line in lines]

    def command(self):
        return [*JAVA, *self.java_options, *LIBRARIES, "kafka.Kafka", "server.properties"]

    def ready(self):
        """Whether it answers: an open port alone may belong to a broker that is not registered yet."""
        if self.tls:
            return super().ready()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 0.5) as probe:
                probe.settimeout(2)
                # ApiVersions, version 0, correlation 1, client "probe"; then Metadata, version 0, no topic
                body = struct.pack(">hhih5s", 18, 0, 1, 5, b"probe")
                probe.sendall(struct.pack(">i", len(body)) + body)
                return len(probe.recv(4)) == 4
        except OSError:
            return False


def become(folder, port, *rest):
    settings = dict(each.split("=", 1) for each in rest if "=" in each)
    files = [each for each in rest if "=" not in each]
    server = Server(folder, int(port), settings, Tls(*files) if files else None)
    server.prepare()
    os.chdir(folder)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it ends with the test that wanted it
    os.execvp("java", server.command())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        become(*sys.argv[1:])
    fetch()
