"""RFC 6455 section by section against /ws, right and wrong."""
import base64
import json
import os
import socket
import struct

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Opcode
from websockets.sync.client import connect
from websockets.utils import accept_key

from raw_http import RawClient, rss_mib
from raw_websocket import (BINARY, CLOSE, CONTINUATION, MAX_BYTES, PING, PING_MESSAGE, PONG, TEXT, Socket,
                           close_frame, code_after, fragments, frame, handshake, subscription)


@pytest.fixture(scope="module")
def ada(platform):
    return platform.register("ada")


@pytest.fixture(autouse=True)
def others_are_served(ada):
    """Whatever a test does, another socket and an HTTP request are answered."""
    with Socket(ada) as neighbour:
        yield
        assert neighbour.pongs()
    assert ada.get("users/me")["id"] == ada.id


# ---- 4: the opening handshake ----

@pytest.mark.parametrize("options", [
    {}, {"changes": {"Upgrade": "WebSocket"}}, {"changes": {"Upgrade": "foo/2, websocket"}},
    {"changes": {"Connection": "keep-alive, uPGRADE"}}, {"more": ["Connection: keep-alive"]},
    {"changes": {"Connection": "keep-alive"}, "more": ["Connection: Upgrade"]},
    {"line": "GET http://a/ws HTTP/1.1"}, {"line": "GET /ws?x=y HTTP/1.1"},
    {"more": ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, foo"]},
    {"more": ["Origin: https://elsewhere.example"]}, {"more": ["Sec-WebSocket-Protocol: chat, superchat"]},
    {"key": base64.b64encode(bytes(range(240, 256))).decode()}], ids=str)
def test_4_handshakes_that_are_accepted(ada, options):
    with Socket(ada, **options) as client:
        headers = client.opened.headers
        assert headers["upgrade"].lower() == "websocket" and headers["connection"].lower() == "upgrade"
        assert headers["sec-websocket-accept"] == accept_key(options.get("key", "dGhlIHNhbXBsZSBub25jZQ=="))
        # Neither an extension nor a protocol that we do not speak is agreed to.
        assert "sec-websocket-extensions" not in headers and "sec-websocket-protocol" not in headers
        assert client.pongs()


def test_4_the_protocol_is_one_that_was_offered(ada):
    with Socket(ada, more=["Sec-WebSocket-Protocol: chat, micropay.json"]) as client:
        assert client.opened.headers["sec-websocket-protocol"] == "micropay.json"


@pytest.mark.parametrize("options, status", [
    ({"changes": {"Upgrade": None}}, 426), ({"changes": {"Upgrade": "h2c"}}, 426),
    ({"changes": {"Connection": None}}, 400), ({"changes": {"Connection": "close"}}, 400),
    ({"changes": {"Sec-WebSocket-Version": None}}, 426), ({"changes": {"Sec-WebSocket-Version": "12"}}, 426),
    ({"changes": {"Sec-WebSocket-Version": "8"}}, 426), ({"changes": {"Sec-WebSocket-Version": "x"}}, 426),
    ({"key": ""}, 400), ({"key": "x"}, 400), ({"key": "A" * 24}, 400), ({"key": "A" * 20 + "===="}, 400),
    ({"key": "dGhlIHNhbXBsZSBub25jZR=="}, 400), ({"key": "AAAA"}, 400), ({"key": "A" * 32}, 400),
    ({"changes": {"Sec-WebSocket-Key": None}}, 400),
    ({"more": ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]}, 400),
    ({"line": "GET /ws HTTP/1.0"}, 400), ({"line": "POST /ws HTTP/1.1"}, 400),
    ({"line": "HEAD /ws HTTP/1.1"}, 400),
    ({"changes": {"Content-Length": "1"}}, 400), ({"changes": {"Host": None}}, 400),
    ({"line": "GET /ws/ HTTP/1.1"}, 404), ({"changes": {"Authorization": "Bearer x"}}, 401)], ids=str)
