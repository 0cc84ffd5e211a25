"""A WebSocket as frames, however wrong: what RFC 6455 calls for and what no library would send. The frames of
the server are judged by the strict parser of the public library `websockets`.
"""
import json
import socket
import struct

from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from raw_http import RawClient

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAX_BYTES = 65_536  # of a message
PING_MESSAGE = b'{"type":"ping"}'  # of our own protocol: answered by {"type":"pong"}


def frame(opcode, data=b"", fin=True, rsv=0, mask=b"\x12\x34\x56\x78", form=None, length=None):
    """A frame as bytes, however wrong: form 7, 16 or 64 is the width of its length field, `length` what it
    says."""
    length = len(data) if length is None else length
    form = form or (7 if length < 126 else 16 if length < 65_536 else 64)
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    second = (0x80 if mask else 0) | (length if form == 7 else 126 if form == 16 else 127)
    head = bytes([first, second]) + (b"" if form == 7 else struct.pack(">H" if form == 16 else ">Q", length))
    if not mask:
        return head + data
    stream = (mask * (len(data) // 4 + 1))[:len(data)]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")
    return head + mask + masked


def close_frame(code=None, reason=b"", **how):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason, **how)


def fragments(data, sizes, opcode=TEXT):
    """Cut where the sizes say, the rest last."""
    parts = []
    for size in sizes:
        parts.append(data[:size])
        data = data[size:]
    parts.append(data)
    return [frame(opcode if number == 0 else CONTINUATION, part, fin=number == len(parts) - 1)
            for number, part in enumerate(parts)]


def handshake(token, line="GET /ws HTTP/1.1", key="dGhlIHNhbXBsZSBub25jZQ==", changes=(), more=()):
    """The bytes of an opening handshake; `changes` replaces headers by name, None leaves one out."""
    headers = {"Host": "a", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": key, "Authorization": f"Bearer {token}"} | dict(changes)
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None] + list(more)
    return "\r\n".join([line, *lines, "", ""]).encode()


class Socket(RawClient):
    """An open WebSocket of `ada`, its greeting read."""

    def __init__(self, ada, **options):
        super().__init__(ada.platform)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(handshake(ada.token, **options))
        self.opened = self.read()
        assert self.opened.status == 101
        self.reader = StreamReader()
        self.reader.feed_data(self.buffer)
        assert json.loads(self.frame().data)["type"] == "ready"

    def frame(self):
        """The next frame, well-formed and not masked; None at the end of the connection."""
        parsing = Frame.parse(self.reader.read_exact, mask=False)
        while True:
            try:
                next(parsing)
            except StopIteration as parsed:
                return parsed.value
            self.buffer = b""
            if not self.fill():
                return None
            self.reader.feed_data(self.buffer)

    def message(self):
        got = self.frame()
        assert got.opcode is Opcode.TEXT and got.fin, got
        return json.loads(got.data)

    def pongs(self):
        """Whether it still works."""
        self.send(frame(TEXT, PING_MESSAGE))
        return self.message() == {"type": "pong"}

    def closed_with(self):
        """The code of the close frame that comes next and last; 0 when it has none. We answer it, it ends."""
        got = self.frame()
        assert got is not None and got.opcode is Opcode.CLOSE, got
        self.send(frame(CLOSE, got.data))
        assert self.frame() is None
        got.data[2:].decode()  # the reason is UTF-8
        return int.from_bytes(got.data[:2], "big")


def code_after(ada, *frames):
    with Socket(ada) as client:
        client.send(b"".join(frames))
        return client.closed_with()


def subscription(*texts):
    return json.dumps({"type": "subscribe", "events": texts}, ensure_ascii=False).encode()
