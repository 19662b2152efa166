"""A private PostgreSQL on 127.0.0.1, with a fresh database for whoever asks."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bridge.demo.ports import free_ports

# Tests kill bridges, never this server: it need not wait for the disk.
OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
           "max_connections": "300", "shared_buffers": "64MB", "listen_addresses": "127.0.0.1",
           "unix_socket_directories": "", "log_min_messages": "warning"}  # fmt: skip


def programs() -> Path | None:
    """The newest PostgreSQL of the machine; Debian keeps it off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    beside = shutil.which("initdb")
    return Path(beside).parent if beside else None


class PostgresServer:
    """One cluster for a whole test session. It refuses to run as root, so root lends it a user."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        (self.port,) = free_ports(1)
        self._numbers = itertools.count(1)
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            os.chown(self._folder, pwd.getpwnam(self._user).pw_uid, -1)

    def start(self) -> None:
        bin_ = programs()
        assert bin_ is not None
        data = self._folder / "data"
        self._run(str(bin_ / "initdb"), "-D", str(data), "-U", "bridge", "-A", "trust",
                  "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")  # fmt: skip
        options = [f"-c{name}={value}" for name, value in OPTIONS.items()]
        self._log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [str(bin_ / "postgres"), "-D", str(data), "-p", str(self.port), *options],
            user=self._user, stdout=self._log, stderr=self._log, cwd=self._folder,
        )  # fmt: skip
        self._psql = str(bin_ / "psql")
        deadline = time.monotonic() + 30
        while not self._ready(bin_):
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.05)

    def _ready(self, bin_: Path) -> bool:
        command = [str(bin_ / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, timeout=10, check=False).returncode == 0

    def stop(self) -> None:
        self._process.terminate()  # smart shutdown would wait for clients; SIGINT does not
        self._process.send_signal(2)
        self._process.wait(20)
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"postgres://bridge@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """A new empty database; returns its URL."""
        name = f"t{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def synapse(self) -> dict[str, object]:
        """A new empty database as Synapse wants it; returns its `database:` key."""
        name = f"s{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        args = {"user": "bridge", "host": "127.0.0.1", "port": self.port, "dbname": name}
        return {"name": "psycopg2", "args": args}

    def execute(self, sql: str) -> None:
        self._run(self._psql, "-qX", self.url("postgres"), "-c", sql)

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, user=self._user, cwd=self._folder, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[0]}: {done.stderr}"
