"""PostgreSQL for tests: its own folder, scram passwords, durable as in production."""
import os
import pwd
import secrets
import shutil
import subprocess
import sys

from server import Server

BINARIES = "/usr/lib/postgresql/15/bin/"
CONNECTIONS = 400  # every instance of every service has a handful
USER = "postgres"


class Postgres(Server):
    name = "postgres"

    def prepare(self):
        data, password = self.folder / "data", self.folder / "password"
        if data.exists():
            self.password = password.read_text()
            return
        self.password = secrets.token_hex(16)
        password.write_text(self.password)
        password.chmod(0o600)
        if os.getuid() == 0:  # it refuses root
            account = pwd.getpwnam(USER)
            for path in (self.folder, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        self.run("initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}",
                 "-E", "UTF8", "--locale=C", "--no-instructions")

    def as_its_user(self, binary, *arguments):
        prefix = ["runuser", "-u", USER, "--"] if os.getuid() == 0 else []
        return [*prefix, BINARIES + binary, *map(str, arguments)]

    def run(self, binary, *arguments):
        subprocess.run(self.as_its_user(binary, *arguments), check=True, cwd=self.folder, capture_output=True)

    def command(self):
        return self.as_its_user("postgres", "-D", self.folder / "data", "-p", self.port, "-k", self.folder,
                                "-c", "listen_addresses=127.0.0.1", "-c", f"max_connections={CONNECTIONS}",
                                "-c", "log_min_messages=warning")

    def ready(self):
        answer = subprocess.run([BINARIES + "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)])
        return answer.returncode == 0

    def environment(self):
        address = f"postgres://{USER}@127.0.0.1:{self.port}/postgres"
        crash = [sys.executable, os.path.abspath(__file__), "crash", str(self.folder), str(self.port)]
        return {"MICROPAY_TEST_POSTGRES": address, "MICROPAY_TEST_POSTGRES_PASSWORD": self.password,
                "MICROPAY_TEST_POSTGRES_CRASH": " ".join(crash)}

    def sql(self, text, database="postgres"):
        done = subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
                               "-U", USER, "-At", database], input=text, text=True, capture_output=True,
                              env=os.environ | {"PGPASSWORD": self.password})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def make_roles(self, secret):
        """An owner of databases, and a role that may not make tables."""
        self.sql("".join(f"CREATE ROLE {role} LOGIN PASSWORD '{secret}';\n"
                         for role in ("micropay_owner", "micropay_app")))

    def make_databases(self, names):
        """Those that are not there."""
        present = self.sql("SELECT datname FROM pg_database").splitlines()
        self.sql("".join(f"CREATE DATABASE {name} OWNER micropay_owner;\n" for name in names if name not in present))

    def url(self, role, database):
        return f"postgres://{role}@127.0.0.1:{self.port}/{database}"

    def stop(self):
        # Not by a signal to the process that was started: a test may have crashed and restarted the server.
        try:
            self.run("pg_ctl", "stop", "-D", self.folder / "data", "-m", "fast", "-w", "-t", "15")
        except subprocess.CalledProcessError:
            self.kill()
        if self.process is not None:
            self.process.wait()
        self.process = None
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def main():
    """postgres.py crash FOLDER PORT: ends a running server without any shutdown and starts it again."""
    server = Postgres(sys.argv[2], int(sys.argv[3]))
    server.run("pg_ctl", "stop", "-D", server.folder / "data", "-m", "immediate", "-w")
    subprocess.run(server.as_its_user("pg_ctl", "start", "-D", server.folder / "data", "-w", "-l",
                                      server.folder / "data" / "restarted.log", "-o",
                                      f"-p {server.port} -k {server.folder} -c listen_addresses=127.0.0.1"
                                      f" -c max_connections={CONNECTIONS}"),
                   check=True, cwd=server.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
