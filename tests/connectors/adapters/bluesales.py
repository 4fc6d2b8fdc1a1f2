"""BlueSales in the shared tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.connectors.adapter import SAMPLES, Adapter, ErrorCase, Story, crm_story
from tests.standins.bluesales import LOGIN, PASSWORD, PASSWORD_MD5, BluesalesStandIn, company_store
from tests.standins.company import Company, at
from tests.standins.server import Reply, Request, StandIn, json_reply, sample_reply

_SAMPLES = SAMPLES / "bluesales"


def _customers(request: Request) -> bool:
    return request.query.get("command") == "customers.get" and request.json["pageSize"] > 1


def _users(request: Request) -> bool:
    return request.query.get("command") == "users.get"


class Bluesales(Adapter):
    kind = "bluesales"
    nulls: Mapping[str, Sequence[str]] = {
        "crm.managers": ("dismissed_on", "updated_at"),
        "crm.sources": ("updated_at", "is_deleted"),
        "crm.contacts": ("company", "updated_at"),
        "crm.contact_phones": ("updated_at",),
        "crm.pipelines": ("updated_at", "is_deleted"),
        "crm.stages": ("updated_at", "is_deleted"),
        # A target field has no time of its own.
        "crm.leads": ("qualified_at", "utm_medium", "utm_campaign", "updated_at"),
        "crm.deals": ("updated_at",),
        "crm.deal_stage_history": ("manager_id", "updated_at", "is_deleted"),
        "crm.meetings": (
            "scheduled_for", "confirmed_at", "cancelled_at", "updated_at", "is_deleted",
        ),
        "crm.payments": ("updated_at",),
    }  # fmt: skip
    # Moves are dated by the loads that saw them, and some are never seen.
    dated: Mapping[str, Sequence[str]] = {
        "crm.deal_stage_history": (),
        "crm.meetings": (),
        "crm.stages": (),
        "crm.leads": ("taken_at",),
        "crm.deals": ("closed_at", "created_at"),
        "crm.payments": ("paid_at", "paid_after", "paid_at_quality"),
    }
    deletions_after = timedelta(days=1)
    least_requests = 5
    short: Mapping[str, Any] = {"start_date": "2026-03-01", "window_days": 1}

    def standin(self, company: Company, page_size: int = 500) -> StandIn:
        return BluesalesStandIn(lambda: company_store(company), page_size)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "bluesales",
            "login": LOGIN,
            "base_url": standin.address,
            "password": "env:BLUE_PASSWORD",
            "crm_statuses": [1, 2, 3, 4, "Успешно реализовано", 6],
            "order_statuses": [61, 64, 66],
            "paid_order_statuses": ["Доставлен"],
            "cancelled_order_statuses": ["Отменён"],
            "won_stages": [5],
            "lost_stages": ["Закрыто и не реализовано"],
            "payments_from": "native",
            "target_field": "Целевой",
            "target_values": ["Да"],
            "non_target_values": ["Нет"],
            "lost_reason_field": "5002",
            "utm_source_field": "utm_source",
            "expected_close_field": "Дата договора",
            "meetings_from": ["stages"],
            "meeting_set_stages": ["Встреча назначена"],
            "meeting_held_stages": ["Договор"],
            "source_channels": {"Сайт": "site"},
            "managers": {
                "anna@romashka.example": {
                    "role": "hunter", "team": "Север", "hired_on": "2025-01-15",
                }
            },
            "start_date": "2026-02-27",
            "sweep_every_days": 1,
        }  # fmt: skip

    def secrets(self) -> Mapping[str, str]:
        return {"BLUE_PASSWORD": PASSWORD}

    def hidden(self) -> Sequence[str]:
        return [PASSWORD, PASSWORD_MD5]

    def story(self) -> Story:
        """An order is paid between two loads as well."""
        return Story([*crm_story().steps, lambda it: it.move(5, "won", at(8, 9))])

    def paged(self, request: Request) -> bool:
        return _customers(request)

    def errors(self) -> Sequence[ErrorCase]:
        busy = sample_reply(_SAMPLES / "error_session_busy.json")
        api = sample_reply(_SAMPLES / "error_org_busy.json")
        nameless = json_reply(
            {"isValid": False, "errorMessage": "Другой пользователь находится онлайн под логином"}
        )
        page = sample_reply(_SAMPLES / "error_html_200.json")
        waits = [min(30.0, 3.0 * it) for it in range(1, 21)]
        return (
            ErrorCase("wrong password", sample_reply(_SAMPLES / "error_auth.json"), 2, _users,
                      ("Неправильный логин или пароль", "env:BLUE_PASSWORD"), 1),
            ErrorCase("login in use for ever", busy, 75, _customers,
                      ("Другой пользователь", "login of its own"), 11, waits=[18.0] * 10),
            ErrorCase("login in use, no number", nameless, 75, _users, ("of its own",), 11,
                      waits=[30.0] * 10),
            ErrorCase("login in use twice", busy, 0, _customers, times=2, waits=[18.0] * 2),
            ErrorCase("API in use for ever", api, 75, _users, ("Уже выполняется", "Another"), 21,
                      waits=waits),
            ErrorCase("API in use once", api, 0, _users, times=1, waits=[3.0]),
            ErrorCase("HTML with 200", page, 75, _users, ("no JSON",), 6),
            ErrorCase("unknown command", Reply(404, b"Not Found"), 2, _users, ("404",), 1),
            ErrorCase("no customers in the answer", json_reply({"count": 0}), 75, _customers,
                      ("no customers",), 1),
            ErrorCase("no rest in the answer", json_reply({"customers": []}), 75, _customers,
                      ("notReturnedCount",), 1),
            ErrorCase("another refusal", json_reply({"isValid": False, "error": "Нужен PRO"}), 2,
                      _users, ("Нужен PRO",), 1),
            ErrorCase("an empty list of users is a list", json_reply({}), 75, _users,
                      ("no list",), 1),
        )  # fmt: skip


ADAPTERS = (Bluesales(),)
