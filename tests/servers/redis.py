"""Redis for tests: it keeps nothing on disk, so one that was started again has forgotten everything."""
import os
import signal
import socket

from server import Server


class Redis(Server):
    name = "redis"
    start_seconds = 20

    def __init__(self, folder=None, port=None, arguments=()):
        super().__init__(folder, port)
        self.arguments = list(arguments)

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--dir", str(self.folder), *self.arguments]

    def ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 0.5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64)[:1] in (b"+", b"-")  # "-NOAUTH" is an answer, too
        except OSError:
            return False

    def pause(self):
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self.process.pid, signal.SIGCONT)
