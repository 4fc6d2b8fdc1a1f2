"""Yandex Direct: statistics of campaigns, day by day, through the Reports service (8)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from orchestration.base.findings import Finding
from orchestration.connectors.advertising import (
    TABLE,
    AdsConnection,
    Advertising,
    Days,
    Spent,
    amount_of,
    sum_of,
    units_of,
)
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.secrets import SecretRef

BASE_URL = "https://api.direct.yandex.com/json/v5"
# Days are Moscow's, as far as anybody says.
ZONE = ZoneInfo("Europe/Moscow")
FIELDS = ("Date", "CampaignId", "Impressions", "Clicks", "Cost", "CampaignName")
_TOTAL = ("Date", "Cost")
MAX_WAIT = 1_800.0
_QUEUED = 10.0
_FULL = 60.0
_HISTORY_YEARS = 3
_BATCH = 3_000
_RETRIED = {52, 1000, 1001, 1002}
_BUSY = {56, 152, 506, 9000}
_TOKEN, _NO_RIGHT, _NO_ACCESS = 53, 54, 58
_CHANGED_AT, _CHECKED_ON = "changes_at", "changes_on"
_NULL = "--"


class YandexDirectConnection(AdsConnection):
    """One advertiser."""

    kind: Literal["yandex_direct"]
    token: SecretRef = Field(description="OAuth", json_schema_extra={"secret": True})
    include_vat: bool = Field(
        description="true: cost with VAT; the same for all advertising, or CAC is bent by the tax",
        examples=[False],
    )
    client_login: str | None = Field(
        default=None,
        description="the advertiser's login; agencies must name it, one connection each",
        examples=["romashka-direct"],
    )
    currency: str | None = Field(default=None, description="default: the account's")


class YandexDirect(Advertising[YandexDirectConnection]):
    """Yandex Direct."""

    kind: ClassVar[str] = "yandex_direct"
    title: ClassVar[str] = "Yandex Direct"
    page: ClassVar[str] = "yandex_direct.md"
    config: ClassVar[type[Connection]] = YandexDirectConnection

    @classmethod
    def key_spaces(cls, connection: Any) -> Iterator[tuple[str, str, str]]:
        """Ids of campaigns are the advertiser's: one that is read twice would count twice."""
        yield TABLE, f"yandex_direct:{connection.client_login or ''}", "client_login"

    def zone(self) -> ZoneInfo:
        """Direct's days."""
        return ZONE

    def earliest(self) -> date:
        """Three years before the first of this month."""
        today = self.work.clock.now().astimezone(ZONE).date()
        return today.replace(year=today.year - _HISTORY_YEARS, day=1)

    def corrected(self, first: date) -> tuple[date, dict[str, Any]]:
        """Older corrections, asked for once a day."""
        today = self.work.clock.now().astimezone(UTC)
        if self.work.state.get(_CHECKED_ON) == f"{today:%Y-%m-%d}":
            return first, {}
        known = self.work.own.select(TABLE, ["campaign"], "is_deleted is distinct from 'true'")
        campaigns = sorted({int(row[0]) for row in known if str(row[0]).isdigit()})
        since = self.work.state.get(_CHANGED_AT)
        stamp = since or f"{today:%Y-%m-%dT%H:%M:%SZ}"
        for begin in range(0, len(campaigns), _BATCH):
            params = {
                "CampaignIds": campaigns[begin : begin + _BATCH],
                "FieldNames": ["CampaignsStat"],
                "Timestamp": stamp,
            }
            found = self._call("/changes", "check", params)
            changed = (found.get("Modified") or {}).get("CampaignsStat") or []
            borders = [date.fromisoformat(it["BorderDate"]) for it in changed]
            first = min([first, *borders])
            # The system's own clock decides since when to ask the next time.
            since = str(found.get("Timestamp") or stamp)
        return first, {_CHECKED_ON: f"{today:%Y-%m-%d}", _CHANGED_AT: since or stamp}

    def spent(self, days: Days) -> Spent:
        """One report; two of half the days where it is too heavy."""
        try:
            report = self._report(days, "CAMPAIGN_PERFORMANCE_REPORT", FIELDS)
        except TooHeavy:
            if days.count == 1:
                raise self._http.later(
                    "/reports",
                    f"502: the report of {days.first} alone is too heavy",
                    "Try again later, or ask Direct's support.",
                ) from None
            early, late = (self.spent(half) for half in days.halves())
            return Spent([*early.rows, *late.rows])
        rows = [self._mapped(it) for it in report]
        self.work.report.account("/reports", len(report), len(rows))
        return Spent(rows)

    def check(self) -> Iterator[Finding]:
        """The account, its currency, some days, the account's own total, the CRM's source."""
        keys, client = self.connection, self.client
        yield Finding("good", f"The token reads the advertiser {client.get('Login')}")
        has_vat = "with" if keys.include_vat else "without"
        yield Finding("good", f"Cost is {has_vat} VAT, in {self.currency}")
        if keys.currency and client.get("Currency") not in (None, keys.currency):
            yield Finding(
                "bad",
                f"The account is in {client['Currency']}, and currency is {keys.currency}",
                "Take currency out: the account's own is the default.",
            )
        yield from self.sample_findings()
        yield self._total()
        yield from self.source_findings()
        yield from self.skew_finding(self._http.skew)

    def totals(self, days: Days) -> Mapping[str, Decimal] | None:
        """The account's own sum for each day; None where that report is too heavy."""
        try:
            report = self._report(days, "ACCOUNT_PERFORMANCE_REPORT", _TOTAL)
        except TooHeavy:
            if days.count == 1:
                return None
            early, late = (self.totals(half) for half in days.halves())
            return None if early is None or late is None else {**early, **late}
        return {it["Date"]: amount_of(units_of(it["Cost"])) for it in report}

    def _total(self) -> Finding:
        """The campaigns' sum beside the account's."""
        last = self.work.clock.now().astimezone(ZONE).date() - timedelta(days=1)
        days = Days(last - timedelta(days=6), last)
        rows = self.spent(days).rows
        difference = self.difference(days, rows)
        if difference:
            return Finding("note", difference)
        return Finding("good", f"Campaigns and account agree on {days}: {sum_of(rows)}")

    @cached_property
    def currency(self) -> str:
        """The connection's, or the account's."""
        return self.connection.currency or str(self.client.get("Currency"))

    @cached_property
    def client(self) -> Mapping[str, Any]:
        """The advertiser whose campaigns these are."""
        params = {"FieldNames": ["Login", "Currency"]}
        clients = self._call("/clients", "get", params).get("Clients") or []
        wanted = (self.connection.client_login or "").lower()
        for it in clients:
            if not wanted or str(it.get("Login")).lower() == wanted:
                found: Mapping[str, Any] = it
                return found
        raise self._http.refused(
            "/clients",
            f"it lists no advertiser {wanted or 'at all'}",
            "Write the advertiser's login in client_login.",
        )

    @cached_property
    def _http(self) -> Http:
        keys = self.connection
        http = Http(
            keys.name,
            self.title,
            keys.base_url or BASE_URL,
            self.work.clock,
            self.work.mask,
            self.work.report,
            # Twenty in ten seconds.
            Pace(2, self.work.clock, burst=10),
            self._judge,
        )
        http.headers |= {
            "Authorization": f"Bearer {self.secret('token')}",
            "Accept-Language": "en",
            "processingMode": "auto",
            "skipReportHeader": "true",
        }
        if keys.client_login:
            http.headers["Client-Login"] = keys.client_login
        return http

    def _call(self, path: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._http.request("POST", path, json_body={"method": method, "params": params})
        found: Mapping[str, Any] | None = answer.data.get("result") if answer.data else None
        if not isinstance(found, dict):
            raise self._http.later(
                path, "the answer has no result", "Try again later; Direct may have changed."
            )
        return found

    def _report(self, days: Days, kind: str, fields: Sequence[str]) -> list[dict[str, str]]:
        """The rows of a report, which the last line has counted."""
        params: dict[str, Any] = {
            "SelectionCriteria": {"DateFrom": str(days.first), "DateTo": str(days.last)},
            "FieldNames": list(fields),
            "ReportType": kind,
            "DateRangeType": "CUSTOM_DATE",
            "Format": "TSV",
            "IncludeVAT": "YES" if self.connection.include_vat else "NO",
        }
        if "Date" in fields:
            params["OrderBy"] = [{"Field": it} for it in ("Date", "CampaignId") if it in fields]
        # A name that was used before gives the old figures for five hours.
        digest = hashlib.sha256(json.dumps(params).encode()).hexdigest()[:8]
        run = f"{self.work.started_at:%Y%m%dT%H%M%S%f}"
        name = f"voronka {self.connection.name} {days.first} {days.last} {run} {digest}"
        answer = self._http.request(
            "POST",
            "/reports",
            json_body={"params": {**params, "ReportName": name}},
            judge=lambda it: self._judge_report(it, fields),
            is_text=True,
        )
        rows = parsed(answer.text, fields)
        if any("." in row["Cost"] for row in rows):
            raise self._http.refused(
                "/reports",
                "costs have a point, so they are not in millionths",
                "Something between here and Direct sends returnMoneyInMicros: false; take it out.",
            )
        return rows

    def _mapped(self, row: Mapping[str, str]) -> Row:
        values = {name: None if it == _NULL else it for name, it in row.items()}
        return self.row(
            values["Date"],
            values["CampaignId"],
            values["CampaignName"],
            units_of(values["Cost"], is_exact=True),
            self.currency,
            values["Impressions"],
            values["Clicks"],
        )

    def _judge_report(self, answer: Answer, fields: Sequence[str]) -> Again | None:
        if answer.status in (201, 202):
            named = answer.headers.get("retryin", "")
            after = float(named) if named.isdigit() else _QUEUED
            return Again("report", after=after, at_most=1_000, budget=MAX_WAIT)
        if answer.status == 502:
            raise TooHeavy
        if answer.status != 200 or error_of(answer):
            return None
        try:
            parsed(answer.text, fields)
        except ValueError:
            return Again("unreadable")
        return None

    def _judge(self, answer: Answer) -> Again | None:
        error = error_of(answer)
        if not error:
            return Again("5xx") if answer.status >= 500 else None
        code, words = _code(error), _words(error)
        if code in _BUSY:
            return Again("busy", after=_FULL, at_most=1_000, budget=MAX_WAIT)
        if code in _RETRIED or answer.status >= 500:
            return Again("5xx")
        raise refuse(self._remedy(code), words)

    def _remedy(self, code: int) -> str:
        keys = self.connection
        if code == _TOKEN:
            return f"The token has expired or is wrong: get a new one and set it as {keys.token}."
        if code == _NO_RIGHT:
            return (
                "The token's owner may not read this advertiser: write his login in client_login, "
                "or take the token of somebody who may."
            )
        if code == _NO_ACCESS:
            return (
                "The application is not approved: ask for access in Direct, Tools, API, "
                "My requests, and wait for the answer."
            )
        return "Check the keys of the connection; Direct's support asks for the request_id."


class TooHeavy(Exception):
    """A report that the server gave up on."""


def parsed(text: str, fields: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a report in TSV. Raises ValueError where it is cut off or is none.

    The last line counts the rows, in whatever words. A name may hold tabs, so it comes last.
    """
    lines = text.removesuffix("\n").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    if lines[0] != "\t".join(fields) or len(lines) < 2:
        raise ValueError("it does not begin with the names of the fields")
    numbers = re.findall(r"\d+", lines[-1])
    if "\t" in lines[-1] or len(numbers) != 1 or not re.search(r"\D", lines[-1]):
        raise ValueError("its last line does not count the rows")
    rows = [line.split("\t", len(fields) - 1) for line in lines[1:-1]]
    if len(rows) != int(numbers[0]) or any(len(row) != len(fields) for row in rows):
        raise ValueError(f"it has {len(rows)} rows, and says {numbers[0]}")
    return [dict(zip(fields, row, strict=True)) for row in rows]


def error_of(answer: Answer) -> Mapping[str, Any] | None:
    """Direct's own error, whatever the status."""
    if not answer.text.lstrip().startswith("{") or not answer.is_json:
        return None
    error = answer.data.get("error")
    return error if isinstance(error, dict) else None


def _code(error: Mapping[str, Any]) -> int:
    code = str(error.get("error_code", ""))
    return int(code) if code.isdigit() else 0


def _words(error: Mapping[str, Any]) -> str:
    said = [str(error[it]) for it in ("error_string", "error_detail") if error.get(it)]
    return (
        f"{': '.join(said)} (code {error.get('error_code')}, request_id {error.get('request_id')})"
    )


CONNECTORS = (YandexDirect,)
