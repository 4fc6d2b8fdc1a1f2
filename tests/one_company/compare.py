"""Rows of a zone and of a build under the company's own names, and where two of them differ."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.connectors.zone import CONTRACT
from tests.reference.marts import KEYS

Row = dict[str, Any]
Key = tuple[Any, ...]
Table = dict[Key, Row]

LACKS, HAS_MORE = "-", "+"
_MEMBERS = ("crm.managers", "crm.sources", "crm.pipelines", "crm.stages")
# Bookkeeping of the loads, and addresses that each system makes its own.
_LEFT_OUT = ("_loaded_at", "updated_at", "is_deleted", "recording_url")
_PERIOD = ("period_grain", "period_start")
# What follows from figures that are compared by themselves: rates against a team's, and what models
# that are fitted to them expect.
_FOLLOWING = (
    "deal_outlook", "forecast_backtest", "manager_profile", "outlook_backtest",
    "outlook_calibration", "revenue_forecast",
)  # fmt: skip
MART_KEYS = {
    **KEYS,
    "call_waiting": ("date_day", "hour_of_day", "source_id"),
    "calls_by_hour": ("date_day", "hour_of_day", "manager_id"),
    "dim_date": ("date_day",),
    "fct_ad_spend": ("spend_date", "source_id", "campaign"),
    "fct_call_evaluations": ("call_id",),
    "fct_customer_base": ("date_day", "source_id"),
    "fct_customer_churn": (*_PERIOD, "contact_id"),
    "fct_customer_spans": ("contact_id", "span_no"),
    "fct_deal_stages": ("deal_id", "stage_id"),
    "fct_pipeline_days": ("date_day", "pipeline_id", "stage_id", "manager_id", "source_id"),
    "fct_sales_costs": ("month", "team"),
    "fct_source_days": ("date_day", "source_id"),
    "fct_surveys": ("survey_id",),
    "missed_call_recovery": ("date_day", "hour_of_day", "source_id"),
    "open_deals": ("deal_id",),
    "speed_to_lead": ("month_start", "weekday", "hour_of_day", "manager_id", "source_id"),
    "unpriced_daily": ("date_day", "manager_id", "source_id"),
}


@dataclass(frozen=True)
class Gap:
    """Where a system says something else, and why it cannot say the same.

    `where`: by table, columns that differ and in how many rows, `amount:2`; `-` are rows that the
    system lacks, `+` those that it has beyond. `marts`: the columns of marts that differ by it.
    """

    why: str
    where: Mapping[str, str] = field(default_factory=dict)
    marts: Mapping[str, str] = field(default_factory=dict)


def listed(gaps: Iterable[Gap]) -> dict[str, dict[str, int]]:
    """All gaps of a system's tables. A place that two of them name is a mistake."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for gap in gaps:
        assert gap.why
        for table, written in gap.where.items():
            for part in written.split():
                column, _, count = part.rpartition(":")
                assert column not in found[table], (table, column)
                found[table][column] = int(count)
    return dict(found)


def listed_marts(gaps: Iterable[Gap]) -> dict[str, set[str]]:
    """All gaps of a system's marts."""
    found: dict[str, set[str]] = defaultdict(set)
    for gap in gaps:
        for table, written in gap.marts.items():
            found[table] |= set(written.split())
    return dict(found)