def test_4_handshakes_that_are_refused(ada, options, status):
    with RawClient(ada.platform) as client:
        body = b"x" if "Content-Length" in options.get("changes", {}) else b""
        client.send(handshake(ada.token, **options) + body)
        answer = client.read(head_only="HEAD" in options.get("line", ""))
    assert answer.status == status, answer
    if status == 426:  # 4.4: tells the version that it speaks
        assert answer.headers["sec-websocket-version"] == "13"


def test_4_frames_may_not_come_before_the_answer(ada):
    with RawClient(ada.platform) as client:
        client.send(handshake(ada.token) + frame(TEXT, PING_MESSAGE))
        assert client.read().status == 400


# ---- 5.1: masks ----

@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
def test_5_1_a_frame_that_is_not_masked(ada, opcode):
    assert code_after(ada, frame(opcode, b"", mask=None)) == 1002


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1\0\0", os.urandom(4)],
                         ids=bytes.hex)
def test_5_1_any_mask(ada, mask):
    with Socket(ada) as client:
        for length in range(8):  # the mask goes round by four
            client.send(frame(PING, bytes(range(length)), mask=mask))
            assert client.frame().data == bytes(range(length))


# ---- 5.2: the frame ----

@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("rsv", [1, 2, 4, 7])
def test_5_2_reserved_bits(ada, opcode, rsv):
    assert code_after(ada, frame(opcode, b"", rsv=rsv)) == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("data", [b"", b"x"])
def test_5_2_reserved_opcodes(ada, opcode, data):
    assert code_after(ada, frame(opcode, data)) == 1002


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, 255, 256, 65_535, MAX_BYTES])
def test_5_2_lengths(ada, length):
    """Blanks are no message of ours, and are answered by an error, which tells that they arrived."""
    with Socket(ada) as client:
        client.send(frame(TEXT, b" " * length))
        assert client.message()["code"] == "malformed_message"
        assert client.pongs()


@pytest.mark.parametrize("length, form", [(0, 16), (5, 16), (125, 16), (0, 64), (125, 64), (126, 64),
                                          (65_535, 64)])
def test_5_2_lengths_that_are_not_minimal(ada, length, form):
    assert code_after(ada, frame(TEXT, b" " * length, form=form)) == 1002


@pytest.mark.parametrize("length", [2**63, 2**64 - 1])
def test_5_2_the_highest_bit_of_a_length_is_zero(ada, length):
    assert code_after(ada, frame(TEXT, form=64, length=length)) in (1002, 1009)


# ---- 5.4: fragments ----

@pytest.mark.parametrize("sizes", [[1], [5, 5], [0], [0, 0, 0], [15], [15, 0], [1] * 15, [0] * 500],
                         ids=lambda sizes: f"{len(sizes)}x{sizes[0]}")
def test_5_4_fragments_are_one_message(ada, sizes):
    with Socket(ada) as client:
        client.send(b"".join(fragments(PING_MESSAGE, sizes)))
        assert client.message() == {"type": "pong"}
        for piece in fragments(PING_MESSAGE, sizes)[:50]:
            client.send(piece)
        assert len(sizes) >= 50 or client.message() == {"type": "pong"}


def test_5_4_control_frames_in_between(ada):
    with Socket(ada) as client:
        parts = fragments(PING_MESSAGE, [4, 4])
        client.send(parts[0] + frame(PING, b"one") + parts[1] + frame(PONG, b"?")
            + frame(PING, b"two") + parts[2])
        assert [client.frame().data for _ in range(2)] == [b"one", b"two"]
        assert client.message() == {"type": "pong"}


def test_5_4_a_close_in_between_ends_it(ada):
    assert code_after(ada, fragments(PING_MESSAGE, [4])[0], close_frame(1001)) == 1001


@pytest.mark.parametrize("frames", [
    [frame(CONTINUATION, b"x")], [frame(CONTINUATION, b"x", fin=False)],
    [frame(TEXT, b"x", fin=False), frame(TEXT, b"y")],
    [frame(TEXT, b"x", fin=False), frame(BINARY, b"y")],
    [frame(TEXT, b"x", fin=False), frame(TEXT, b"y", fin=False)]],
    ids=["nothing to continue", "nothing to continue, not last", "text inside", "binary inside", "nested"])
