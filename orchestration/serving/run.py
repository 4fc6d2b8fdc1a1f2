"""The server's process: its socket, its connections' limits, its log and its end."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import threading
from contextlib import suppress
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestration.base.errors import VoronkaError, WrongUse
from orchestration.base.interrupt import interrupt_on_terminate
from orchestration.base.settings import Settings
from orchestration.serving.identity import Identity, identity_of, is_loopback
from orchestration.serving.limits import Limits, Runner
from orchestration.serving.session import Warehouse
from orchestration.serving.site import build
from orchestration.serving.viewer import LOCAL

# Seconds for a whole request to come, and for a client to take a piece of an answer.
_SECONDS_TO_ASK = 15.0
_SECONDS_TO_TAKE = 30.0
_SECONDS_IDLE = 60
_SECONDS_TO_STOP = 10
_LARGEST_REQUEST = 1_000_000
_CONNECTIONS = 512
_log = logging.getLogger("voronka.server")


class Connection(HttpToolsProtocol):
    """One connection, that cannot be held by sending or taking next to nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._received = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._give(_SECONDS_TO_ASK)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, as long as it is not too large."""
        self._received += len(data)
        if self._received > _LARGEST_REQUEST:
            self.send_400_response("The request is too large.")
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Another request on the same connection has its own time."""
        self._give(_SECONDS_TO_ASK)
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The request is here; how long the answer takes is another limit."""
        self._received = 0
        self._cancel()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client takes nothing for now."""
        self._give(_SECONDS_TO_TAKE)
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._cancel()
        super().resume_writing()

    def _give(self, seconds: float) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until somebody stops it. Raises WrongUse where it must not or cannot start."""
    identity = identity_of(settings, host)
    interrupt_on_terminate()
    _set_up_log()
    warehouse = Warehouse(settings)
    limits = Limits(seconds=settings.serve_seconds, rows=settings.serve_rows)
    runner = Runner(warehouse, limits)
    listener = _listen(host, port)
    try:
        app = build(settings, runner, identity)
        _say(identity, listener, host)
        threading.Thread(target=_warm, args=(warehouse,), daemon=True).start()
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_SECONDS_IDLE,
            timeout_graceful_shutdown=_SECONDS_TO_STOP,
        )
        # It has ended in order; that a signal asked for it is no failure.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run([listener])
        _log.info("stopped")
    finally:
        listener.close()
        runner.close()
        warehouse.close()


def _warm(warehouse: Warehouse) -> None:
    """Read what the first question would wait for: the file, and MetricFlow, a second's work."""
    try:
        with warehouse.session(LOCAL) as session:
            names = [metric.name for metric in session.metrics.catalogue.public]
            session.metrics.dimensions(names[:1])
    except VoronkaError as error:
        _log.warning("%s %s", error.message, error.remedy)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise WrongUse(
            f"{host}:{port} is no address here: {error}.", "Give another --host."
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        is_taken = error.errno == errno.EADDRINUSE
        raise WrongUse(
            f"{host}:{port} is taken by another program."
            if is_taken
            else f"{host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}.",
            "Stop it, or give another --port." if is_taken else "Give another --host or --port.",
        ) from error
    return listener


def _say(identity: Identity, listener: socket.socket, host: str) -> None:
    port = listener.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    _log.info("http://%s:%s", name, port)
    _log.info("who may see what: %s", identity.in_words)
    if not is_loopback(host):
        _log.info("put a proxy with TLS before it: docs/serving.md")


def _set_up_log() -> None:
    """One line for each event, on standard error, without what anybody asked."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("voronka.access", "voronka.server"):
        logging.getLogger(name).setLevel(logging.INFO)
