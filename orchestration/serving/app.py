"""The server's application: who asks, what may be asked, and how it is answered."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, get_origin
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.base.errors import WrongUse
from orchestration.serving.cache import Cache, Stored
from orchestration.serving.endpoints import Endpoint, Parameters, Reply
from orchestration.serving.enter import enter_routes
from orchestration.serving.formats import json_bytes
from orchestration.serving.identity import ByToken, Identity, refuse_foreign_pages
from orchestration.serving.limits import Runner, TooMuch
from orchestration.serving.openapi import document
from orchestration.serving.problems import MEDIA_TYPE, NotFound, Problem, WrongMethod, problem_of
from orchestration.serving.session import Session
from orchestration.serving.viewer import LOCAL, Viewer

# Nobody has to be known for these.
_OPEN_PATHS = frozenset({"/healthz", "/enter", "/favicon.ico"})
_CACHE_BYTES = 128_000_000
# Bodies are sent in pieces: a client that takes none for a while is given up.
_PIECE = 262_144
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Accept, Accept-Encoding, Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_access = logging.getLogger("voronka.access")


@dataclass(frozen=True)
class Part:
    """An ASGI application of its own at a path, as the protocol of assistants.

    It finds the viewer in `scope["state"]["viewer"]` (`request.state.viewer`), asks through a
    `Runner`, and runs inside `lifespan`.
    """

    path: str
    app: ASGIApp
    methods: tuple[str, ...]
    lifespan: AbstractAsyncContextManager[Any] = field(default_factory=nullcontext)


def application(
    runner: Runner,
    identity: Identity,
    endpoints: Sequence[Endpoint[Any]],
    version: str,
    parts: Sequence[Part] = (),
) -> Starlette:
    """Everything that the server answers to."""
    described = json_bytes(document((it for it in endpoints if "/api/" in it.path), version))
    server = _Server(runner, version)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part.lifespan)
            yield

    async def health(request: Request) -> Response:
        """Whether questions can be answered."""
        return Response(b"ok\n", media_type="text/plain")

    async def openapi(request: Request) -> Response:
        """The document that describes the API."""
        return Response(described, media_type="application/json")

    routes: list[BaseRoute] = [
        Route("/healthz", health),
        Route("/openapi.json", openapi),
        *(Route(each.path, _Answers(each, server), methods=["GET"]) for each in endpoints),
        *(Route(part.path, part.app, methods=part.methods) for part in parts),
    ]
    if isinstance(identity, ByToken):
        routes += enter_routes(identity)
    app = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _of_starlette}
    )
    app.router.redirect_slashes = False
    app.add_middleware(_Guard, server=server, identity=identity)
    return app


class _Server:
    """What all addresses share."""

    def __init__(self, runner: Runner, version: str) -> None:
        self.runner = runner
        self.version = version
        self.cache = Cache(_CACHE_BYTES)
        # The same question asked by many at once, as after a publication, is answered once.
        self.running: dict[object, asyncio.Task[Stored]] = {}

    async def viewer(self, role: str | None) -> Viewer:
        """Whoever asks, with what he may see."""
        if role is None:
            return LOCAL
        warehouse = self.runner.warehouse
        if warehouse.peek() is None:
            return await self.runner.aside(lambda: warehouse.viewer(role))
        return warehouse.viewer(role)

    async def publication_id(self) -> str:
        """The newest publication, opened aside where it is new."""
        warehouse = self.runner.warehouse
        known = warehouse.peek()
        if known is None:
            return await self.runner.aside(lambda: warehouse.publication_id)
        return known

    def etag(self, publication_id: str, viewer: Viewer, media_type: str) -> str:
        """What a reply depends on beside its address. Weak: it is also sent compressed."""
        managers = None if viewer.managers is None else sorted(viewer.managers)
        state = (viewer.name, viewer.language, managers, viewer.is_personal, media_type)
        digest = hashlib.sha256(repr((self.version, state)).encode()).hexdigest()[:12]
        return f'W/"{publication_id}.{digest}"'


class _Guard:
    """Lets in who is known, and turns whatever goes wrong into a problem; one line for the log."""

    def __init__(self, app: ASGIApp, server: _Server, identity: Identity) -> None:
        self._app = app
        self._server = server
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"nothing is served by {scope['type']}")
        start = time.perf_counter()
        sent = _Sent(send)
        viewer: Viewer | None = None
        try:
            headers, peer = scope["headers"], (scope.get("client") or (None,))[0]
            refuse_foreign_pages(headers)
            if scope["path"] not in _OPEN_PATHS:
                viewer = await self._server.viewer(self._identity.role(headers, peer))
                scope["state"]["viewer"] = viewer
            await self._app(scope, receive, sent)
        # Nobody further out can answer in our words. `problem_of` logs what is no error of ours,
        # with its trace, under the number that it tells.
        except Exception as error:  # noqa: BLE001 - it becomes the answer, or a line of the log
            problem = problem_of(error)
            if not sent.status:
                await _send_problem(problem, scope, sent)
        finally:
            _log(scope, viewer, sent, start)


class _Sent:
    """Sends on, and remembers what was sent; every answer has the same headers of caution."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name.lower() for name, _ in message["headers"]}
            if self.status == HTTPStatus.NOT_MODIFIED:
                # Its headers replace those of the answer that the client has.
                given.add(b"content-security-policy")
            message["headers"] = [
                *message["headers"],
                *((name, value) for name, value in _CAUTION if name not in given),
            ]
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)


