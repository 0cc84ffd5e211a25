"""Clients of others in Java, tiny programs below java/: their libraries are fetched by Maven into .servers
once, the program is compiled when it changed. A running one is told lines and answers each with one.

    with JavaClient("spring", "--spring.application.name=shop") as client:
        assert client.ask("get greeting") == "hello"
"""
import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCES = pathlib.Path(__file__).resolve().parent / "java"
FETCH_SECONDS = 600
START_SECONDS = 90
ANSWER_SECONDS = 20
# Short runs: the serial collector and the first compiler alone start fastest. XStream looks into the JDK.
JAVA = ["java", "-Xmx160m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Djava.net.preferIPv4Stack=true", "--add-opens", "java.base/java.util=ALL-UNNAMED",
        "--add-opens", "java.base/java.lang=ALL-UNNAMED"]


def jars(name):
    """The folder of the program's libraries; fetched unless those of this pom are there."""
    folder, pom = ROOT / ".servers" / f"java-{name}", SOURCES / name / "pom.xml"
    made_from = folder / "made-from"
    if not made_from.exists() or made_from.read_text() != pom.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
                        f"-DoutputDirectory={folder}", "-DincludeScope=runtime"], check=True,
                       timeout=FETCH_SECONDS)
        made_from.write_text(pom.read_text())
    return folder


def compiled(name):
    """The class path of the program."""
    folder, source = jars(name), SOURCES / name / "src/main/java/Client.java"
    classes = folder / "classes"
    kept = folder / "compiled-from"
    if not kept.exists() or kept.read_text() != source.read_text():
        shutil.rmtree(classes, ignore_errors=True)
        subprocess.run(["javac", "-cp", f"{folder}/*", "-d", str(classes), str(source)], check=True,
                       timeout=FETCH_SECONDS)
        kept.write_text(source.read_text())
    return f"{classes}:{folder}/*"


class JavaClient:
    def __init__(self, name, *arguments):
        self.log = tempfile.TemporaryFile("w+")
        command = [*JAVA, "-cp", compiled(name), "Client", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        self.answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._next(START_SECONDS)
        except AssertionError:
            self.close()
            raise

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("> "):
                self.answers.put(line[2:].rstrip("\n"))
            else:
                self.log.write(line)
        self.answers.put(None)

    def _next(self, seconds):
        try:
            answer = self.answers.get(timeout=seconds)
        except queue.Empty:
            answer = None
        assert answer is not None, f"the client does not answer:\n{self.log_tail()}"
        return answer

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._next(ANSWER_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def log_tail(self, lines=40):
        self.log.seek(0)
        return "\n".join(self.log.read().splitlines()[-lines:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
