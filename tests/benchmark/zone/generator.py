"""Two years of an invented company, written as an exporter writes: DuckDB computes and writes it.

The history is a file a month and table; each of the ten days after it brings its own files: new
rows, late ones, new versions of old ones, deletions. Nothing is random and nothing reads the
clock, so the same arguments give the same rows in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb

SCALES = {"s": 200_000, "m": 2_000_000, "l": 10_000_000}
DAYS = 730
FIRST_DAY = date(2024, 10, 2)
END = FIRST_DAY + timedelta(days=DAYS)
# Days that can follow the history.
NEXT_DAYS = 10
MOSCOW = timedelta(hours=3)
MEMORY_LIMIT = "3GB"

_SQL = Path(__file__).with_name("sql")
_LEGS_A_SESSION = 1.426
_CONTACTS_A_CALL = 0.04
# A seat has an extension; a sixth of them changes hands once.
_SEATS = 52
# From the first day, a Wednesday: 1 is an even share of the week.
_WEEKDAYS = (1.2, 1.2, 1.0, 0.7, 0.5, 1.2, 1.2)
_HOURS = (
    *(0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.4, 1, 3, 8, 10, 11),
    *(9, 7.5, 9, 10.5, 10, 9, 7, 4, 2.5, 1.5, 0.8, 0.4),
)
_POINTS = 700
# Of a day's rows 3 % are late ones of the last 45 days, 1 % calls that come again.
_LATE_SHARE = 0.03 / 45
_CHANGE_SHARE = 0.01 / 60

# Files of these tables come monthly; the keys give their rows an order.
_KEYS = {
    "crm.activities": "activity_id",
    "crm.contact_phones": "contact_id, phone",
    "crm.contacts": "contact_id",
    "crm.deal_stage_history": "event_id",
    "crm.deals": "deal_id",
    "crm.leads": "lead_id",
    "crm.managers": "manager_id",
    "crm.meetings": "meeting_id",
    "crm.payments": "payment_id",
    "crm.pipelines": "pipeline_id",
    "crm.quotas": "period_start, manager_id, metric",
    "crm.sources": "source_id",
    "crm.stages": "stage_id",
    "crm.surveys": "survey_id",
    "finance.exchange_rates": "rate_date, currency",
    "finance.sales_costs": "month, team",
    "marketing.ad_spend": "spend_date, source_id, campaign",
    "telephony.extensions": "extension, valid_from",
}
_CALLS = "telephony.calls"
_EVALUATIONS = "telephony.call_evaluations"


@dataclass(frozen=True)
class Load:
    """One export: what happened before `until` and was not exported earlier."""

    number: int
    since: datetime
    until: datetime

    @property
    def loaded_at(self) -> datetime:
        """When the exporter ran: three hours after the day ended."""
        return self.until + timedelta(hours=3)

    @property
    def file(self) -> str:
        """The name of its files, in local time."""
        return f"{self.loaded_at + MOSCOW:%Y-%m-%dT%H%M}.parquet"


def _midnight(day: date) -> datetime:
    """The instant at which a local day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - MOSCOW


