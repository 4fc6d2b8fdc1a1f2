"""Telegram's Bot API on loopback, behind a proxy.

The host of the API cannot be chosen in apprise. Its HTTP client reads `HTTPS_PROXY` and
`REQUESTS_CA_BUNDLE`, as it documents: the stand-in is that proxy, answers every CONNECT itself and
shows a certificate of its own making, which the bundle holds.
"""

from __future__ import annotations

import json
import socketserver
import ssl
from pathlib import Path
from typing import Any, Self

from tests.standins.listening import Listening, LoopbackServer, self_signed

HOST = "api.telegram.org"
TOKEN = "123456789:AAEl1dR4zSecretSecretSecretSecret"


class TelegramStandIn(Listening):
    """Takes `sendMessage`. `faults` are answered first, one for each request: status and text."""

    def __init__(self, directory: Path) -> None:
        self._pem = directory / "telegram.pem"
        self.messages: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.connects: list[str] = []
        self.faults: list[tuple[int, str]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What leads the client here."""
        address = f"http://127.0.0.1:{self.port}"
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), address),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            "REQUESTS_CA_BUNDLE": str(self._pem),
        }

    def __enter__(self) -> Self:
        standin, context = self, self_signed(self._pem, HOST)

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                target = self.rfile.readline().decode().split()[1]
                standin.connects.append(target)
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                with context.wrap_socket(self.connection, server_side=True) as secure:
                    secure.settimeout(10)
                    with secure.makefile("rb") as lines:
                        self.answer(secure, lines)

            def answer(self, secure: ssl.SSLSocket, lines: Any) -> None:
                method, path, _ = lines.readline().decode().split()
                length = 0
                while line := lines.readline().decode().strip():
                    name, _, value = line.partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                body = json.loads(lines.read(length))
                status, reply = standin.reply(f"{method} {path}", body)
                content = json.dumps(reply).encode()
                head = f"HTTP/1.1 {status} so\r\nContent-Length: {len(content)}\r\n"
                secure.sendall(f"{head}Connection: close\r\n\r\n".encode() + content)

        self._listen(LoopbackServer(("127.0.0.1", 0), Handler))
        return self

    def reply(self, request: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append(request)
        if self.faults:
            status, text = self.faults.pop(0)
            return status, {"ok": False, "error_code": status, "description": text}
        if request != f"POST /bot{TOKEN}/sendMessage":
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        self.messages.append(body)
        return 200, {"ok": True, "result": {"message_id": len(self.messages)}}
