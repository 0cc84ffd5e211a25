"""A TCP client that sends exactly the bytes it is told and reads what comes back, for what no HTTP library
would send. Everything has a deadline; nothing here retries.
"""
import contextlib
import pathlib
import re
import socket
import time
from typing import NamedTuple

SECONDS = 60  # generous: machines are noisy


class Answer(NamedTuple):
    status: int  # 0: the connection ended, or nothing came
    headers: dict  # names in lower case; of a repeated one the last
    body: bytes


NONE = Answer(0, {}, b"")


class RawClient:
    def __init__(self, platform, source=None, receive_buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(SECONDS)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        host, port = platform.url.removeprefix("http://").split(":")
        self.socket.connect((host, int(port)))
        self.buffer = b""
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """False when the server takes no more."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
            return True
        return False

    def fill(self):
        if self.ended:
            return False
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        self.ended = not data
        self.buffer += data
        return not self.ended

    def read(self, head_only=False):
        """The next answer, also 100 and 101."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return NONE
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.1 \d{3} [ -~]+", first), first
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = 0 if head_only else int(headers.get("content-length", 0))
        return Answer(int(first[9:12]), headers, self.take(length))

    def take(self, count):
        """So many bytes, fewer when the connection ends."""
        while len(self.buffer) < count and self.fill():
            pass
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_all(self):
        """The answers up to the end of the connection, which must come."""
        answers = []
        while (answer := self.read()).status:
            answers.append(answer)
        assert self.ended and not self.buffer, self.buffer
        return answers


def rss_mib(platform):
    status = pathlib.Path(f"/proc/{platform.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def open_sockets(platform):
    """How many sockets the platform holds."""
    count = 0
    for fd in pathlib.Path(f"/proc/{platform.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(fd.readlink()).startswith("socket:")
    return count


class Seconds:
    """`while deadline: ...` runs for so long at most; `deadline.left` is for time-outs."""

    def __init__(self, seconds=SECONDS):
        self.end = time.monotonic() + seconds

    @property
    def left(self):
        return max(0.001, self.end - time.monotonic())

    def __bool__(self):
        return time.monotonic() < self.end
