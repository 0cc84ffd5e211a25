"""Requests of every bad kind as raw bytes: what RFC 9110 and 9112 leave no doubt about gets its answer, all
else is refused and the connection closed, so that a proxy in front can never see another request than we do.
"""
import socket

import pytest

from platform_client import new_uuid
from raw_http import RawClient, rss_mib

HOST = b"Host: a\r\n"
POST = b"POST /api/v1/payments HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
PAGE = b"/.well-known/jwks.json"
SECOND = b"GET " + PAGE + b" HTTP/1.1\r\n" + HOST + b"\r\n"  # follows what is tested, as a smuggler's would


@pytest.fixture(scope="module")
def ada(platform):
    user = platform.register("ada")
    user.top_up("100.00")
    return user


@pytest.fixture(autouse=True)
def others_are_served(platform, ada):
    """Whatever a test does: somebody else is answered, and memory does not grow with it."""
    before = rss_mib(platform) if hasattr(platform, "process") else 0
    yield
    assert ada.get("users/me")["id"] == ada.id
    if before:
        assert rss_mib(platform) < before + 200


def answers_to(platform, data, end=True):
    with RawClient(platform) as client:
        client.send(data)
        if end:
            client.socket.shutdown(socket.SHUT_WR)
        return client.read_all()


def statuses(platform, data, end=True):
    return [answer.status for answer in answers_to(platform, data, end)]


# ---- framing: one request or none, never two ----

CODINGS = [
    ("TE twice", b"chunked\r\nTransfer-Encoding: chunked", 400),
    ("TE chunked twice", b"chunked, chunked", 501), ("TE unknown", b"xchunked", 501),
    ("TE not last", b"chunked, gzip", 501), ("TE quoted", b'"chunked"', 501),
    ("TE with parameter", b"chunked;a=b", 501), ("TE vertical tab", b"\x0bchunked", 400)]
CHUNKS = [
    ("size negative", b"-0\r\n\r\n", 400),
    ("size 0x", b"0x2\r\n{}\r\n0\r\n\r\n", 400),
    ("size blank before", b" 2\r\n{}\r\n0\r\n\r\n", 400),
    ("size blank behind", b"2 \r\n{}\r\n0\r\n\r\n", 400),
    ("size empty", b"\r\n{}\r\n0\r\n\r\n", 400),
    ("size not a number", b"zz\r\n{}\r\n0\r\n\r\n", 400),
    ("size overflow", b"10000000000000002\r\n{}\r\n0\r\n\r\n", (400, 413)),
    ("size bare LF", b"2\n{}\r\n0\r\n\r\n", 400),
    ("size bare CR", b"2\r{}\r\n0\r\n\r\n", 400),
    ("chunk longer than said", b"1\r\n{}\r\n0\r\n\r\n", 400),
    ("chunk bare LF behind", b"2\r\n{}\n0\r\n\r\n", 400),
    ("extension with bare LF", b"2;a\n\r\n{}\r\n0\r\n\r\n", 400),
    ("extension without end", b"2;" + b"a" * 20_000 + b"\r\n{}\r\n0\r\n\r\n", 400),
    ("trailer with bare LF", b"2\r\n{}\r\n0\r\nA: b\n\r\n", 400),
    ("trailers without end", b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 5_000 + b"\r\n", 400)]


