"""Clients that are slow, silent, or many: each is let go at its time, none delays others or fills the memory.
The platforms here have short time-outs; a deadline of a test is ten times as long and more.
"""
import resource
import pathlib
import select
import signal
import socket
import threading

import pytest

from platform_client import Api, wait_for
from raw_http import RawClient, Seconds, open_sockets, rss_mib

HOST = b"Host: a\r\n"
PAGE = b"GET /.well-known/jwks.json HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /api/v1/payments HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
TIMEOUT = 2  # of the platform `hasty`, in seconds


@pytest.fixture(scope="module")
def hasty(module_platform):
    return module_platform(f"gateway.request_timeout={TIMEOUT}s", f"gateway.idle_timeout={TIMEOUT}s")


@pytest.fixture(scope="module", autouse=True)
def many_descriptors():
    """Ten thousand sockets of ours; the platform inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_served(platform):
    """A neighbour on a connection of its own gets its answer."""
    with RawClient(platform) as client:
        client.send(PAGE)
        return client.read().status == 200


class Dripping:
    """A thread that sends a byte now and then until the server ends the connection."""

    def __init__(self, client, data):
        self.client, self.data = client, data
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        deadline = Seconds()
        for byte in self.data * 1_000:
            readable, _, _ = select.select([self.client.socket], [], [], 0.05)
            if readable or not deadline or not self.client.send(bytes([byte])):
                return


@pytest.mark.parametrize("begin, drip, status", [
    (b"", b"G", 408), (b"GET / HTTP/1.1\r\n", b"X", 408), (b"GET / HTTP/1.1\r\n" + HOST, b"X: y\r\n", 408),
    (POST + b"Content-Length: 100000\r\n\r\n", b" ", 408),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 408),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x", 408),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"T: v\r\n", 408)],
    ids=["method", "name", "headers", "body", "chunks", "extension", "trailers"])
def test_a_request_that_drips_in(hasty, begin, drip, status):
    """Time runs for the whole head and the whole body, not from byte to byte."""
    with RawClient(hasty) as client:
        client.send(begin)
        dripping = Dripping(client, drip)
        assert is_served(hasty)
        assert client.read().status == status
        assert client.read_all() == []
        dripping.thread.join()


@pytest.mark.parametrize("data, answers", [
    (b"", []), (b"\r\n", []), (PAGE, [200]), (b"GET / HTTP/1.1\r\n", [408]),
    (POST + b"Content-Length: 2\r\n\r\n{", [408])],
    ids=["nothing", "an empty line", "a request", "half a head", "half a body"])
def test_a_client_that_falls_silent(hasty, data, answers):
    """Half-open sockets: for the server, a peer that has vanished is one that says nothing."""
    with RawClient(hasty) as client:
        client.send(data)
        assert [answer.status for answer in client.read_all()] == answers


def has_stopped(pid):
    """Every thread: the signal reaches them one after another."""
    stats = [stat.read_text() for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def test_a_stall_of_the_server_is_not_the_silence_of_its_clients(hasty):
    """The time-outs were counted over a stop of the process, too: who came during it was closed
    unanswered."""
    with RawClient(hasty) as before:
        before.send(PAGE)
        assert before.read().status == 200
        hasty.process.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: has_stopped(hasty.process.pid), "all its threads to stop", 60)
            before.send(PAGE)
            with RawClient(hasty) as client:
                client.send(PAGE)
                assert select.select([client.socket], [], [], TIMEOUT * 1.5)[0] == []  # stopped for longer
                hasty.process.send_signal(signal.SIGCONT)
                assert [client.read().status, before.read().status] == [200, 200]
        finally:
            hasty.process.send_signal(signal.SIGCONT)


def test_nothing_is_left_of_them(hasty):
    """Vanished with a reset, in the middle of a request or before its answer: every socket is given back."""
    hasty.client.close()
    before = wait_for(lambda: not_more_than(hasty, 40), "the sockets of earlier tests", 60)
    for data in (b"", b"GET / HT", PAGE, LARGE * 50, POST + b"Content-Length: 50000\r\n\r\n" + b" " * 20_000):
        for _ in range(50):
            client = RawClient(hasty)
            client.send(data)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
    assert is_served(hasty)
    wait_for(lambda: not_more_than(hasty, before), "end of all sockets", 60)


def not_more_than(platform, count):
    sockets = open_sockets(platform)
    return sockets if sockets <= count else None


def test_readers_that_do_not_read(hasty):
    """200 clients ask for 20 MB each and take nothing: what waits for each is bounded, and they are cut."""
    before, clients = rss_mib(hasty), []
    for _ in range(200):
        client = RawClient(hasty, receive_buffer=4096)
        client.socket.setblocking(False)
        try:
            client.socket.send(LARGE * 200)
        except BlockingIOError:
            pass
        clients.append(client)
    assert is_served(hasty)
    assert rss_mib(hasty) < before + 300
    for client in clients:
        client.socket.settimeout(60)
        while client.fill():
            client.buffer = b""  # ends: the server does not wait for ever
        client.close()


def slow_bodies(platform, count, size):
    """Clients that have sent a body but for its last byte."""
    clients = [RawClient(platform) for _ in range(count)]
    for client in clients:
        client.send(POST + b"Content-Length: %d\r\n\r\n" % size + b" " * (size - 1))
    return clients


def test_bodies_that_never_end(module_platform):
    """A hundred bodies of 4 MB, each but a byte: the first few megabytes are kept, the others told to come
    back.

    Nothing bounded them together: 10,000 connections could hold 40 GB until their time-out. Here it is long:
    on a busy machine the bodies took longer than the usual 30 s, and those that were let in were told 408.
    """
    platform = module_platform("gateway.max_arriving_bytes=16777216", "gateway.request_timeout=10m")
    before = rss_mib(platform)
    clients = slow_bodies(platform, 100, 4_000_000)
    assert is_served(platform)
    assert rss_mib(platform) < before + 200  # of 400; 16 and what the allocator keeps of growing strings: 90
    wait_for(lambda: len(answered(clients)) >= 96, "refusal of all but four", 60)
    refused = answered(clients)
    for client in refused:
        answer = client.read()
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
        client.close()
    for client in clients:
        if client not in refused:  # who was let in goes on
            assert ends_unauthenticated(client)
    for client in slow_bodies(platform, 4, 3_000_000):  # and the room is free again
        assert ends_unauthenticated(client)


def answered(clients):
    return [client for client in clients if select.select([client.socket], [], [], 0)[0]]


def ends_unauthenticated(client):
    """Sends the last byte; the answer is that of a complete request without a token."""
    with client:
        client.send(b" ")
        return client.read().status == 401


def test_a_length_is_not_memory(hasty):
    """Announcing four megabytes costs the client a line, so it must not cost us four megabytes."""
    before = rss_mib(hasty)
    clients = [RawClient(hasty) for _ in range(500)]
    for client in clients:
        client.send(POST + b"Content-Length: 4194304\r\n\r\n{")
    assert is_served(hasty)
    assert rss_mib(hasty) < before + 200
    for client in clients:
        client.close()


@pytest.mark.slow
def test_ten_thousand_idle_connections(module_platform):
    """They stay open, others are answered as before, and each costs little."""
    wanted = 10_000
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < wanted + 1_000:
        pytest.skip("the hard limit of descriptors is too low")
    platform = module_platform("gateway.max_connections=15000", "gateway.idle_timeout=10m")
    ada = platform.register("ada")
    bob = platform.register("bob")
    ada.top_up("100.00")
    before = rss_mib(platform)
    clients = []
    try:
        for number in range(wanted):
            clients.append(RawClient(platform, source=f"127.0.0.{2 + number % 5}"))
            if number % 2:  # half of them have asked for something before
                clients[-1].send(PAGE)
        for client in clients[1::2]:
            assert client.read().status == 200
        for _ in range(50):
            ada.pay(bob, "0.01")
            assert is_served(platform)
        grown = rss_mib(platform) - before
        print(f"{wanted} idle connections: {grown * 1024 / wanted:.1f} KiB each")
        assert grown < 200
        for client in clients[::500]:  # and they are still there
            client.send(PAGE)
            assert client.read().status == 200
    finally:
        for client in clients:
            client.close()


def test_silence_does_not_take_the_places_of_others(module_platform):
    """300 silent connections where 100 are allowed: those over the limit are told 503, and who has said
    nothing for a second makes room. Before, silence kept everybody out until the idle time-out.
    """
    platform = module_platform("gateway.max_connections=100", "gateway.idle_timeout=10m",
                               "gateway.request_timeout=10m")
    platform.client.close()
    clients, told = [], 0
    for _ in range(300):
        client = RawClient(platform)
        clients.append(client)
    over = {client.socket: client for client in clients[100:]}  # most of these found no place
    for socket in select.select(over, [], [], 60)[0]:
        answer = over[socket].read()
        told += answer.status == 503 and int(answer.headers["retry-after"]) >= 1
    assert told > 0
    wait_for(lambda: is_served(platform), "a place", 60)
    assert is_served(platform)
    for client in clients:
        client.close()


def test_one_platform_for_two_kinds_of_callers(hasty):
    """What the tests above did to it has left it well: whole stories run."""
    hasty.client = type(hasty.client)(base_url=hasty.url, timeout=30, trust_env=False)
    ada, bob = hasty.register("ada"), hasty.register("bob")
    ada.top_up("10.00")
    assert ada.pay(bob, "1.00")["status"] == "COMPLETED"
    assert isinstance(hasty.anonymous(), Api)