def test_5_4_fragments_out_of_order(ada, frames):
    assert code_after(ada, *frames) == 1002


def test_5_4_nothing_to_continue_after_a_message(ada):
    with Socket(ada) as client:
        client.send(b"".join(fragments(PING_MESSAGE, [5])) + frame(CONTINUATION, b"x"))
        assert client.message() == {"type": "pong"}
        assert client.closed_with() == 1002


def test_5_4_bytes_may_arrive_one_by_one(ada):
    with Socket(ada) as client:
        for byte in b"".join(fragments(PING_MESSAGE, [3, 0, 7])) + frame(PING, b"x" * 125):
            client.send(bytes([byte]))
        assert client.message() == {"type": "pong"}
        assert client.frame().data == b"x" * 125


# ---- 5.5: control frames ----

@pytest.mark.parametrize("data", [b"", b"x", bytes(range(125)), b"\xff\xfe"], ids=len)
def test_5_5_a_ping_is_answered_with_its_data(ada, data):
    with Socket(ada) as client:
        client.send(frame(PING, data))
        pong = client.frame()
        assert (pong.opcode, pong.data) == (Opcode.PONG, data)


def test_5_5_many_pings(ada):
    """Each is answered, or only the latest (5.5.3); what is answered comes in order."""
    with Socket(ada) as client:
        client.send(b"".join(frame(PING, b"%d" % number) for number in range(1_000)))
        seen = [-1]
        while seen[-1] != 999:
            seen.append(int(client.frame().data))
        assert seen == sorted(set(seen))


def test_5_5_pongs_that_nobody_asked_for(ada):
    with Socket(ada) as client:
        client.send(frame(PONG) + frame(PONG, b"x" * 125))
        assert client.pongs()


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("how", [{"data": b"\3\xe8" + b"x" * 124}, {"data": b"\3\xe8" + b"x" * 60_000},
                                 {"fin": False},
                                 {"data": b"\3\xe8", "fin": False}, {"data": b"\3\xe8", "form": 16}],
                         ids=["126 bytes", "60 KB", "fragment", "fragment with data", "long form"])
def test_5_5_control_frames_are_short_and_whole(ada, opcode, how):
    assert code_after(ada, frame(opcode, **how)) == 1002


# ---- 5.6, 8.1: text is UTF-8 ----

@pytest.mark.parametrize("opcode", [BINARY])
@pytest.mark.parametrize("data", [b"", PING_MESSAGE, b"\xff"])
def test_5_6_binary_messages_are_not_ours(ada, opcode, data):
    assert code_after(ada, frame(opcode, data)) == 1003


TEXTS = ["é", "κόσμε", "\u0800", "\uffff", "\ud7ff", "\ue000", "\U00010000", "\U0010ffff", "😀" * 100,
         "\u2028\ufeff"]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_8_1_text_cut_anywhere(ada, text):
    """Also within a character: what comes back is what was sent."""
    data = subscription(text)
    begin = data.index(text.encode()[:1]) if text.encode()[0] > 127 else 0
    with Socket(ada) as client:
        for cut in range(begin, min(len(data), begin + 8)):
            client.send(b"".join(fragments(data, [cut, 1])))
            assert client.message()["events"] == [text]


@pytest.mark.parametrize("data", [
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x88\x80\x80\x80",
    b"\xfe", b"\xff",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3(",
    b"\xe2(\xa1",
    b"\xe2\x82(", b"ok \xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"], ids=bytes.hex)
def test_8_1_text_that_is_not_utf_8(ada, data):
    """The second case found that Beast passes half a character on when an empty fragment ends the message."""
    for frames in ([frame(TEXT, data)], fragments(data, [len(data)]), fragments(data, [1]),
        fragments(data, [0])):
        assert code_after(ada, *frames) == 1007


def test_8_1_control_frames_do_not_mend_a_cut_character(ada):
    with Socket(ada) as client:
        data = subscription("é")
        cut = data.index(b"\xc3") + 1
        first, last = fragments(data, [cut])
        client.send(first + frame(PING, b"\xa9") + last)
        assert client.frame().data == b"\xa9"
        assert client.message()["events"] == ["é"]


# ---- 7: closing ----

@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000,
                                  3999, 4000, 4999])