@pytest.mark.parametrize("data, status", [
    pytest.param(data, status, id=name) for name, data, status in [
        *((name, POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n", status)
          for name, coding, status in CODINGS),
        *((name, CHUNKED + body, status) for name, body, status in CHUNKS),
        ("CL and TE", POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("TE and CL", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        ("TE and CL 0", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400),
        ("two CL", POST + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}", 400),
        ("two equal CL", POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        ("CL list", POST + b"Content-Length: 0, 0\r\n\r\n", 400),
        ("CL sign", POST + b"Content-Length: +0\r\n\r\n", 400),
        ("CL negative", POST + b"Content-Length: -1\r\n\r\n", 400),
        ("CL hexadecimal", POST + b"Content-Length: 0x0\r\n\r\n", 400),
        ("CL empty", POST + b"Content-Length: \r\n\r\n", 400),
        ("CL blank inside", POST + b"Content-Length: 0 0\r\n\r\n", 400),
        ("CL overflow", POST + b"Content-Length: 18446744073709551616\r\n\r\n", 413),
        ("CL with underscore", POST + b"Content-Length: 1_0\r\n\r\n", 400),
        ("TE identity", POST + b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n", (400, 501)),
        ("TE in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("TE blank before colon", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("TE folded", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
        ("CL folded", POST + b"X: a\r\n\tContent-Length: 5\r\n\r\n", 400),
        ("folded first", b"GET / HTTP/1.1\r\n " + HOST + b"\r\n", 400),
        ("blank before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("bare LF ends a line", b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
        ("bare LF ends a header", b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        ("bare LF ends the head", b"GET / HTTP/1.1\r\n" + HOST + b"\n", 400),
        ("LF LF", b"GET / HTTP/1.1\n" + b"Host: a\n\n", 400),
        ("bare CR in a value", b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rContent-Length: 5\r\n\r\n", 400),
        ("CR CR LF", b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\r\n\r\n", 400),
        ("NUL in a value", b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
        ("NUL in a name", b"GET / HTTP/1.1\r\n" + HOST + b"X\0: a\r\n\r\n", 400),
        ("NUL in the target", b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        ("NUL first", b"\0GET / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        ("name empty", b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n", 400),
        ("name quoted", b"GET / HTTP/1.1\r\n" + HOST + b'"X": a\r\n\r\n', 400),
        ("name not ASCII", b"GET / HTTP/1.1\r\n" + HOST + b"X\xc3\xa4: a\r\n\r\n", 400),
        ("no colon", b"GET / HTTP/1.1\r\n" + HOST + b"X\r\n\r\n", 400),
    ]])
def test_ambiguous_framing_is_refused_and_closed(platform, data, status):
    """Answered once, though a whole request follows on the same connection."""
    [answer] = answers_to(platform, data + SECOND)
    assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [
    pytest.param(body, id=name) for name, body in [
        ("one chunk", b"2\r\n{}\r\n0\r\n\r\n"), ("two", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
        ("leading zeros", b"0002\r\n{}\r\n000\r\n\r\n"),
        ("extension", b"2;a=b\r\n{}\r\n0;c\r\n\r\n"), ("quoted extension", b'2;a="b;c"\r\n{}\r\n0\r\n\r\n'),
        ("trailers", b"2\r\n{}\r\n0\r\nContent-Length: 9\r\nHost: b\r\n\r\n")]])
def test_chunked_bodies_end_where_they_end(platform, ada, body):
    """The body {} lacks what a payment needs: 400 with a field shows that it was read; then the next
    request."""
    head = POST + b"Authorization: Bearer " + ada.token.encode() + b"\r\nContent-Type: application/json\r\n"
    first, second = answers_to(platform, head + b"Transfer-Encoding: chunked\r\n\r\n" + body + SECOND)
    assert (first.status, second.status) == (400, 200)
    assert b'"field"' in first.body and b'"keys"' in second.body


@pytest.mark.parametrize("size", [1, 2, 7])
def test_bytes_may_arrive_as_they_like(platform, ada, size):
    data = SECOND + CHUNKED + b"2;x\r\n{}\r\n0\r\nT: v\r\n\r\n" + SECOND
    with RawClient(platform) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            client.send(data[at:at + size])
        assert [client.read().status for _ in range(3)] == [200, 401, 200]


# ---- request line, versions, methods ----

@pytest.mark.parametrize("line, expected", [
    (b"GET %s HTTP/1.1", [200]), (b"HEAD %s HTTP/1.1", [200]), (b"GET %s?x=y HTTP/1.1", [200]),
    (b"GET http://a%s HTTP/1.1", [200]), (b"GET HTTP://other.example:80%s HTTP/1.1", [200]),
    (b"GET https://[::1]:443%s HTTP/1.1", [200]), (b"GET http://a HTTP/1.1", [302]),
    (b"GET http://a?x=y HTTP/1.1", [302]),
    (b"GET http://u@a%s HTTP/1.1", [400]), (b"GET http://%s HTTP/1.1", [400]),
    (b"GET ftp://a%s HTTP/1.1", [400]),
    (b"GET http://a:b%s HTTP/1.1", [400]), (b"GET http:%s HTTP/1.1", [400]), (b"GET a%s HTTP/1.1", [400]),
    (b"GET  %s HTTP/1.1", [400]), (b"GET %s  HTTP/1.1", [400]), (b"GET %s HTTP/1.1 ", [400]),
    (b"GET\t%s HTTP/1.1", [400]),
    (b" GET %s HTTP/1.1", [400]), (b"GET %s", [400]), (b"%s", [400]), (b"GET %s HTTP/1.1 x", [400]),
    (b"GET %s HTTP/0.9", [505]), (b"GET %s HTTP/1.2", [505]), (b"GET %s HTTP/2.0", [505]),
    (b"GET %s HTTP/11", [400]),
    (b"GET %s http/1.1", [400]), (b"GET %s HTTP/1.1.1", [400]), (b"GET %s HTTP/+1.1", [400]),
    (b"GET %s XTTP/1.1", [400]),
    (b"PRI * HTTP/2.0", [505]), (b"GET * HTTP/1.1", [400]), (b"CONNECT a:80 HTTP/1.1", [400]),
    (b"TRACE %s HTTP/1.1", [405]), (b"get %s HTTP/1.1", [405]), (b"BREW %s HTTP/1.1", [405]),
    (b"G\xc3\x84T %s HTTP/1.1", [400]),
    (b"G(T %s HTTP/1.1", [400]), (b"GET,GET %s HTTP/1.1", [400]), (b"X" * 5_000 + b" %s HTTP/1.1", [400])])
def test_request_lines(platform, line, expected):
    data = (line.replace(b"%s", PAGE)) + b"\r\n" + HOST + b"Connection: close\r\n\r\n"
    with RawClient(platform) as client:
        client.send(data)
        answer = client.read(head_only=line.startswith(b"HEAD"))
        assert [answer.status] == expected
        assert client.read_all() == []
    if answer.status == 405:
        assert answer.headers["allow"] == "GET, HEAD"


def test_options_of_everything(platform):
    """OPTIONS * asks about the server as a whole (RFC 9110 9.3.7)."""
    assert statuses(platform, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n") == [204]


@pytest.mark.parametrize("host, status", [
    (b"Host: a\r\n", 200), (b"Host:\r\n", 200), (b"host:a.example:8080\r\n", 200),
    (b"HOST: \t[::1]:80 \r\n", 200),
    (b"Host: 127.0.0.1\r\n", 200), (b"", 400), (b"Host: a\r\nHost: a\r\n", 400), (b"Host: a b\r\n", 400),
    (b"Host: a/b\r\n", 400), (b"Host: u@a\r\n", 400), (b"Host: a:b\r\n", 400), (b"Host: a:1:2\r\n", 400),
    (b"Host: a:123456\r\n", 400), (b"Host: [::1\r\n", 400), (b"Host: [::1]x\r\n", 400),
    (b"Host: []\r\n", 400),
    (b"Host: a\\b\r\n", 400), (b"Host: a?b\r\n", 400), (b"Host: a#b\r\n", 400), (b"Host: \xff\r\n", 400),
    (b'Host: "a"\r\n', 400), (b"Host: <a>\r\n", 400), (b"Host: a\x7f\r\n", 400)])
def test_hosts(platform, host, status):
    assert statuses(platform, b"GET " + PAGE + b" HTTP/1.1\r\n" + host + b"\r\n") == [status]


def test_http_1_0(platform):
    line = b"GET " + PAGE + b" HTTP/1.0\r\n"
    [answer] = answers_to(platform, line + b"\r\n", end=False)  # no Host is needed; the server closes
    assert answer.status == 200 and answer.headers["connection"] == "close"
    first, second = answers_to(platform, line + b"Connection: Keep-Alive\r\n\r\n" + line + b"\r\n", end=False)
    assert first.headers["connection"] == "keep-alive" and second.headers["connection"] == "close"


def test_connection_close_is_obeyed(platform):
    close = SECOND[:-2] + b"Connection: x, Close\r\n\r\n"
    assert statuses(platform, SECOND + close + SECOND, end=False) == [200, 200]


def test_empty_lines_before_a_request(platform):
    assert statuses(platform, b"\r\n\r\n" + SECOND + b"\r\n" + SECOND) == [200, 200]


def test_a_client_that_sends_no_more_is_answered(platform, ada):
    """Half a connection: the client has ended its side, and reads on."""
    request = b"GET /api/v1/accounts HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + ada.token.encode()
    assert statuses(platform, (request + b"\r\n\r\n") * 3) == [200] * 3


# ---- paths ----

@pytest.mark.parametrize("target", [
    "/api/v1/../v1/users/me", "/api/v1/./users/me", "/x/../api/v1/users/me", "/api/v1/%2e%2e/v1/users/me",
    "/api/v1/%2E/users/me", "/api/v1/users%2fme", "/api%2Fv1%2Fusers%2Fme", "/api/v1/%252e%252e/v1/users/me",
    "//api/v1/users/me", "/api//v1/users/me", "/api/v1//users/me", "/api/v1/users/me/", "/api/v1/users/me//",
    "/api/v1/users/me;a=b", "/api;x/v1/users/me", "/api/v1/users/me%00", "/api/v1/users/me%0a",
    "/api/v1/users/me%",
    "/api/v1/users/me%2", "/api/v1/users/m%zz", "/api/v1/users/%C0%AFme", "/api/v1/%c0%ae%c0%ae/v1/users/me",
    "/api/v1/users/%E0%80%AFme", "/api/v1/users\\me", "/api\\v1\\users\\me", "/API/v1/users/me",
    "/api/v1/users/me.json",
    "/api/v1/users/me#x", "/api/v1/users/me%23", "/api/v1/users/me%3Fx", "/api/v1/users/me%20",
    "/.%2e/etc/passwd",
    "/..%2f..%2fetc/passwd", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
    "/api/v1/accounts/..%2fusers%2fme",
    "/api/v1/accounts/../users/me", "/docs/../openapi.json", "/docs/", "/docs%2f", "/openapi.json/",
    "/./openapi.json"])
def test_other_spellings_of_a_path_are_not_it(platform, ada, target):
    """No two spellings mean one resource, so what a proxy permits is what is asked for."""
    data = f"GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ada.token}\r\n\r\n".encode("latin-1")
    [answer] = answers_to(platform, data)
    assert answer.status in (400, 404), answer
    assert answer.headers["content-type"] == "application/problem+json"


# ---- sizes ----

def head_of(lines):
    return b"GET " + PAGE + b" HTTP/1.1\r\n" + HOST + lines + b"\r\n"


@pytest.mark.parametrize("data, status", [
    pytest.param(data, status, id=name) for name, data, status in [
        ("99 more headers", head_of(b"".join(b"X-%d: y\r\n" % n for n in range(99))), 200),
        ("100 more", head_of(b"".join(b"X-%d: y\r\n" % n for n in range(100))), 431),
        ("100,000 more", head_of(b"X: y\r\n" * 100_000), 431),
        ("15 KB", head_of(b"X: " + b"y" * 15_000 + b"\r\n"), 200),
        ("17 KB", head_of(b"X: " + b"y" * 17_000 + b"\r\n"), 431),
        ("one line of 10 MB", head_of(b"X: " + b"y" * 10_000_000 + b"\r\n"), 431),
        ("a name of 10 MB", head_of(b"y" * 10_000_000 + b": x\r\n"), 431),
        ("a target of 9 KB", b"GET /" + b"y" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        ("a target of 10 MB", b"GET /" + b"y" * 10_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        ("a method of 10 MB", b"G" * 10_000_000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        ("a first line without end", b"G" * 10_000_000, 431)]])
def test_header_bombs(platform, data, status):
    with RawClient(platform) as client:
        client.send(data)
        assert client.read().status == status
        if status != 200:
            assert client.read_all() == []


def send_endlessly(client, data, times):
    """Sends so often, or until the server closes."""
    for _ in range(times):
        if not client.send(data):
            return


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_mb(platform, chunked):
    """Refused by its length at once, or as soon as it is over the limit; not kept."""
    framing = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 104857600\r\n\r\n"
    before = rss_mib(platform)
    with RawClient(platform) as client:
        client.send(POST + b"Content-Type: application/json\r\n" + framing)
        send_endlessly(client, b"10000\r\n" + b" " * 65_536 + b"\r\n" if chunked else b" " * 65_536, 1_600)
        [answer] = client.read_all()
        assert answer.status == 413 and b'"body_too_large"' in answer.body
    assert rss_mib(platform) < before + 60


def test_expect_100_continue(platform, ada):
    head = POST + b"Content-Type: application/json\r\nAuthorization: Bearer " + ada.token.encode() + b"\r\n"
    with RawClient(platform) as client:
        client.send(head + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
        assert client.read().status == 100
        client.send(b"{}" + SECOND)
        assert [client.read().status for _ in range(2)] == [400, 200]
    with RawClient(platform) as client:  # the body is there already: 100 may be left out
        client.send(head + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}" + SECOND)
        assert [client.read().status for _ in range(2)] == [400, 200]
    # Too large: the final answer comes instead of 100.
    assert statuses(platform, head + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n") == [413]
    assert statuses(platform, head + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}") == [417]
    [answer] = answers_to(platform, b"GET " + PAGE + b" HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
    assert answer.status == 200


# ---- pipelining ----

def test_pipelined_requests_are_answered_in_order(platform, ada):
    """Of all kinds at once: pages, reads, lists (a pool of threads), payments (the engine), refusals."""
    bob = platform.register("bob")
    payment = ada.payment_body(bob, "0.01")
    body = str(payment).replace("'", '"').encode()
    kinds = [("GET", "/.well-known/jwks.json", b"", 200), ("GET", "/api/v1/users/me", b"", 200),
             ("GET", "/api/v1/accounts", b"", 200), ("POST", "/api/v1/payments", body, 201),
             ("GET", "/api/v1/nothing", b"", 404), ("POST", "/api/v1/payments", b"{}", 400)]
    data, expected = b"", []
    for number in range(120):
        method, path, content, status = kinds[number % len(kinds)]
        name = new_uuid()
        expected.append((status, name))
        data += (f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ada.token}\r\n"
                 f"X-Correlation-Id: {name}\r\nContent-Type: application/json\r\n"
                 f"Content-Length: {len(content)}\r\n\r\n").encode() + content
    before = ada.balance().available
    got = [(answer.status, answer.headers["x-correlation-id"]) for answer in answers_to(platform, data)]
    assert got == expected
    assert round((float(before) - float(ada.balance().available)) * 100) == 20


@pytest.mark.parametrize("data", [
    SECOND[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
    SECOND[:-2] + b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n",
    SECOND[:-2] + b"Upgrade: websocket\r\n\r\n"])
def test_other_upgrades_are_not_taken(platform, data):
    """A server may ignore an upgrade (RFC 9110 7.8): the answer is that of HTTP/1.1."""
    assert statuses(platform, data + SECOND) == [200, 200]
