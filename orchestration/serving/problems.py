"""Errors as problem details (RFC 9457): what is wrong, and what to do about it.

Nothing of the inside is told: an error that nobody foresaw has a number that the log has, too.
"""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus

import duckdb
import orjson

from orchestration.base.errors import VoronkaError, WrongUse
from orchestration.serving.identity import NotKnown, WrongPlace
from orchestration.serving.limits import TooBusy, TooLong, TooMuch
from orchestration.serving.session import NothingPublished
from orchestration.serving.viewer import NotAllowed

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)

# Errors speak of the command's options; here they are parameters.
_OPTION = re.compile(
    r"(?<![\w-])--(?=(?:where|by|grain|compare|order|limit|period|part|metrics)\b)"
)
# What whoever opens the page is told first; the rest is for those who run the server.
_IN_RUSSIAN = {
    HTTPStatus.UNAUTHORIZED: (
        "Вход не выполнен",
        "Откройте ссылку, которую вам дали. Если она уже не действует, попросите новую.",
    ),
    HTTPStatus.FORBIDDEN: (
        "Вам это не показывается",
        "Попросите того, кто ведёт отчёты, открыть вам доступ.",
    ),
    HTTPStatus.NOT_FOUND: ("Такой страницы нет", "Начните с главной: /"),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Пока нечего показать",
        "Данные ещё готовятся, или сейчас слишком много вопросов. Обновите страницу чуть позже.",
    ),
}
_ANY_IN_RUSSIAN = (
    "Страница не открылась",
    "Обновите её. Если не поможет, покажите этот текст тому, кто ведёт отчёты.",
)
# The most special first.
_STATUSES: tuple[tuple[type[BaseException], HTTPStatus, str], ...] = (
    (NotKnown, HTTPStatus.UNAUTHORIZED, "Who asks is not known"),
    (NotAllowed, HTTPStatus.FORBIDDEN, "Not for this viewer"),
    (WrongPlace, HTTPStatus.MISDIRECTED_REQUEST, "Asked from the wrong place"),
    (TooBusy, HTTPStatus.SERVICE_UNAVAILABLE, "Too busy"),
    (TooLong, HTTPStatus.UNPROCESSABLE_ENTITY, "The question takes too long"),
    (TooMuch, HTTPStatus.UNPROCESSABLE_ENTITY, "The answer is too large"),
    (NothingPublished, HTTPStatus.SERVICE_UNAVAILABLE, "Nothing to show"),
    (WrongUse, HTTPStatus.BAD_REQUEST, "The question cannot be answered"),
)
_RETRY: dict[type[BaseException], int] = {TooBusy: 1, NothingPublished: 30}


class NotFound(VoronkaError):
    """There is nothing at the address."""


class WrongMethod(VoronkaError):
    """The address is there, and cannot be asked like this; `allowed` are the methods."""

    def __init__(self, allowed: str) -> None:
        super().__init__("This address cannot be asked like this.", f"Use {allowed}.")
        self.allowed = allowed


@dataclass(frozen=True)
class Problem:
    """An error as an answer."""

    status: HTTPStatus
    title: str
    detail: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> bytes:
        """The problem as `application/problem+json`."""
        members: dict[str, object] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.remedy:
            members["remedy"] = self.remedy
        if self.details:
            members["errors"] = list(self.details)
        return orjson.dumps(members)

    def as_page(self) -> bytes:
        """The problem for somebody who opened an address in a browser."""
        title, remedy = _IN_RUSSIAN.get(self.status, _ANY_IN_RUSSIAN)
        lines = "".join(
            f"<p>{escape(text)}</p>" for text in (self.detail, *self.details, self.remedy) if text
        )
        return (
            "<!doctype html><html lang=ru><meta charset=utf-8><title>Воронка</title>"
            '<meta name=viewport content="width=device-width">'
            "<body style='font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:4em auto;"
            "padding:0 1em;color-scheme:light dark'>"
            f"<h1>{escape(title)}</h1><p>{escape(remedy)}</p>"
            f"<hr><div lang=en><h2>{escape(self.title)}</h2>{lines}</div>"
        ).encode()


def problem_of(error: BaseException) -> Problem:
    """What people are told about an error."""
    if isinstance(error, NotFound):
        return Problem(HTTPStatus.NOT_FOUND, "Not found", error.message, error.remedy)
    if isinstance(error, WrongMethod):
        return Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "Wrong method",
            error.message,
            error.remedy,
            headers={"Allow": error.allowed},
        )
    for kind, status, title in _STATUSES:
        if isinstance(error, kind) and isinstance(error, VoronkaError):
            headers = {}
            if kind in _RETRY:
                headers["Retry-After"] = str(_RETRY[kind])
            if status is HTTPStatus.UNAUTHORIZED:
                headers["WWW-Authenticate"] = 'Bearer realm="voronka"'
            message = error.message
            if kind is WrongUse and isinstance(error.__cause__, duckdb.Error):
                # The database may quote a value, of a row that is not shown, too.
                message = "A value in the question has the wrong type or form."
            return Problem(
                status,
                title,
                _of_http(message),
                _of_http(error.remedy),
                tuple(map(_of_http, error.details)),
                headers,
            )
    number = secrets.token_hex(4)
    _log.error("error %s", number, exc_info=error)
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "An error of the server",
        f"Something went wrong that is not your doing; its number is {number}.",
        "Ask again; if it stays, show the number to whoever runs the server.",
    )


def _of_http(text: str) -> str:
    return _OPTION.sub("", text).replace("`voronka metrics`", "GET /api/metrics")
