"""A PostgreSQL of one's own: made, started, killed and thrown away; bench and tests use it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

WHAT = "no PostgreSQL of version 14 or later: apt-get install postgresql"
START_S = 30
#: PostgreSQL refuses to run as root; Debian's package makes this user.
USER = "postgres"
#: Starts the program named by its arguments, and ends it once whoever holds the other end of its standard
#: input is gone, however that came.
_WATCH = 'exec 3<&0; "$@" & p=$!; (read -r _ <&3; kill -INT $p) & r=$!; wait $p; kill $r'
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 120
shared_buffers = 256MB
max_wal_size = 4GB
log_min_messages = fatal
log_min_error_statement = panic
"""


def find_postgresql() -> Path | None:
    """The folder of `initdb` and `postgres`, newest version first; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return next((folder for folder in found if (folder / "initdb").exists() and _may_run()), None)


def _may_run() -> bool:
    """Whether there is a user who may run it."""
    if os.getuid() != 0:
        return True
    return any(entry.pw_name == USER for entry in pwd.getpwall())


class Postgres:
    """A cluster in a folder of its own on a free port of 127.0.0.1; `close` removes it."""

    def __init__(self, programs: Path, settings: str = "") -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="yima-pg-"))
        self._user: str | None = None
        if os.getuid() == 0:
            self._user = USER
            shutil.chown(self._folder, USER)
        self._data = self._folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        word = self._folder / "password"
        self._password = secrets.token_urlsafe(12)
        word.write_text(self._password)
        if self._user:
            shutil.chown(word, self._user)
        make = ["initdb", "-D", str(self._data), "-U", "yima", "-E", "UTF8", "--locale=C", "-A"]
        self._run([*make, "scram-sha-256", f"--pwfile={word}", "--no-sync"])
        with (self._data / "postgresql.conf").open("a") as config:
            config.write(SETTINGS + settings + f"\nport = {self.port}\n")
        self.start()

    def _run(self, argv: list[str]) -> None:
        path = str(self._programs / argv[0])
        subprocess.run(
            [path, *argv[1:]], user=self._user, cwd=self._folder, check=True, stdout=subprocess.DEVNULL
        )

    def url(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://yima:{self._password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises TimeoutError."""
        self._process = self._spawn()
        ends_s = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > ends_s:
                    raise TimeoutError("PostgreSQL does not start") from None
                time.sleep(0.05)
                if self._process.poll() is not None:
                    # After a kill it refuses for as long as one of its processes holds the shared memory.
                    self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", str(self._programs / "postgres"), "-D", str(self._data)],
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def create(self, template: str = "template1") -> str:
        """A new database, empty or like the one at the address `template`; its address."""
        name = "t" + secrets.token_hex(6)
        like = template.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}".encode())
        return self.url(name)

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash would."""
        assert self._process is not None  # noqa: S101 - for the type checker
        # Its children notice that their parent is gone, and end.
        number = (self._data / "postmaster.pid").read_text().partition("\n")[0]
        os.kill(int(number), signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Stop it and remove everything."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait(START_S)
        shutil.rmtree(self._folder, ignore_errors=True)
