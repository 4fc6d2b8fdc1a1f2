"""A Postgres server for the tests: its own data, on a socket of its own, no network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tests import needs
from tests.needs import UNPRIVILEGED


@dataclass
class Server:
    """A running server; `host` is the directory of its socket and its address on loopback."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    def conninfo(self, database: str = "postgres", **options: str | int) -> str:
        """How to reach a database through the socket."""
        return make_conninfo(
            host=str(self.directory), port=self.port, user="postgres", dbname=database, **options
        )

    def url(self, database: str, user: str = "postgres", password: str = "s3cret") -> str:
        """The same over loopback, as people write it."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """A new database, its URL."""
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(f'create database "{name}"')
        return self.url(name)


@contextmanager
def running_server(port: int) -> Iterator[Server]:
    """A server with one superuser, `postgres`; ended by its process, its data removed.

    Skips the test where there is no server.
    """
    programs = needs.postgres()
    directory = Path(tempfile.mkdtemp(prefix="voronka-pg-"))
    who = {"user": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(directory, UNPRIVILEGED)
    directory.chmod(0o755)
    bin_dir = _reachable(programs, directory) if who else programs
    try:
        _initialise(bin_dir, directory, who)
        process = subprocess.Popen(
            [
                bin_dir / "postgres", "-D", directory / "data", "-k", directory,
                "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}",
                # Nothing here outlives the test.
                "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
                "-c", "max_connections=60", "-c", "shared_buffers=64MB", "-c", "jit=off",
            ],
            stdout=subprocess.DEVNULL,
            stderr=(directory / "server.log").open("wb"),
            cwd=directory,
            **who,
        )  # fmt: skip
        server = Server(directory, port, process)
        try:
            _wait(server)
            yield server
        finally:
            # Fast shutdown: connections that a test left open do not hold it up.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _initialise(bin_dir: Path, directory: Path, who: dict) -> None:
    secret = directory / "password"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    done = subprocess.run(
        [
            bin_dir / "initdb", "-D", directory / "data", "-U", "postgres", "--pwfile", secret,
            "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C",
            "--no-sync",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        **who,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _reachable(bin_dir: Path, directory: Path) -> Path:
    """The programs where the unprivileged user may run them: here, or as a copy."""
    can_run = subprocess.run(
        ["test", "-x", bin_dir / "postgres"], user=UNPRIVILEGED, extra_groups=[], check=False
    )
    if can_run.returncode == 0:
        return bin_dir
    copy = directory / "server"
    shutil.copytree(bin_dir.parent, copy)
    return copy / "bin"


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(server.conninfo(connect_timeout=2)).close()
            return
        except psycopg.OperationalError:
            log = (server.directory / "server.log").read_text(errors="replace")
            assert server.process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.05)
