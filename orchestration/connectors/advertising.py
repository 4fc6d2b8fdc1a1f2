"""What advertising systems have in common: days, slices, and days that were corrected (8, 9).

A system corrects days of the past, and a day that is corrected to nothing vanishes from its
answers. So each run reads the last weeks again, and what it wrote of them and does not get any
more is deleted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from functools import cached_property
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from orchestration.base import durations
from orchestration.base.findings import Finding
from orchestration.connectors.connections import HttpConnection
from orchestration.connectors.connector import Connector, Row, Window
from orchestration.connectors.telephony import seconds_of

TABLE = "marketing.ad_spend"
CURSOR = "cursor:ad_spend"
# Which account a campaign is of: days of an account that cannot be read are not deleted.
CAMPAIGNS = "campaigns"
DAY = timedelta(days=1)
MICROS = Decimal(1_000_000)
_PLACES = Decimal("0.0001")
_ROUNDING = Decimal("0.01")
_SHOWN = 10
_SKEW = 300


class AdsConnection(HttpConnection):
    """Keys of all advertising systems."""

    default_prefix: ClassVar[str | None] = ""

    source_id: str = Field(
        min_length=1,
        description="the CRM's source that this advertising brings",
        examples=["src-ads"],
    )
    campaign_sources: dict[str, str] = Field(
        default={},
        description="id of a campaign: another source",
        examples=[{"10002": "src-brand"}],
    )
    start_date: date = Field(description="the oldest day to read", examples=["2024-01-01"])
    reread: int = Field(
        default=30 * durations.DAY,
        description="days that are read again each time",
        examples=["30d"],
    )
    slice: int = Field(
        default=30 * durations.DAY, description="days that one request asks for", examples=["30d"]
    )
    include_today: bool = Field(
        default=False, description="true: the day that is not over, too; it changes until it is"
    )
    max_slices_per_run: int | None = Field(
        default=None, gt=0, description="ends a long first load early; the next goes on"
    )

    @field_validator("reread", "slice", mode="before")
    @classmethod
    def _days(cls, value: Any) -> int:
        found = seconds_of(value)
        if found < durations.DAY or found % durations.DAY:
            raise ValueError(f"{value} is no number of days; write 30d")
        return found

    @field_validator("source_id", mode="before")
    @classmethod
    def _source_is_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    @field_validator("campaign_sources", mode="before")
    @classmethod
    def _sources_are_text(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {str(key): str(it) for key, it in value.items()}


A = TypeVar("A", bound=AdsConnection)


@dataclass(frozen=True)
class Days:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def count(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1

    def halves(self) -> tuple[Days, Days]:
        """The earlier and the later half."""
        middle = self.first + timedelta(days=(self.count - 1) // 2)
        return Days(self.first, middle), Days(middle + DAY, self.last)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass
class Spent:
    """What one slice gave: rows, the account of each campaign, and accounts that gave nothing."""

    rows: list[Row] = field(default_factory=list)
    campaigns: dict[str, str] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)


class Advertising(Connector[A]):
    """Reads what advertising cost, day by day and campaign by campaign."""

    source: ClassVar[str] = "marketing"
    tables: ClassVar[Sequence[str]] = (TABLE,)

    @abstractmethod
    def spent(self, days: Days) -> Spent:
        """All rows of these days. Raises where they cannot be read whole."""

    @abstractmethod
    def zone(self) -> ZoneInfo:
        """Whose calendar days they are."""

    def earliest(self) -> date:
        """The oldest day that the system still tells."""
        return date.min

    def corrected(self, first: date) -> tuple[date, dict[str, Any]]:
        """The first day to read where the system says that older ones changed, and the state."""
        return first, {}

    def totals(self, days: Days) -> Mapping[str, Decimal] | None:
        """What the account says each day has cost; None where the system states no total."""
        return None

    def read(self) -> Iterator[Window]:
        """Slice after slice, the oldest first; then our sums beside the account's."""
        days, state = self._asked()
        slices = list(self._slices(days)) if days else []
        limit = self.connection.max_slices_per_run
        rows: list[Row] = []
        for number, part in enumerate(slices[:limit], 1):
            is_last = number == len(slices)
            spent = self.spent(part)
            rows += spent.rows
            moved = {**(state if is_last else {}), CURSOR: self._reached(part)}
            moved[CAMPAIGNS] = {**(self.work.state.get(CAMPAIGNS) or {}), **spent.campaigns}
            yield Window(
                str(part),
                {TABLE: [*spent.rows, *self._vanished(part, spent)]},
                {} if self.work.slice.is_named else moved,
                number / len(slices),
                # A day is not written before it begins, wherever it begins first.
                datetime.combine(part.first, time(), UTC) - DAY,
            )
        if slices[:limit]:
            difference = self.difference(Days(slices[0].first, slices[:limit][-1].last), rows)
            if difference:
                self.work.report.warn(difference)
        if limit is not None and limit < len(slices):
            self.work.report.warn(
                f"{len(slices) - limit} of {len(slices)} slices are left for the next run "
                "(max_slices_per_run)."
            )

    def difference(self, days: Days, rows: Sequence[Row]) -> str | None:
        """Where our sums are not the account's; None where they agree or there is no total.

        Both are rounded, so a day may differ by a hundredth for each of its rows.
        """
        totals = self.totals(days)
        if totals is None:
            return None
        ours: dict[str, list[Row]] = {}
        for row in rows:
            ours.setdefault(str(row["spend_date"]), []).append(row)
        report, odd = self.work.report, []
        for day in sorted({*ours, *totals}):
            own, total = sum_of(ours.get(day, [])), totals.get(day, Decimal(0))
            if abs(total - own) > _ROUNDING * len(ours.get(day, [])):
                odd.append(f"{day}: {own} and {total}")
        own, total = sum_of(rows), sum(totals.values(), Decimal(0))
        report.totals[TABLE] = {"ours": str(own), "the account's": str(total)}
        if not odd:
            return None
        more = f" and {len(odd) - _SHOWN} more days" if len(odd) > _SHOWN else ""
        return (
            f"Campaigns cost {own} on {days}, and the account says {total}; ours and the account's "
            f"differ on {'; '.join(odd[:_SHOWN])}{more}. {self.title} may still be counting: if "
            "the next run says it again, compare with the system's own report."
        )

    def row(
        self, day: str | None, campaign: str | None, name: str | None, cost: str | None,
        currency: str | None, impressions: str | None, clicks: str | None,
    ) -> Row:  # fmt: skip
        """One row of the contract."""
        keys = self.connection
        return {
            "spend_date": day,
            "source_id": keys.campaign_sources.get(campaign or "", keys.source_id),
            "campaign": campaign,
            "cost": cost,
            "currency": currency,
            "impressions": impressions,
            "clicks": clicks,
            "campaign_name": name,
        }

    def _today(self) -> date:
        return self.work.clock.now().astimezone(self.zone()).date()

    def _asked(self) -> tuple[Days | None, dict[str, Any]]:
        """The days to read, and what is true once they are."""
        zone, asked = self.zone(), self.work.slice
        last = self._today() - (timedelta() if self.connection.include_today else DAY)
        first = self._start()
        state: dict[str, Any] = {}
        if asked.is_named:
            if asked.start:
                first = asked.start.astimezone(zone).date()
            if asked.end:
                last = min(last, (asked.end - timedelta(microseconds=1)).astimezone(zone).date())
        elif CURSOR in self.work.state:
            reached = min(date.fromisoformat(self.work.state[CURSOR]), last + DAY)
            first = max(first, reached - timedelta(seconds=self.connection.reread))
            first, state = self.corrected(first)
            first = max(first, self._start())
        return (Days(first, last) if first <= last else None), state

    def _start(self) -> date:
        wanted, earliest = self.connection.start_date, self.earliest()
        if wanted < earliest:
            self.work.report.warn(
                f"{self.title} tells nothing before {earliest}: start_date {wanted} is too early."
            )
        return max(wanted, earliest)

    def _slices(self, days: Days) -> Iterator[Days]:
        step = timedelta(seconds=self.connection.slice)
        first = days.first
        while first <= days.last:
            yield Days(first, min(days.last, first + step - DAY))
            first += step

    def _reached(self, part: Days) -> str:
        before = self.work.state.get(CURSOR)
        return max(str(before or ""), (part.last + DAY).isoformat())

    def _vanished(self, part: Days, spent: Spent) -> list[Row]:
        """What we wrote of these days and the system does not return any more."""
        keys = self.work.own.keys(TABLE)
        there = {tuple(row[key] for key in keys) for row in spent.rows}
        of_account = self.work.state.get(CAMPAIGNS) or {}
        known = self.work.own.select(
            TABLE,
            keys,
            "is_deleted is distinct from 'true' "
            f"and spend_date between '{part.first}' and '{part.last}'",
        )
        return [
            {**dict(zip(keys, key, strict=True)), "is_deleted": "true"}
            for key in known
            if key not in there and of_account.get(key[2]) not in spent.unreadable
        ]

    @cached_property
    def sources(self) -> set[str] | None:
        """Sources that some CRM has in the raw zone; None where there is none yet."""
        relation = self.work.own.everyone("crm.sources")
        if relation is None:
            return None
        rows = self.work.own.session.execute(f"select source_id from {relation}").fetchall()
        return {str(row[0]) for row in rows}

    def source_findings(self) -> Iterator[Finding]:
        """Whether the CRM knows the sources that the spending goes to."""
        named = sorted({self.connection.source_id, *self.connection.campaign_sources.values()})
        if self.sources is None:
            yield Finding(
                "note",
                f"Whether the CRM has {', '.join(named)} is not known: crm.sources is empty",
                "Run the CRM's connection first, then this check again.",
            )
            return
        missing = [it for it in named if it not in self.sources]
        for it in missing:
            yield Finding(
                "bad",
                f"The CRM has no source {it}: CAC and ROMI would not find this spending",
                "Write the id of one of its sources in source_id or campaign_sources.",
                sorted(self.sources)[:_SHOWN],
            )
        if not missing:
            yield Finding("good", f"The CRM has the source {', '.join(named)}")

    def sample_findings(self) -> Iterator[Finding]:
        """Some days, read and mapped, and what a first load will cost."""
        last = self._today() - DAY
        days = Days(max(last - timedelta(days=6), self.earliest()), last)
        spent = self.spent(days)
        yield Finding(
            "good" if spent.rows else "note",
            f"{len(spent.rows)} rows of {days}" + ("" if spent.rows else ": nothing was spent"),
            details=[_shown(row) for row in spent.rows[:_SHOWN]],
        )
        wanted = Days(min(self._start(), last), last)
        yield Finding(
            "good",
            f"A first load reads {wanted.count} days in {len(list(self._slices(wanted)))} requests",
        )

    def skew_finding(self, skew: float | None) -> Iterator[Finding]:
        """A note where this machine's clock is wrong."""
        if self.work.clock.fixed is None and skew is not None and abs(skew) > _SKEW:
            yield Finding(
                "note", f"This machine's clock differs by {abs(skew):.0f} s", "Set it right."
            )


def units_of(micros: str | None, is_exact: bool = False) -> str | None:
    """Millionths as an amount: exactly, or with four places. What is no number stays as it is."""
    try:
        value = Decimal(micros or "")
    except InvalidOperation:
        return micros
    with localcontext(prec=50):
        amount = value / MICROS
        rounded = amount.quantize(_PLACES, rounding=ROUND_HALF_UP)
    return f"{amount:f}" if is_exact and amount != rounded else f"{rounded:f}"


def sum_of(rows: Iterable[Row]) -> Decimal:
    """What rows cost together; a cost that is no number is the contract's to judge."""
    return sum((amount_of(row["cost"]) for row in rows), Decimal(0))


def amount_of(written: str | None) -> Decimal:
    """An amount as a number; zero where it is none."""
    try:
        found = Decimal(written or 0)
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)


def _shown(row: Row) -> str:
    return (
        f"{row['spend_date']} {row['source_id']}, {row['campaign']} {row['campaign_name'] or ''}: "
        f"{row['cost']} {row['currency']}, {row['impressions']} shown, {row['clicks']} clicks"
    )
