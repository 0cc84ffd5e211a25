"""What happens to a cluster in a run of chaos.py. Each blow is a context: inside, the part is away; at its end it is back
and says that it is ready.
"""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

READY_SECONDS = 90
LEASE_SECONDS = 5  # store.lease


def tree_of(pid):
    """A process and all below it."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def killed(*processes):
    for each in processes:
        each.kill()
    yield
    for each in processes:
        each.launch()
    for each in processes:
        each.wait_until_ready(READY_SECONDS)


@contextlib.contextmanager
def stood_still(process):
    """Longer than its lease: others take over, and it must notice when it goes on."""
    process.pause()
    yield
    process.resume()
    process.wait_until_ready(READY_SECONDS)


@contextlib.contextmanager
def server_killed(server):
    server.kill()
    yield
    server.start()


def start_patiently(server):
    """A database whose processes are not all gone yet refuses to start."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            return server.start()
        except AssertionError:
            server.kill()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def database_stopped_at_once(postgres):
    """As by a crash of the machine: no shutdown, connections are gone, the log is replayed."""
    postgres.run("pg_ctl", "stop", "-D", postgres.folder / "data", "-m", "immediate", "-w")
    postgres.process.wait()
    yield
    start_patiently(postgres)


def postmaster_of(postgres):
    return int((postgres.folder / "data/postmaster.pid").read_text().split()[0])


@contextlib.contextmanager
def postmaster_killed(postgres):
    os.kill(postmaster_of(postgres), signal.SIGKILL)
    postgres.process.wait()
    yield
    start_patiently(postgres)


def stand_still(pids):
    states = []
    for pid in pids:
        with contextlib.suppress(OSError):
            states.append(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0])
    return "T" in states


@contextlib.contextmanager
def paused(server):
    pids = tree_of(server.process.pid)
    signal_all(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        # Whoever started another one (runuser) stops itself when it finds that one stopped, perhaps only now.
        for _ in range(5):
            signal_all(reversed(pids), signal.SIGCONT)
            time.sleep(0.05)
        assert not stand_still(pids), f"{server.name} does not go on"


@contextlib.contextmanager
def both(server, process):
    """A server and a process: the process is started again first, as by a supervisor, and when it ends because it finds
    no server, once more."""
    process.kill()
    with server:
        yield
        process.launch()
    deadline = time.monotonic() + READY_SECONDS
    while not process.ready():
        assert time.monotonic() < deadline, f"{process.name} does not start:\n{process.log_tail()}"
        if not process.runs:
            process.launch()
        time.sleep(0.2)


class Hand:
    """Picks what a blow falls on, and remembers its names."""

    def __init__(self, cluster, random):
        self.cluster, self.random = cluster, random
        self.names = []

    def process(self, name):
        self.names.append(name)
        return self.cluster[name]

    def instance(self):
        return self.process(self.random.choice([
            name for name in self.cluster.processes if not name.startswith(("gateway", "config", "discovery"))]))

    def pair(self):
        service = self.random.choice(self.cluster.twice)
        return [self.process(f"{service}-{number}") for number in (1, 2)]

    def discovery(self):
        return self.process(f"discovery-{self.random.randint(1, 2)}")

    def server(self, name):
        return self.cluster.servers[name]


# Name: how often among all, how long the part is away (seconds), and what makes the blow.
BLOWS = {
    "kill an instance": (6, (0, 3), lambda hand: killed(hand.instance())),
    "kill both instances": (3, (0, 3), lambda hand: killed(*hand.pair())),
    "kill the gateway": (2, (0, 2), lambda hand: killed(hand.process("gateway"))),
    "kill a discovery": (1, (0, 3), lambda hand: killed(hand.discovery())),
    "kill the broker": (3, (0, 3), lambda hand: server_killed(hand.server("kafka"))),
    "stop the database at once": (2, (0, 2), lambda hand: database_stopped_at_once(hand.server("postgres"))),
    "kill the database's parent": (2, (0, 2), lambda hand: postmaster_killed(hand.server("postgres"))),
    "kill redis": (2, (0, 3), lambda hand: server_killed(hand.server("redis"))),
    "stop an instance past its lease": (4, (LEASE_SECONDS + 1, LEASE_SECONDS + 4),
                                        lambda hand: stood_still(hand.instance())),
    "pause the broker": (2, (0.2, 3), lambda hand: paused(hand.server("kafka"))),
    "pause the database": (2, (0.2, 3), lambda hand: paused(hand.server("postgres"))),
    "kill broker and an instance": (1, (0, 3), lambda hand: both(server_killed(hand.server("kafka")),
                                                                 hand.instance())),
    "kill database and an instance": (1, (0, 2), lambda hand: both(
        database_stopped_at_once(hand.server("postgres")), hand.instance())),
}
