"""A server of the figures in a process of its own, and requests to it as any program makes them."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from orchestration.base.settings import Settings
from tests.conftest import ROOT, clean_environment

SECRET = "0123456789abcdef" * 4
_ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):(\d+)")
_SECONDS_TO_START = 120


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Served:
    """A running server, and requests to it."""

    def __init__(self, process: subprocess.Popen[str], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(
        self,
        path: str,
        token: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        source: str | None = None,
        method: str = "GET",
        body: bytes | None = None,
        **parameters: Any,
    ) -> Answer:
        """One request on a connection of its own; lists are given as repeated parameters."""
        query = (
            f"?{urlencode(parameters, doseq=True, errors='surrogatepass')}" if parameters else ""
        )
        sent = {"Authorization": f"Bearer {token}"} if token is not None else {}
        address = (source, 0) if source else None
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60, source_address=address
        )
        try:
            connection.request(method, path + query, body, {**sent, **(headers or {})})
            found = connection.getresponse()
            names = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, names, found.read())
        finally:
            connection.close()

    def raw(self, request: bytes, seconds: float = 30) -> bytes:
        """What comes back for these bytes, until the server closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as client:
            client.sendall(request)
            found = b""
            try:
                while piece := client.recv(65_536):
                    found += piece
            except (TimeoutError, ConnectionResetError):
                # Silence and a reset are ends, too: what came until then is the answer.
                pass
            return found

    def rpc(self, method: str, token: str | None, **parameters: Any) -> Answer:
        """One message of the Model Context Protocol."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        return self.get(
            "/mcp",
            token,
            method="POST",
            body=json.dumps(message).encode(),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
            },
        )

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None and self.get("/healthz").status == 200


@contextmanager
def served(settings: Settings, log: Path, **environment: str) -> Iterator[Served]:
    """`voronka serve` on a free port of this machine, ended by its process' number."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "serve", "--port", "0"],
            env={
                **clean_environment(),
                "VORONKA_DATA_DIR": str(settings.data),
                "VORONKA_PROJECT_DIR": str(settings.root),
                **environment,
            },
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
        )
    try:
        yield Served(process, _port(process, log), log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: subprocess.Popen[str], log: Path) -> int:
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end:
        found = _ADDRESS.search(log.read_text())
        if found:
            return int(found[1])
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()}")
