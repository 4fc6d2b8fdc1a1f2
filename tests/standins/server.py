"""A loopback server that answers as it is told, and can misbehave at any request."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.standins.listening import Listening, self_signed


@dataclass(frozen=True)
class Request:
    """What was asked; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """What is answered. `cut` announces the whole body and sends that share of it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: float | None = None
    closes: bool = False


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Reply(status, body, {"Content-Type": "application/json", **headers})


def sample_reply(file: Path) -> Reply:
    """The answer of a sample file: status, headers, body; a body of text as it stands."""
    answer = json.loads(file.read_text(encoding="utf-8"))["response"]
    body = answer["body"]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return Reply(answer["status"], text.encode(), answer.get("headers", {}))


HTML = Reply(200, b"<html><body>Maintenance</body></html>", {"Content-Type": "text/html"})

Fault = Callable[[Request], Reply | None]


class StandIn(Listening):
    """A server that runs while the context lasts.

    `faults` are by the number of the request, from 1: a Reply to send instead, or a function that
    is called before the answer and may give one. `always` is asked before every answer.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: dict[int, Reply | Fault] = {}
        self.always: Fault | None = None
        self._lock = threading.Lock()
        self._certificate: ssl.SSLContext | None = None

    def answer(self, request: Request) -> Reply:
        """The answer of the system."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def with_certificate(self, directory: Path) -> Self:
        """Speak TLS with a certificate that nobody has signed."""
        self._certificate = self_signed(directory / "certificate.pem", "somebody.example")
        return self

    def __enter__(self) -> Self:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # The body follows the headers at once, not when they are acknowledged, 40 ms later.
            disable_nagle_algorithm = True

            def log_message(self, *args: Any) -> None:
                pass

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                address = urlsplit(self.path)
                request = Request(
                    self.command,
                    address.path,
                    dict(parse_qsl(address.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                reply = standin.reply(request)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                sent = reply.body
                if reply.cut is not None:
                    sent = sent[: int(len(sent) * reply.cut)]
                    self.close_connection = True
                if not reply.closes:
                    self.wfile.write(sent)

            do_GET = do_POST = do_PUT = handle_one

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed in the middle is what the tests want."""

        server = Server(("127.0.0.1", 0), Handler)
        if self._certificate:
            server.socket = self._certificate.wrap_socket(server.socket, server_side=True)
        self._listen(server)
        return self

    def reply(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            fault = self.faults.get(number) or self.always
            if isinstance(fault, Reply):
                return fault
            if fault is not None:
                given = fault(request)
                if given is not None:
                    return given
            return self.answer(request)