def _loads() -> list[Load]:
    """All exports: the history's months, then the days after it."""
    edges = [FIRST_DAY]
    while edges[-1] < END:
        year, month = edges[-1].year, edges[-1].month
        following = date(year + month // 12, month % 12 + 1, 1)
        edges.append(min(following, END))
    edges += [END + timedelta(days=number) for number in range(1, NEXT_DAYS + 1)]
    return [
        Load(number, _midnight(since), _midnight(until))
        for number, (since, until) in enumerate(pairwise(edges))
    ]


LOADS = _loads()
LAST_MONTH = len(LOADS) - NEXT_DAYS - 1


class Company:
    """The company with `calls` call legs in its history."""

    def __init__(self, calls: int) -> None:
        """Simulates it; what is small is held in memory, calls are made as they are written."""
        self.connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT})
        weeks = _week_of(_midnight(END))
        self.sessions_a_week = calls / _LEGS_A_SESSION / weeks
        self.connection.execute("set TimeZone = 'UTC'")
        for name, value in {
            "instants": _instants(),
            "points": _POINTS,
            "start_us": int(LOADS[0].since.timestamp() * 1e6),
            "first_day": FIRST_DAY,
            "first_month": datetime(FIRST_DAY.year, FIRST_DAY.month, 1),
            "end_at": _midnight(END),
            "weeks": _week_of(LOADS[-1].until),
            "last_month": LAST_MONTH,
            "loads": len(LOADS),
            "until_at": [load.until for load in LOADS],
            "loaded_at": [load.loaded_at for load in LOADS],
            "sessions_a_week": self.sessions_a_week,
            "contacts_a_week": calls * _CONTACTS_A_CALL / weeks,
            "strangers": self.sessions_a_week * 5,
            "seats": max(12, round(_SEATS * (calls / SCALES["s"]) ** 0.5)),
            "late_share": _LATE_SHARE,
            "change_share": _CHANGE_SHARE,
        }.items():
            self.connection.execute(f"set variable {name} = {_sql(value)}")
        for script in ("macros.sql", "sales", "exports", "members.sql"):
            self._run(script)

    def write_history(self, folder: Path) -> dict[str, int]:
        """Write the raw zone before the first day; rows by table."""
        return self._write(LOADS[: LAST_MONTH + 1], folder)

    def write_day(self, folder: Path, day: int) -> dict[str, int]:
        """Write what the export after the `day`-th day (from 1) brings; rows by table."""
        return self._write([LOADS[LAST_MONTH + day]], folder)

    def close(self) -> None:
        """Forget the company."""
        self.connection.close()

    def _write(self, loads: list[Load], folder: Path) -> dict[str, int]:
        rows: dict[str, int] = {}
        for load in loads:
            for table, query in self._queries(load):
                written = self._copy(query, folder / table.replace(".", "/") / load.file)
                rows[table] = rows.get(table, 0) + written
        return rows

    def _queries(self, load: Load) -> Iterator[tuple[str, str]]:
        loaded_at = _sql(load.loaded_at)
        for table, keys in _KEYS.items():
            yield (
                table,
                f"select * exclude (load_no), {loaded_at} as _loaded_at "
                f"from export_{table.partition('.')[2]} where load_no = {load.number} "
                f"order by {keys}",
            )
        is_day = load.number > LAST_MONTH
        since = load.since - timedelta(days=61 if is_day else 31)
        for name, value in {
            "load_no": load.number,
            "first_session": max(0, int(_week_of(since) * self.sessions_a_week) - 1),
            "last_session": int(_week_of(load.until) * self.sessions_a_week) + 1,
        }.items():
            self.connection.execute(f"set variable {name} = {value}::bigint")
        self._run("calls")
        yield _CALLS, "select * exclude (is_evaluated, session) from legs"
        yield _EVALUATIONS, "select * from evaluations"

    def _run(self, script: str) -> None:
        """Run a file of SQL, or those of a folder in the order of their names."""
        for file in sql_files(_SQL / script):
            self.connection.execute(file.read_text(encoding="utf-8"))

    def _copy(self, query: str, file: Path) -> int:
        """Write a query's rows to a file, if there are any."""
        file.parent.mkdir(parents=True, exist_ok=True)
        found = self.connection.execute(
            f"copy ({query}) to '{file}' (format parquet, compression zstd)"
        ).fetchone()
        rows = int(found[0]) if found else 0
        if not rows:
            file.unlink()
        return rows


def sql_files(script: Path) -> list[Path]:
    """The files of a script, in order: itself, or what its folder holds."""
    return sorted(script.glob("*.sql")) if script.is_dir() else [script]


def _week_of(instant: datetime) -> float:
    """An instant as the macros' week; the inverse of `moment` at midnights."""
    days = (instant - LOADS[0].since).total_seconds() / 86400
    whole, rest = divmod(days, 7)
    day, part = divmod(rest, 1)
    return whole + (sum(_WEEKDAYS[: int(day)]) + part * _WEEKDAYS[int(day)]) / 7


def _instants() -> list[int]:
    """Microseconds from a week's start to the points that share its events evenly."""
    weights = [day * hour for day in _WEEKDAYS for hour in _HOURS]
    total, passed, hour = sum(weights), 0.0, 0
    points = []
    for point in range(_POINTS):
        due = total * point / _POINTS
        while passed + weights[hour] <= due:
            passed += weights[hour]
            hour += 1
        points.append(round((hour + (due - passed) / weights[hour]) * 3.6e9))
    return [*points, 7 * 24 * 3_600_000_000, 7 * 24 * 3_600_000_000]


def _sql(value: object) -> str:
    """A value in SQL."""
    if isinstance(value, datetime):
        kind = "timestamptz" if value.tzinfo else "timestamp"
        return f"{kind} '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, list):
        return f"[{', '.join(map(_sql, value))}]"
    if isinstance(value, float):
        return f"{value!r}::double"
    return f"{value}::bigint"