_CAUTION = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


class _Answers:
    """One endpoint as an application: parameters, cache, limits, formats."""

    def __init__(self, endpoint: Endpoint[Any], server: _Server) -> None:
        self._endpoint = endpoint
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        viewer: Viewer = scope["state"]["viewer"]
        query: bytes = scope["query_string"]
        format_ = self._wanted(query, headers.get(b"accept", ""))
        publication_id = await self._server.publication_id()
        media_type = self._endpoint.media_types[format_]
        if _is_known(
            headers.get(b"if-none-match"), self._server.etag(publication_id, viewer, media_type)
        ):
            etag = self._server.etag(publication_id, viewer, media_type)
            await _send(send, 304, {"ETag": etag}, b"", is_head=True)
            return
        stored = await self._stored((publication_id, viewer, self._endpoint.path, query, format_))
        reply = stored.reply
        body, encoding = reply.body, {}
        if stored.is_compressible and "gzip" in headers.get(b"accept-encoding", ""):
            if "compressed" not in vars(stored):
                await self._server.runner.aside(lambda: stored.compressed)
            body, encoding = stored.compressed, {"Content-Encoding": "gzip"}
        await _send(
            send,
            200,
            {
                "Content-Type": reply.media_type,
                "ETag": self._server.etag(stored.publication_id, viewer, media_type),
                "X-Voronka-Publication": stored.publication_id,
                **encoding,
                **reply.headers,
            },
            body,
            is_head=scope["method"] == "HEAD",
        )

    async def _stored(self, key: tuple[str, Viewer, str, bytes, str]) -> Stored:
        found = self._server.cache.get(key)
        if found is not None:
            return found
        task = self._server.running.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key))
            self._server.running[key] = task
            task.add_done_callback(lambda _: self._server.running.pop(key, None))
        # Whoever leaves does not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, key: tuple[str, Viewer, str, bytes, str]) -> Stored:
        _, viewer, path, query, format_ = key
        asked = self._parameters(query, format_)
        runner = self._server.runner

        def work(session: Session) -> tuple[Reply, str]:
            return self._endpoint.answer(session, asked), session.publication_id

        reply, publication_id = await runner.ask(viewer, work)
        if len(reply.body) > runner.limits.answer_bytes:
            raise TooMuch(
                "The answer is too large.", "Add limit, a condition, or fewer dimensions."
            )
        stored = Stored(reply, publication_id)
        # It may be of a publication that has come in between.
        self._server.cache.put((publication_id, viewer, path, query, format_), stored)
        return stored

    def _wanted(self, query: bytes, accept: str) -> str:
        """The format: by the parameter, else by Accept, else the first one."""
        formats = self._endpoint.media_types
        if len(formats) > 1:
            for part in query.split(b"&"):
                key, _, value = part.partition(b"=")
                if key == b"format" and value.decode("latin-1") in formats:
                    return value.decode("latin-1")
            offered = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
            for name, media_type in formats.items():
                if media_type.partition(";")[0] in offered:
                    return name
        return next(iter(formats))

    def _parameters(self, query: bytes, format_: str) -> Parameters:
        """The parameters of a query string. Raises WrongUse where one is unknown or wrong."""
        declared = self._endpoint.parameters.model_fields
        try:
            pairs = parse_qsl(
                query.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(query),
                errors="strict",
                max_num_fields=200,
            )
        except ValueError as error:
            raise WrongUse(
                "The query string cannot be read.", "Write name=value&name=value in UTF-8, escaped."
            ) from error
        given: dict[str, Any] = {}
        for name, value in pairs:
            is_many = name in declared and get_origin(declared[name].annotation) is tuple
            if is_many:
                given.setdefault(name, []).append(value)
            elif name in given:
                raise WrongUse(f"{name[:80]} is given twice.", "Give it once.")
            else:
                given[name] = value
        if "format" in declared and not given.get("format"):
            given["format"] = format_
        try:
            asked: Parameters = self._endpoint.parameters.model_validate(given)
        except ValidationError as error:
            raise WrongUse(
                "A parameter is wrong.",
                f"{self._endpoint.path} takes {', '.join(declared) or 'no parameters'}; "
                "/openapi.json describes them.",
                [
                    f"{'.'.join(str(part)[:80] for part in item['loc'][:1])}: {item['msg']}"
                    for item in error.errors(include_url=False, include_input=False)[:10]
                ],
            ) from error
        return asked


