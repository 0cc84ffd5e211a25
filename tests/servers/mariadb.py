"""MariaDB for tests: its own folder, an administrator with a password, durable as in production."""
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import time

from server import STOP_SECONDS, Server

USER = "mysql"


class Mariadb(Server):
    name = "mariadb"

    def prepare(self):
        data, password = self.folder / "data", self.folder / "password"
        if data.exists():
            self.password = password.read_text()
            return
        self.password = secrets.token_hex(16)
        password.write_text(self.password)
        password.chmod(0o600)
        self.folder.chmod(0o711)  # its user passes through
        first = self.folder / "first.sql"
        first.write_text(f"CREATE USER 'admin'@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
                         "GRANT ALL ON *.* TO 'admin'@'127.0.0.1' WITH GRANT OPTION;\n")
        first.chmod(0o600)
        user = [f"--user={USER}"] if os.getuid() == 0 else []
        subprocess.run(["mariadb-install-db", *user, f"--datadir={data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal"],
                       check=True, cwd=self.folder, capture_output=True)
        if os.getuid() == 0:
            shutil.chown(first, USER)

    def command(self):
        user = [f"--user={USER}"] if os.getuid() == 0 else []
        first = self.folder / "first.sql"
        data = self.folder / "data"
        return ["mariadbd", "--no-defaults", *user, f"--datadir={data}", f"--port={self.port}",
                "--bind-address=127.0.0.1", f"--socket={data}/socket", f"--pid-file={data}/pid",
                "--skip-name-resolve", "--max-connections=400",
                *([f"--init-file={first}"] if first.exists() else [])]

    def client(self, text, database=""):
        login = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.port}", "-uadmin", "-N", "-B"]
        return subprocess.run([*login, *([database] if database else [])], input=text, text=True, capture_output=True,
                              env=os.environ | {"MYSQL_PWD": self.password})

    def sql(self, text, database=""):
        done = self.client(text, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    RIGHTS = {"micropay_owner": "ALL", "micropay_app": "SELECT, INSERT, UPDATE, DELETE"}

    def make_roles(self, secret):
        """An owner of databases, and a user who may not make tables."""
        self.sql("".join(f"CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{secret}';\n" for user in self.RIGHTS))

    def make_databases(self, names):
        """Those that are not there."""
        self.sql("".join(f"CREATE DATABASE IF NOT EXISTS {name};\n"
                         f"GRANT {right} ON {name}.* TO '{user}'@'127.0.0.1';\n"
                         for user, right in self.RIGHTS.items() for name in names))

    def url(self, role, database):
        return f"mysql://{role}@127.0.0.1:{self.port}/{database}"

    def ready(self):
        if self.client("DO 1").returncode != 0:
            return False
        (self.folder / "first.sql").unlink(missing_ok=True)  # it has been read: there is an administrator
        return True

    def environment(self):
        crash = [sys.executable, os.path.abspath(__file__), "crash", str(self.folder), str(self.port)]
        return {"MICROPAY_TEST_MARIADB": f"mysql://admin@127.0.0.1:{self.port}/mysql",
                "MICROPAY_TEST_MARIADB_PASSWORD": self.password,
                "MICROPAY_TEST_MARIADB_CRASH": " ".join(crash)}

    def pid(self):
        file = self.folder / "data" / "pid"
        return int(file.read_text()) if file.exists() else None

    def stop(self):
        pid = self.pid()
        if pid is not None and (self.process is None or self.process.poll() is not None):
            os.kill(pid, 15)  # a test crashed the server that was started here, and started it again
            self.wait_for_end(pid)
        super().stop()

    @staticmethod
    def wait_for_end(pid):
        """Of a process that may be nobody's child here, or one whose end its parent has not noticed yet."""
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            try:
                state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                return
            if state == "Z":
                return
            time.sleep(0.02)


def main():
    """mariadb.py crash FOLDER PORT: kills a running server and starts it again."""
    server = Mariadb(sys.argv[2], int(sys.argv[3]))
    pid = server.pid()
    os.kill(pid, 9)
    server.wait_for_end(pid)
    server.start()


if __name__ == "__main__":
    main()
