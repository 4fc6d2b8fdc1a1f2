"""Who asks: by a signed token, by what a proxy says, or whoever sits at the machine.

Exactly one of the three is in force, and the server says which when it starts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol

import jwt

from orchestration.base.errors import VoronkaError, WrongUse
from orchestration.base.settings import Settings

COOKIE = "voronka"
_AUDIENCE = "voronka"
_ALGORITHM = "HS256"
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
# What proxies add: then whoever asks may sit anywhere.
_OF_PROXIES = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
# RFC 7518 asks for a key as long as the hash.
_SHORTEST_SECRET = 32
_LONGEST_DAYS = 366

Headers = Sequence[tuple[bytes, bytes]]


class NotKnown(VoronkaError):
    """Nobody knows who asks; 401 in HTTP."""


class WrongPlace(VoronkaError):
    """The request was meant for another server, or comes from another one's page."""


class Identity(Protocol):
    """A way to know who asks."""

    @property
    def in_words(self) -> str:
        """One line for whoever starts the server."""

    def role(self, headers: Headers, peer: str | None) -> str | None:
        """The role that asks, None: all is shown. Raises NotKnown and WrongPlace."""


@dataclass(frozen=True)
class AtTheMachine:
    """Whoever reaches the loopback address sees everything, as he sees the file itself.

    A page of the web that has its own name resolved to 127.0.0.1 is not let in: its requests carry
    that name.
    """

    in_words: str = "open: who can log in to this machine sees everything"

    def role(self, headers: Headers, peer: str | None) -> str | None:
        """None, for all who mean this machine."""
        host = _only(headers, b"host")
        if host is None or _name(host) not in _LOOPBACK_NAMES:
            raise WrongPlace(
                "This server answers to localhost alone.",
                "Open it as http://localhost, or start it with tokens.",
            )
        if any(name in _OF_PROXIES for name, _ in headers):
            raise WrongPlace(
                "This request comes through a proxy, and nothing says who asks.",
                "Start the server with tokens or the proxy's header; docs/serving.md shows both.",
            )
        return None


@dataclass(frozen=True)
class ByToken:
    """A token in `Authorization: Bearer`, else in the cookie that the link of a token sets."""

    secret: str
    in_words: str = "by tokens that `voronka token` signs"

    def role(self, headers: Headers, peer: str | None) -> str | None:
        """The role of the token; a header that is wrong is not made good by a cookie."""
        given = [value for name, value in headers if name == b"authorization"]
        if given:
            scheme, _, token = given[0].decode("latin-1").partition(" ")
            if len(given) > 1 or scheme.lower() != "bearer":
                raise _not_known("The header Authorization holds no single bearer token.")
            return self.read(token.strip())
        kept = _cookie(headers)
        if kept is None:
            raise _not_known("Nobody is signed in.")
        return self.read(kept)

    def read(self, token: str) -> str:
        """The role of a token. Raises NotKnown where it is not ours or has ended."""
        role = self._claims(token)["sub"]
        if not isinstance(role, str) or not role:
            raise _not_known("The token names no role.")
        return role

    def seconds_left(self, token: str) -> int:
        """How long a token lasts still. Raises NotKnown as `read` does."""
        return max(0, int(self._claims(token)["exp"] - datetime.now(UTC).timestamp()))

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self.secret,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["exp", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise _not_known("The token has ended.") from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise _not_known("The token is not one of this server.") from error

    def token(self, role: str, days: int) -> str:
        """A token for a role that ends after so many days."""
        if not 1 <= days <= _LONGEST_DAYS:
            raise WrongUse(f"A token cannot last {days} days.", f"Say --days 1 to {_LONGEST_DAYS}.")
        now = datetime.now(UTC)
        claims = {"sub": role, "aud": _AUDIENCE, "iat": now, "exp": now + timedelta(days=days)}
        return jwt.encode(claims, self.secret, algorithm=_ALGORITHM)


@dataclass(frozen=True)
class ByProxy:
    """A header that a trusted proxy sets to the role; from anybody else it counts for nothing."""

    header: str
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @property
    def in_words(self) -> str:
        """One line for whoever starts the server."""
        trusted = ", ".join(map(str, self.proxies))
        return f"by the header {self.header} of the proxy at {trusted}"

    def role(self, headers: Headers, peer: str | None) -> str | None:
        """The role that the proxy names."""
        if not self._is_trusted(peer):
            raise _not_known("Requests come through the proxy, and this one does not.")
        role = _only(headers, self.header.lower().encode())
        if not role:
            raise _not_known("The proxy does not say who asks.")
        return role

    def _is_trusted(self, peer: str | None) -> bool:
        try:
            address = ipaddress.ip_address(peer or "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.proxies)


def identity_of(settings: Settings, host: str) -> Identity:
    """The way that is in force. Raises WrongUse where the server must not start."""
    secret, header = settings.serve_secret, settings.serve_identity_header
    if secret and header:
        raise WrongUse(
            "VORONKA_SERVE_SECRET and VORONKA_SERVE_IDENTITY_HEADER are both set.",
            "Set one: either tokens say who asks, or the proxy does.",
        )
    if secret:
        return by_token(settings)
    if header:
        if not settings.serve_proxy:
            raise WrongUse(
                "VORONKA_SERVE_IDENTITY_HEADER is set, and no proxy is trusted with it.",
                "Set VORONKA_SERVE_PROXY to the proxy's address, as 127.0.0.1 or 10.0.0.0/24.",
            )
        return ByProxy(header, _networks(settings.serve_proxy))
    if not is_loopback(host):
        raise WrongUse(
            f"{host} is reached from other machines, and nothing says who asks.",
            "Set VORONKA_SERVE_SECRET (tokens) or VORONKA_SERVE_IDENTITY_HEADER (a proxy that "
            "signs people in); docs/serving.md shows both.",
        )
    return AtTheMachine()


def by_token(settings: Settings) -> ByToken:
    """The tokens of the settings' secret. Raises WrongUse where there is none, or a weak one."""
    if settings.serve_secret is None:
        raise WrongUse(
            "VORONKA_SERVE_SECRET is not set, so no token can be signed.",
            "Set it to 32 characters or more that nobody can guess: `openssl rand -hex 32`.",
        )
    secret = settings.serve_secret.get_secret_value()
    if len(secret.encode()) < _SHORTEST_SECRET:
        raise WrongUse(
            f"VORONKA_SERVE_SECRET has fewer than {_SHORTEST_SECRET} bytes.",
            "Take one that nobody can guess: `openssl rand -hex 32`.",
        )
    return ByToken(secret)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_foreign_pages(headers: Headers) -> None:
    """Raise WrongPlace where a page of another site makes the request."""
    origin = _only(headers, b"origin")
    host = _only(headers, b"host")
    if origin is not None and (host is None or origin.partition("://")[2] != host):
        raise WrongPlace(
            "A page of another site asks.", "Open this server's own page, or ask without Origin."
        )


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise WrongUse(
            f"VORONKA_SERVE_PROXY: {error}.", "Write addresses as 127.0.0.1 or 10.0.0.0/24."
        ) from error


def _not_known(what: str) -> NotKnown:
    return NotKnown(
        what, "Open the link that you were given, or send `Authorization: Bearer` with a token."
    )


def _only(headers: Headers, name: bytes) -> str | None:
    """A header that comes once; what comes twice says nothing."""
    found = [value for key, value in headers if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _cookie(headers: Headers) -> str | None:
    for name, value in headers:
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                # Of another program on this host; without ours nobody is let in.
                continue
            if found is not None:
                return found.value
    return None


def _name(host: str) -> str:
    """A name without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