@pytest.mark.parametrize("reason", [b"", "gôd bye".encode()])
def test_7_a_close_is_answered_with_its_code(ada, code, reason):
    assert code_after(ada, close_frame(code, reason)) == code


def test_7_1014_came_later(ada):
    """IANA's registry has it (bad gateway), RFC 6455 reserves it; Beast refuses it, which nobody is hurt
    by."""
    assert code_after(ada, close_frame(1014)) in (1002, 1014)


def test_7_a_close_without_a_code(ada):
    assert code_after(ada, close_frame()) in (0, 1000)


@pytest.mark.parametrize("reason", [b"x" * 123, "é".encode() * 61], ids=len)
def test_7_the_longest_reason(ada, reason):
    assert code_after(ada, close_frame(1000, reason)) == 1000


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
def test_7_4_codes_that_may_not_be_sent(ada, code):
    """Beast answered 5000 and above with the same code."""
    assert code_after(ada, close_frame(code)) == 1002


def test_7_half_a_code(ada):
    assert code_after(ada, frame(CLOSE, b"\3")) == 1002


@pytest.mark.parametrize("reason", [b"\xff", b"\xed\xa0\x80", b"ok\xc3"], ids=bytes.hex)
def test_7_a_reason_that_is_not_utf_8(ada, reason):
    assert code_after(ada, close_frame(1000, reason)) in (1002, 1007)


def test_7_nothing_counts_after_a_close(ada):
    with Socket(ada) as client:
        client.send(close_frame(1000) + frame(TEXT, PING_MESSAGE) + frame(PING, b"x"))
        assert client.closed_with() == 1000


def test_7_the_server_ends_the_connection(ada):
    """7.1.1: after both close frames the server closes TCP, though the client holds its side open."""
    with Socket(ada) as client:
        client.send(close_frame(1000))
        assert client.frame().opcode is Opcode.CLOSE
        assert client.frame() is None


@pytest.mark.parametrize("end", [b"", b"\x81", frame(TEXT, PING_MESSAGE)[:9],
                                 fragments(PING_MESSAGE, [4])[0]], ids=len)
def test_7_clients_that_vanish(ada, end):
    """In the middle of a frame or message, by an end or a reset; the fixture sees that others live on."""
    for reset in (False, True):
        client = Socket(ada)
        client.send(end)
        if reset:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


# ---- 10.4: limits ----

@pytest.mark.parametrize("frames", [
    [frame(TEXT, b" " * (MAX_BYTES + 1))], [frame(TEXT, form=64, length=2**62)],
    [frame(TEXT, form=64, length=2**31)],
    fragments(b" " * (MAX_BYTES + 1), [30_000, 30_000]), fragments(b" " * (MAX_BYTES + 1), [1] * 3),
    [frame(TEXT, b" ", fin=False)] + [frame(CONTINUATION, b" " * 1_000, fin=False)] * 70],
    ids=["one frame", "2^62 announced", "2^31 announced", "fragments", "last too long", "without end"])
def test_10_4_too_large(ada, frames):
    before = rss_mib(ada.platform)
    assert code_after(ada, *frames) == 1009
    assert rss_mib(ada.platform) < before + 50


def test_a_public_client_agrees(ada):
    """The same with the library as it is used: it offers compression and a protocol, pings, closes."""
    headers = {"Authorization": f"Bearer {ada.token}"}
    with connect(ada.platform.ws_url, additional_headers=headers, proxy=None,
                 subprotocols=["micropay.json"]) as client:
        assert json.loads(client.recv(timeout=60))["type"] == "ready"
        assert client.ping().wait(60)
        client.send(iter(['{"type":', '"ping"}']))
        assert json.loads(client.recv(timeout=60)) == {"type": "pong"}
        client.close(4000, "bye")
        with pytest.raises(ConnectionClosedOK if client.close_code == 1000 else Exception):
            client.recv()
        assert client.close_code == 4000
