"""What hosted exchanges share: slices of time, employees, machines that answer, and checks."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, field_validator

from orchestration.base.durations import DAY
from orchestration.base.findings import Finding
from orchestration.connectors.connections import HttpConnection
from orchestration.connectors.connector import ALWAYS, Connector, Row, Window
from orchestration.connectors.http import Http
from orchestration.connectors.telephony import (
    SINCE_EVER,
    TelephonyConnection,
    directory_rows,
    held,
    local_instant,
    plus,
    seconds_of,
    texts,
)

CALLS = "telephony.calls"
EXTENSIONS = "telephony.extensions"
CURSOR = "cursor:calls"
ANSWERED, NO_ANSWER, BUSY, FAILED = "answered", "no_answer", "busy", "failed"
VOICEMAIL = "voicemail"
# Rows of a slice were written after it began; the exchange's clock and ours may differ by less.
_MARGIN = timedelta(days=2)
_SKEW = 300
_SHOWN = 10
_GONE = ("true", "t", "yes", "y", "1")


class HostedConnection(TelephonyConnection, HttpConnection):
    """Keys of all hosted exchanges."""

    managers: dict[str, str] = Field(
        default={},
        description="an employee of the exchange: id of the manager in the CRM",
        examples=[{"101": "7001", "102": "7002"}],
        json_schema_extra={"shown": True},
    )
    match: Literal["email", "none"] = Field(
        default="none", description="email: the others by the e-mail of the CRM's managers"
    )
    directory: bool = Field(
        default=True, description="false: who sits where comes from a file of your own"
    )
    start_date: date = Field(description="the oldest day to read", examples=["2024-01-01"])
    reread: int = Field(
        default=3 * DAY,
        description="read again before the end of the last load",
        examples=["3d"],
    )
    slice: int = Field(default=DAY, gt=0, description="what one question asks for", examples=["1d"])
    settle: int = Field(default=60, description="the newest time is left alone", examples=["1m"])
    max_slices_per_run: int | None = Field(
        default=None, gt=0, description="a long first load in parts", examples=[100]
    )
    max_wait: int = Field(
        default=1_800, description="for one answer; then try again later", examples=["30m"]
    )

    @field_validator("slice", "settle", "max_wait", mode="before")
    @classmethod
    def _lengths(cls, value: Any) -> int:
        return seconds_of(value)

    @field_validator("managers", mode="before")
    @classmethod
    def _ids_are_text(cls, value: Any) -> Any:
        return texts(value)


H = TypeVar("H", bound=HostedConnection)


@dataclass(frozen=True)
class Employee:
    """Somebody of the exchange. `key` is what his calls carry, `also` what people call him by."""

    key: str
    name: str = ""
    email: str = ""
    also: Sequence[str] = ()

    def __str__(self) -> str:
        return " ".join(it for it in (self.key, self.name, self.email) if it)


@dataclass
class People:
    """Who of the exchange is which manager of the CRM."""

    managers: dict[str, str] = field(default_factory=dict)
    unmatched: list[Employee] = field(default_factory=list)


class Hosted(Connector[H]):
    """Calls of one hosted exchange, slice by slice."""

    source: ClassVar[str] = "telephony"
    tables: ClassVar[Sequence[str]] = (CALLS, EXTENSIONS)
    requests_per_slice: ClassVar[int]
    seconds_per_request: ClassVar[float] = 1.0

    @property
    @abstractmethod
    def has_ids(self) -> bool:
        """Whether calls carry the employee's own id, which never changes hands."""

    @property
    @abstractmethod
    def http(self) -> Http:
        """The exchange's API."""

    @abstractmethod
    def begin(self) -> Iterator[Finding]:
        """Log in, and learn what the mapping needs; what a check says of it."""

    @abstractmethod
    def employees(self) -> list[Employee]:
        """The exchange's directory."""

    @abstractmethod
    def calls(self, start: datetime, end: datetime) -> list[Row]:
        """Rows of the conversations that began in a half-open range."""

    @classmethod
    def key_spaces(cls, connection: Any) -> Iterator[tuple[str, str, str]]:
        """Calls by the prefix, extensions by theirs."""
        yield CALLS, connection.prefix, "prefix"
        yield EXTENSIONS, connection.extension_prefix, "extension_prefix"

    @property
    def zone(self) -> tzinfo:
        """The zone in which days begin."""
        return self.connection.zone

    def after(self, start: datetime) -> datetime:
        """The latest end of the slice that begins at an instant."""
        return start + timedelta(seconds=self.connection.slice)

    def read(self) -> Iterator[Window]:
        """Who sits where, then calls slice by slice; those of the last days again."""
        for finding in self.begin():
            if finding.grade != "good":
                self.work.report.warn(finding.text)
        yield Window("extensions", {EXTENSIONS: self._held()}, known_since=ALWAYS)
        cursor = self._cursor
        begin, end = self._range()
        start, count, limit = begin, 0, self.connection.max_slices_per_run
        while start < end:
            if limit is not None and count >= limit:
                self.work.report.warn(
                    f"max_slices_per_run: stopped at {start:%Y-%m-%d %H:%M}; the next run goes on."
                )
                return
            until = min(self.after(start), end)
            rows = self._counted(self.calls(start, until))
            is_named = self.work.slice.is_named
            is_known = is_named or (cursor is not None and start < cursor)
            moved = {} if is_named else {CURSOR: max(cursor or until, until).isoformat()}
            yield Window(
                f"calls to {until.astimezone(self.zone):%Y-%m-%d %H:%M}",
                {CALLS: rows},
                moved,
                (until - begin) / (end - begin),
                start - _MARGIN if is_known else None,
            )
            start, count = until, count + 1

    def check(self) -> Iterator[Finding]:
        """The login, the zone, the clock, the employees, and what the latest slice becomes."""
        yield from self.begin()
        skew = self.http.skew
        if self.work.clock.fixed is None and skew is not None and abs(skew) > _SKEW:
            yield Finding("note", f"This machine's clock differs by {abs(skew):.0f} s", "Set it.")
        yield from self._people_findings()
        end = self._now()
        rows = self.calls(end - timedelta(seconds=self.connection.slice), end)
        if not rows:
            yield Finding("note", "There are no calls in the latest slice to look at")
        else:
            ways = Counter(str(row["direction"]) for row in rows)
            ends = Counter(str(row["disposition"]) for row in rows)
            yield Finding(
                "good",
                f"{len(rows)} rows of calls: {_listed(ways)}; {_listed(ends)}",
                details=[shown(row) for row in rows[:_SHOWN]],
            )
        self._counted(rows)
        for what, number in sorted(self.work.report.counted.items()):
            yield Finding("note", f"{number} {what}")
        for warning in self.work.report.warnings:
            yield Finding("note", warning)
        yield self._estimate(end)

    def key(self, system_id: Any) -> str | None:
        """A key of ours for an id of the system; None, which the contract judges, without one."""
        return None if system_id in (None, "") else f"{self.connection.prefix}:{system_id}"

    def extension(self, key: Any) -> str | None:
        """An employee as the rows write him; None where there is none."""
        return None if key in (None, "") else f"{self.connection.extension_prefix}{key}"

    def without_employee(self, is_picked_up: bool, has_employee: bool, has_message: bool) -> str:
        """How a leg without an employee ended: a machine that picked up has answered nobody."""
        if has_message and not has_employee:
            return VOICEMAIL
        if is_picked_up and (has_employee or self.connection.ivr_answers):
            return ANSWERED
        return NO_ANSWER

    def talk(self, row: Row, seconds: Any) -> str:
        """Seconds of talk of a row whose employee and disposition are set."""
        with_person = row["extension"] is not None or self.connection.ivr_answers
        return whole_seconds(seconds) if row["disposition"] == ANSWERED and with_person else "0"

    @cached_property
    def people(self) -> People:
        """The employees and their managers: as the keys say, then by e-mail."""
        keys, found = self.connection, People()
        listed = self.employees()
        names = {also: it.key for it in listed for also in it.also if also}
        names |= {it.key: it.key for it in listed}
        for written, manager in keys.managers.items():
            found.managers[names.get(written, written)] = manager
        by_email = self._emails() if keys.match == "email" else {}
        for employee in listed:
            if employee.key in found.managers:
                continue
            managers = by_email.get(employee.email.strip().lower(), set())
            if len(managers) == 1:
                found.managers[employee.key] = next(iter(managers))
            else:
                found.unmatched.append(employee)
        return found

    def _emails(self) -> Mapping[str, set[str]]:
        rows = self.work.own.of_all("crm.managers", ["manager_id", "email", "is_deleted"])
        if not rows:
            self.work.report.warn(
                "match: email finds nobody: the raw zone has no crm.managers yet. Run the CRM's "
                "connection first."
            )
        living: dict[str, set[str]] = {}
        dismissed: dict[str, set[str]] = {}
        for manager, email, is_deleted in rows:
            if manager and email:
                of = dismissed if str(is_deleted).lower() in _GONE else living
                of.setdefault(email.strip().lower(), set()).add(manager)
        # Who was dismissed had calls too; his address may be his successor's now.
        return dismissed | living

    def _held(self) -> list[Row]:
        people, keys = self.people, self.connection
        for employee in people.unmatched:
            self.work.report.warn(
                f"{employee} is no manager of the CRM: write him under managers:, with the "
                "manager's id."
            )
        if not keys.directory:
            return []
        if not self.has_ids:
            rows = directory_rows(
                self.work.own, people.managers, keys.extension_prefix, self.work.started_at
            )
            changed = sum(row["valid_from"] != SINCE_EVER for row in rows)
            if changed:
                self.work.report.warn(
                    f"{changed} extensions changed hands; the time is when we noticed, not when "
                    "it happened."
                )
            return rows
        return [
            held(keys.extension_prefix + key, SINCE_EVER, manager, None)
            for key, manager in people.managers.items()
        ]

    def _counted(self, rows: Sequence[Row]) -> list[Row]:
        known = {self.extension(it) for it in self.people.managers}
        for row in rows:
            if row["extension"] is not None and row["extension"] not in known:
                self.work.report.counted[f"legs of {row['extension']}, which nobody holds"] += 1
        return list(rows)

    def _people_findings(self) -> Iterator[Finding]:
        people, remedy = self.people, "Write them under managers: with the manager's id"
        if people.managers:
            yield Finding("good", f"{len(people.managers)} employees have a manager of the CRM")
        if people.unmatched:
            is_by_email = self.connection.match == "email"
            yield Finding(
                "note",
                f"{len(people.unmatched)} employees are no manager of the CRM: their calls belong "
                "to nobody",
                f"{remedy}." if is_by_email else f"{remedy}, or set match: email.",
                [str(it) for it in people.unmatched],
            )

    def _estimate(self, end: datetime) -> Finding:
        slices = max(1, -(-(end - self._first) // timedelta(seconds=self.connection.slice)))
        asked = slices * self.requests_per_slice
        minutes = asked * self.seconds_per_request / 60
        return Finding(
            "good",
            f"The first load asks about {asked} times and takes about {max(1, round(minutes))} min",
        )

    @property
    def _cursor(self) -> datetime | None:
        stored = self.work.state.get(CURSOR)
        return datetime.fromisoformat(stored) if stored else None

    @property
    def _first(self) -> datetime:
        day = datetime.combine(self.connection.start_date, datetime.min.time(), self.zone)
        return day.astimezone(UTC)

    def _now(self) -> datetime:
        now = self.work.clock.now().astimezone(UTC).replace(microsecond=0)
        return now - timedelta(seconds=self.connection.settle)

    def _range(self) -> tuple[datetime, datetime]:
        asked, end, cursor = self.work.slice, self._now(), self._cursor
        if asked.is_named:
            begin = asked.start.astimezone(UTC) if asked.start else self._first
            return begin, min(end, asked.end.astimezone(UTC)) if asked.end else end
        if cursor is None:
            return self._first, end
        return max(self._first, cursor - timedelta(seconds=self.connection.reread)), end


def unix_text(seconds: Any) -> str | None:
    """A Unix second as ISO 8601; None for nothing and 0, anything else as it came."""
    if seconds in (None, "", 0, "0"):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC).isoformat()
    except (ValueError, OverflowError, OSError, TypeError):
        return str(seconds)


def local_text(written: Any, zone: tzinfo, later: Any = 0) -> str | None:
    """A local time, so many true seconds later, with its offset; what is no time as it came."""
    if written in (None, ""):
        return None
    try:
        moment = local_instant(datetime.fromisoformat(str(written)), zone)
        return plus(moment, int(later or 0)).isoformat()
    except (ValueError, TypeError):
        return str(written)


def text(value: Any) -> str | None:
    """A value as text; None where it is empty."""
    return None if value in (None, "") else str(value)


def whole_seconds(value: Any) -> str:
    """A length as text, parts of a second cut; what is no number as it came."""
    written = str(value if value not in (None, "") else 0)
    whole, _, _ = written.partition(".")
    return whole if whole.isdigit() else written


def is_outside(number: Any) -> bool:
    """Whether a number is a telephone's of the outside world: 7 digits or more."""
    digits = str(number or "").strip().removeprefix("+")
    return digits.isdigit() and len(digits) >= 7


def shown(row: Row) -> str:
    """A row of a call in one line, for people."""
    return (
        f"{row['started_at']} {row['direction']} {row['from_number']} → {row['to_number']}, "
        f"{row['extension'] or 'no extension'}: {row['disposition']}, {row['talk_seconds']} s"
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