def _is_known(given: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the reply."""
    if given is None:
        return False
    return any(part.strip() in (etag, etag.removeprefix("W/"), "*") for part in given.split(","))


async def _of_starlette(request: Request, error: Exception) -> Response:
    """What the router does not find, as an error of ours."""
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        raise WrongMethod((error.headers or {}).get("Allow", "GET"))
    raise NotFound("There is nothing at this address.", "/openapi.json lists the addresses.")


async def _send_problem(problem: Problem, scope: Scope, send: Send) -> None:
    """A problem; as a page for somebody who opens an address in a browser."""
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    is_page = accept.startswith(b"text/html") and not scope["path"].startswith("/api/")
    body = problem.as_page() if is_page else problem.as_json()
    headers = {
        "Content-Type": "text/html; charset=utf-8" if is_page else MEDIA_TYPE,
        **({"Content-Security-Policy": _PAGE_POLICY} if is_page else {}),
        **problem.headers,
    }
    await _send(send, problem.status.value, headers, body, is_head=scope["method"] == "HEAD")


_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


async def _send(
    send: Send, status: int, headers: Mapping[str, str], body: bytes, *, is_head: bool
) -> None:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    if status != 304:
        raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    if is_head:
        body = b""
    for start in range(0, len(body), _PIECE) or [0]:
        piece = body[start : start + _PIECE]
        more = start + _PIECE < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})


def _log(scope: Scope, viewer: Viewer | None, sent: _Sent, start: float) -> None:
    """Who asked for which address, how it ended, milliseconds and bytes; no query, no secret."""
    name = viewer.name if viewer else "-"
    path = scope.get("raw_path", b"").decode("latin-1")[:100]
    _access.info(
        "%s %s %s %s %.1f ms %d B",
        ascii(name)[1:-1],
        scope["method"],
        ascii(path)[1:-1],
        sent.status or 499,
        (time.perf_counter() - start) * 1000,
        sent.bytes,
    )
