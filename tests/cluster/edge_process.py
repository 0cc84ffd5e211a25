"""`micropay serve --services=config` or `discovery`, in a process of its own."""
import subprocess
import time

import httpx

from platform_process import BINARY, clean_environment, free_port

START_SECONDS = 20


class EdgeProcess:
    def __init__(self, service, folder, *settings, port=None):
        self.service, self.settings = service, settings
        self.port, self.ops_port = port or free_port(), free_port()
        self.url, self.ops_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.ops_port}"
        self.log = folder / f"{service}-{self.port}.log"
        self.process = None

    def start(self):
        command = [str(BINARY), "serve", f"--services={self.service}"]
        for setting in (f"{self.service}.listen=127.0.0.1:{self.port}",
                        f"{self.service}.ops_listen=127.0.0.1:{self.ops_port}", *self.settings):
            command += ["--set", setting]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=clean_environment())
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return self

    def ready(self):
        try:
            return httpx.get(f"{self.ops_url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def metrics(self):
        return httpx.get(f"{self.ops_url}/metrics").text

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(20) == 0, self.log.read_text()
