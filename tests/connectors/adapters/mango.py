"""Mango Office in the shared tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.connectors.adapter import Adapter, ErrorCase, Story, calls_story
from tests.standins.company import Company
from tests.standins.mango import KEY, SALT, MangoStandIn, company_store
from tests.standins.server import Reply, Request, StandIn, json_reply


def _ordered(request: Request) -> bool:
    return request.path == "/stats/calls/request/"


def _fetched(request: Request) -> bool:
    return request.path == "/stats/calls/result/"


def _code(number: int, message: str) -> Reply:
    return json_reply({"result": number, "message": message})


class Mango(Adapter):
    kind = "mango"
    nulls: Mapping[str, Sequence[str]] = {
        "telephony.calls": ("updated_at", "is_deleted", "source_id", "queue"),
        "telephony.extensions": ("updated_at", "is_deleted", "valid_to"),
    }
    # The users, and four slices of a day: each is ordered and fetched.
    least_requests = 9
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        return MangoStandIn(lambda: company_store(company), page_size)

    def keys(self, standin: Any) -> dict[str, Any]:
        return {
            "kind": "mango",
            "base_url": standin.address,
            "api_key": "env:MANGO_KEY",
            "api_salt": "env:MANGO_SALT",
            "managers": {"10001": "7001", "102": "7002"},
            "start_date": "2026-03-01",
            "page": 1 if standin.page_size < 5 else 100,
        }

    def secrets(self) -> Mapping[str, str]:
        return {"MANGO_KEY": KEY, "MANGO_SALT": SALT}

    def paged(self, request: Request) -> bool:
        return _fetched(request)

    def story(self) -> Story:
        return calls_story()

    def errors(self) -> Sequence[ErrorCase]:
        return (
            ErrorCase("3102", _code(3102, "Неверная подпись"), 2, _ordered,
                      ("3102", "Неверная подпись", "env:MANGO_SALT"), 1),
            ErrorCase("3105", _code(3105, "Неверный ключ"), 2, _ordered,
                      ("3105", "Неверный ключ", "env:MANGO_KEY"), 1),
            ErrorCase("3104", _code(3104, "Неверный параметр"), 2, _ordered, ("3104", "slice"), 1),
            ErrorCase("2211", _code(2211, "Недостаточно средств"), 2, _ordered,
                      ("Недостаточно средств", "billing"), 1),
            ErrorCase("unknown code", _code(4002, "Нечто"), 2, _ordered, ("4002", "Нечто"), 1),
            ErrorCase("403", json_reply({"message": "forbidden"}, 403), 2, _ordered,
                      ("403", "addresses"), 1),
            ErrorCase("5001 for ever", _code(5001, "Ошибка сервера"), 75, _ordered, ("5001",), 6),
            ErrorCase("4403 twice", _code(4403, "Занято"), 0, _ordered, times=2),
            ErrorCase("429 with a wait", Reply(429, b"{}", {"Retry-After": "17"}), 0, _ordered,
                      times=2, waits=[17.0] * 2),
            ErrorCase("204 for ever", Reply(204), 75, _fetched, ("204",), waits=[5.0] * 359),
            ErrorCase("work twice", json_reply({"result": 1000, "status": "work"}), 0, _fetched,
                      times=2, waits=[5.0] * 2),
            ErrorCase("404 twice", Reply(404, b"{}"), 0, _fetched, times=2),
            ErrorCase("cancelled for ever", json_reply({"result": 1000, "status": "cancel"}), 75,
                      _fetched, ("cancelled", "smaller slice"), 5),
            ErrorCase("no key", json_reply({"result": 1000}), 75, _ordered, ("no key",), 1),
            ErrorCase("no data", json_reply({"result": 1000, "status": "complete"}), 75,
                      _fetched, ("no data",), 1),
        )  # fmt: skip


ADAPTERS = (Mango(),)
