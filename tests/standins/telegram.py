"""Telegram's Bot API on loopback, behind a proxy.

The host of the API cannot be chosen in apprise. Its HTTP client reads `HTTPS_PROXY` and
`REQUESTS_CA_BUNDLE`, as it documents: the stand-in is that proxy, answers every CONNECT itself and
shows a certificate of its own making, which the bundle holds.
"""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

HOST = "api.telegram.org"
TOKEN = "123456789:AAEl1dR4zSecretSecretSecretSecret"


class TelegramStandIn:
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
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), address),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            "REQUESTS_CA_BUNDLE": str(self._pem),
        }

    def __enter__(self) -> Self:
        standin, context = self, certificate(self._pem)

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

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.daemon = True
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def reply(self, request: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append(request)
        if self.faults:
            status, text = self.faults.pop(0)
            return status, {"ok": False, "error_code": status, "description": text}
        if request != f"POST /bot{TOKEN}/sendMessage":
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        self.messages.append(body)
        return 200, {"ok": True, "result": {"message_id": len(self.messages)}}


def certificate(pem: Path) -> ssl.SSLContext:
    """A certificate for the API's host, written with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