class Names:
    """What the company calls the members of a zone, whose keys are the system's own.

    `sale_of` tells the number of the sale of a lead's or a deal's key, `called` what the company
    calls pipelines and sources that have another name there.
    """

    def __init__(self, raw: Path, sale_of: Callable[[str], int], called: Mapping[str, str]) -> None:
        self._raw = raw
        self._sale_of = sale_of
        self.manager = self._names("crm.managers", "full_name")
        found = self._names("crm.sources", "name")
        self.source = {key: called.get(name, name) for key, name in found.items()}
        found = self._names("crm.pipelines", "name")
        self.pipeline = {key: called.get(name, name) for key, name in found.items()}
        self.contact = self._names("crm.contacts", "name")
        self.stage = {
            row["stage_id"]: f"{self.pipeline[row['pipeline_id']]} / {row['name']}"
            for row in rows_of(raw, "crm.stages")
        }
        self._extension = {
            row["extension"]: self.manager[row["manager_id"]]
            for row in rows_of(raw, "telephony.extensions")
        }
        legs = rows_of(raw, "telephony.calls")
        self.session = sessions(legs)
        self.call = {
            row["call_id"]: (self.session.get(_session_id(row)), self.holder(row["extension"]))
            for row in legs
        }
        own = ("crm.meetings", "crm.payments", "crm.activities")
        self._own: dict[str, Any] = {}
        for table in own:
            key = CONTRACT.tables[table].columns[0].name
            for row in rows_of(raw, table):
                at = row.get("happened_at")
                about = row.get("deal_id") or row.get("lead_id")
                moment = (_moment(at),) if at else ()
                self._own[f"{key}/{row[key]}"] = (self.sale(about), *moment)

    def _names(self, table: str, column: str) -> dict[str, str]:
        key = CONTRACT.tables[table].columns[0].name
        return {row[key]: row[column] for row in rows_of(self._raw, table)}

    def holder(self, extension: str | None) -> str | None:
        """Who sits at an extension."""
        return None if extension is None else self._extension.get(extension, f"?{extension}")

    def sale(self, key: str | None) -> int | None:
        """The number of the sale that a lead's or a deal's key means."""
        return None if key is None else self._sale_of(key)

    def of(self, column: str, value: Any) -> Any:
        """A value under the company's name; what no name is known for as it stands, marked."""
        if value is None or value == "unknown":
            return value
        names = {
            "manager_id": self.manager, "set_by": self.manager, "held_by": self.manager,
            "source_id": self.source, "contact_id": self.contact, "pipeline_id": self.pipeline,
            "stage_id": self.stage, "next_stage_id": self.stage, "session_id": self.session,
            "linked_id": self.session, "call_id": self.call,
        }  # fmt: skip
        if column in names:
            return names[column].get(value, f"?{value}")
        if column in ("deal_id", "lead_id"):
            return self.sale(value)
        if column in ("meeting_id", "payment_id", "activity_id"):
            return self._own[f"{column}/{value}"]
        return value


def rows_of(raw: Path, table: str) -> list[Row]:
    """Current rows that exist; of dictionaries the deleted ones too."""
    source, name = table.split(".")
    files = sorted(str(it) for it in raw.glob(f"{source}/{name}/*.parquet"))
    if not files:
        return []
    columns = CONTRACT.tables[table].columns
    keys = ", ".join(it.name for it in columns if it.is_key)
    with duckdb.connect() as session:
        session.execute("set TimeZone = 'UTC'")
        relation = session.execute(
            f"select * from read_parquet({files}, union_by_name = true) "
            f"qualify row_number() over (partition by {keys} order by "
            f"{_updated(session, files)} desc nulls last, _loaded_at desc) = 1"
        )
        names = [it[0] for it in relation.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
    known = {it.name: None for it in columns}
    return [
        {**known, **row}
        for row in rows
        if table in _MEMBERS or row.get("is_deleted") != "true"
    ]  # fmt: skip


def _updated(session: duckdb.DuckDBPyConnection, files: list[str]) -> str:
    found = session.execute(f"describe select * from read_parquet({files}, union_by_name = true)")
    has_time = any(row[0] == "updated_at" for row in found.fetchall())
    return "cast(updated_at as timestamptz)" if has_time else "null::timestamptz"


def zone(raw: Path, names: Names) -> dict[str, Table]:
    """Every table of a zone under the company's names, values as the contract reads them."""
    found = {
        name: _table(name, rows_of(raw, name), names)
        for name in CONTRACT.tables
        if name not in ("telephony.calls", "telephony.extensions")
    }
    found["conversations"], found["rings"] = _telephony(rows_of(raw, "telephony.calls"), names)
    found["telephony.extensions"] = {
        (names.holder(row["extension"]),): {} for row in rows_of(raw, "telephony.extensions")
    }
    return {name: rows for name, rows in found.items() if rows}


def _table(name: str, rows: list[Row], names: Names) -> Table:
    columns = [it for it in CONTRACT.tables[name].columns if it.name not in _LEFT_OUT]
    own = columns[0].name
    types = {it.name: it.data_type for it in columns}
    found: list[Row] = []
    for row in rows:
        read = {key: names.of(key, _value(row[key], types[key])) for key in types}
        if name in _MEMBERS:
            read["is_deleted"] = row["is_deleted"] == "true"
        found.append(read)
    if name == "crm.stages":
        _ranked(found)
    if name == "crm.contact_phones":
        for row in found:
            row["phone"] = phone(row["phone"])
    if name == "crm.deal_stage_history":
        return _numbered(found, ("deal_id", "stage_id"), "entered_at", drop="event_id")
    if name == "crm.payments":
        return _numbered(found, ("deal_id", "kind"), "paid_at", drop="payment_id")
    keys = [it.name for it in columns if it.is_key]
    table = {tuple(row[key] for key in keys): row for row in found}
    assert len(table) == len(found), (name, own)
    return table


def _ranked(stages: list[Row]) -> None:
    """Systems number places as they like."""
    for of in _by(stages, lambda it: it["pipeline_id"]).values():
        of.sort(key=lambda it: it["position"])
        for place, row in enumerate(of, 1):
            row["position"] = place


def _numbered(rows: list[Row], key: Key, order: str, drop: str) -> Table:
    """By these columns and a number in order of time: what is one row everywhere."""
    found: Table = {}
    for own, of in _by(rows, lambda it: tuple(it[name] for name in key)).items():
        for place, row in enumerate(sorted(of, key=lambda it: it[order]), 1):
            found[(*own, place)] = {name: it for name, it in row.items() if name != drop}
    return found


def _telephony(legs: list[Row], names: Names) -> tuple[Table, Table]:
    """Conversations, and in each of them the telephones that rang."""
    conversations: Table = {}
    rings: Table = {}
    by_id = _by(legs, _session_id)
    for own, key in names.session.items():
        of = _outside(by_id[own])
        first = of[0]
        people = [it for it in of if it["extension"] is not None]
        conversations[key] = {
            "direction": first["direction"],
            "started_at": _moment(first["started_at"]),
            "line": phone(first["line"]),
            "queue": next((it["queue"] for it in of if it["queue"]), None),
            "ended_at": max((_moment(it["ended_at"]) for it in of if it["ended_at"]), default=None),
            "rings": len(people),
            # A machine that picked up must answer nobody.
            "machine": None if people else {it["disposition"] for it in of} == {"no_answer"},
            "source_id": names.of("source_id", first["source_id"]),
        }
        for it in people:
            ring = (*key, names.holder(it["extension"]))
            assert ring not in rings, ring
            rings[ring] = {
                "started_at": _moment(it["started_at"]),
                "disposition": it["disposition"],
                "talk_seconds": int(it["talk_seconds"]),
                "answered_at": _moment(it["answered_at"]),
                "ended_at": _moment(it["ended_at"]),
            }
    return conversations, rings


def _outside(legs: list[Row]) -> list[Row]:
    found = [it for it in legs if it["direction"] != "internal"]
    return sorted(found, key=lambda it: (_moment(it["started_at"]), it["call_id"]))


def _session_id(leg: Row) -> str:
    return str(leg["linked_id"] or leg["call_id"])


def sessions(legs: list[Row]) -> dict[str, Key]:
    """Conversations by their id: the customer's number, and which of its conversations it is."""
    firsts = {key: outside[0] for key, of in _by(legs, _session_id).items()
              if (outside := _outside(of))}  # fmt: skip
    found: dict[str, Key] = {}
    seen: Counter[Any] = Counter()
    for key, first in sorted(firsts.items(), key=lambda it: _moment(it[1]["started_at"])):
        number = phone(first["from_number" if first["direction"] == "in" else "to_number"])
        seen[number] += 1
        found[key] = (number, seen[number])
    return found


def _by(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def phone(written: str | None) -> str | None:
    """A Russian number in its eleven digits; anything else as it stands."""
    digits = "".join(it for it in written or "" if it.isdigit())
    if len(digits) == 10:
        return "7" + digits
    return "7" + digits[1:] if len(digits) == 11 else written


def _moment(written: Any) -> Any:
    if not written or not isinstance(written, str):
        return written
    found = datetime.fromisoformat(written)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _value(written: Any, data_type: str) -> Any:
    if written is None:
        return None
    if data_type == "timestamp":
        return _moment(written)
    if data_type == "decimal":
        return Decimal(str(written)).normalize()
    if data_type == "integer":
        return int(written)
    if data_type == "date":
        return date.fromisoformat(str(written)[:10])
    return written


def marts(build: Path, names: Names) -> dict[str, Table]:
    """Every mart of a build under the company's names."""
    found: dict[str, Table] = {}
    with duckdb.connect(str(build), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
        for (table,) in sorted(tables):
            if table in _FOLLOWING:
                continue
            relation = connection.execute(f"select * from marts.{table}")
            columns = [it[0] for it in relation.description or []]
            fetched = [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
            rows = [_named(row, names) for row in fetched]
            key = MART_KEYS[table]
            found[table] = {tuple(row[name] for name in key): row for row in rows}
            assert len(found[table]) == len(rows), table
    return found


def _named(row: Row, names: Names) -> Row:
    found = {column: names.of(column, value) for column, value in row.items()}
    for column in ("event_id", "recording_url"):
        found.pop(column, None)
    for column in ("customer_number", "line"):
        if column in found:
            found[column] = phone(found[column])
    for name in ("pipeline", "source"):
        if f"{name}_name" in found and f"{name}_id" in found:
            found[f"{name}_name"] = found[f"{name}_id"]
    # Places are compared by the order of stages.
    found.pop("position", None)
    return found


Places = dict[str, dict[str, list[Key]]]


def differences(truth: Mapping[str, Table], other: Mapping[str, Table]) -> Places:
    """By table and column (or - and +), the keys of rows that differ."""
    found: Places = defaultdict(lambda: defaultdict(list))
    for table in sorted(truth.keys() | other.keys()):
        ours, theirs = truth.get(table, {}), other.get(table, {})
        for key in ours.keys() - theirs.keys():
            found[table][LACKS].append(key)
        for key in theirs.keys() - ours.keys():
            found[table][HAS_MORE].append(key)
        for key in ours.keys() & theirs.keys():
            for column in ours[key].keys() | theirs[key].keys():
                if not _same(ours[key].get(column), theirs[key].get(column)):
                    found[table][column].append(key)
    return {table: dict(columns) for table, columns in found.items()}


def counts(places: Places) -> dict[str, dict[str, int]]:
    """How many rows differ, by table and column."""
    return {
        table: {column: len(keys) for column, keys in sorted(columns.items())}
        for table, columns in places.items()
    }


def explained(places: Places, truth: Mapping[str, Table], other: Mapping[str, Table]) -> str:
    """Each place with both values, for who reads a failed test."""
    lines = []
    for table, columns in places.items():
        for column, keys in sorted(columns.items()):
            lines.append(f"{table} {column}:{len(keys)}")
            for key in sorted(keys, key=repr)[:6]:
                values = [it.get(table, {}).get(key, {}).get(column) for it in (truth, other)]
                shown = "" if column in (LACKS, HAS_MORE) else f": {values[0]!s} -> {values[1]!s}"
                lines.append("    " + ", ".join(str(it) for it in key) + shown)
    return "\n".join(lines)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)
