"""Staging judges rows as the raw contract says: each rule on rows made to tell it from others.

dbt's unit tests have no sources to read the contract from, so the compiled SQL of the models
runs here over tables of texts, as an exporter without types would write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.raw_zone.contract import Table, load_contract

Row = dict[str, Any]

CONTRACT = load_contract(Path(__file__).resolve().parents[2])
LOADED = "2026-03-31T03:00:00Z"
# A good row of each table that the tests use: they change one thing in it.
GOOD: dict[str, Row] = {
    "crm.managers": {"manager_id": "m", "full_name": "Anna"},
    "crm.contacts": {"contact_id": "c", "created_at": "2026-03-01"},
    "crm.stages": {
        "stage_id": "s", "pipeline_id": "p", "name": "Call", "position": "1", "kind": "open",
    },
    "crm.leads": {"lead_id": "l", "created_at": "2026-03-02"},
    "crm.deals": {
        "deal_id": "d", "pipeline_id": "p", "stage_id": "s", "created_at": "2026-03-02",
    },
    "crm.meetings": {"meeting_id": "m", "set_at": "2026-03-02"},
    "crm.activities": {"activity_id": "a", "kind": "email", "happened_at": "2026-03-02"},
    "crm.payments": {
        "payment_id": "p", "paid_at": "2026-03-02", "amount": "1", "kind": "payment",
    },
    "crm.surveys": {"survey_id": "s", "score": "5", "answered_at": "2026-03-02"},
    "crm.quotas": {
        "manager_id": "m", "metric": "calls", "period": "month", "period_start": "2026-03-01",
        "target": "10",
    },
    "telephony.calls": {
        "call_id": "c", "direction": "in", "started_at": "2026-03-02", "disposition": "answered",
    },
    "telephony.extensions": {
        "extension": "101", "valid_from": "2026-03-02", "manager_id": "m",
    },
    "telephony.call_evaluations": {
        "call_id": "c", "evaluated_at": "2026-03-02", "score": "50",
    },
    "marketing.ad_spend": {"spend_date": "2026-03-02", "source_id": "s", "cost": "1"},
    "finance.sales_costs": {"month": date(2026, 3, 1), "team": "t", "cost": 1},
    "finance.exchange_rates": {"rate_date": "2026-03-02", "currency": "USD", "rate": "90"},
}  # fmt: skip


@dataclass(frozen=True)
class Staged:
    """What became of a table's rows: judged ones, current ones, quarantined ones."""

    judged: list[Row]
    current: list[Row]
    quarantined: list[Row]


Stage = Callable[..., Staged]


@pytest.fixture(scope="module")
def stage(
    compiled_sql: Mapping[str, str], typed_columns: Mapping[str, Mapping[str, str]]
) -> Iterator[Stage]:
    """`stage("crm.deals", row, …)`: rows of the table, changes to its good row, staged."""

    def make_raw_table(table: Table) -> None:
        types = typed_columns.get(table.full_name, {})
        columns = [f"{column.name} {types.get(column.name, 'text')}" for column in table.columns]
        connection.execute(
            f"create or replace table raw_zone.{table.full_name} ({', '.join(columns)}, _file text)"
        )

    def stage_rows(name: str, *rows: Row) -> Staged:
        table = CONTRACT.tables[name]
        make_raw_table(table)
        return _stage(connection, compiled_sql, table, [GOOD[name] | row for row in rows])

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("attach ':memory:' as raw_zone; attach ':memory:' as voronka_build")
        connection.execute("create schema voronka_build.staging")
        for source in CONTRACT.sources:
            connection.execute(f"create schema raw_zone.{source}")
        yield stage_rows


def _stage(
    connection: duckdb.DuckDBPyConnection,
    compiled_sql: Mapping[str, str],
    table: Table,
    rows: Iterable[Row],
) -> Staged:
    for row in rows:
        values = {"_loaded_at": LOADED, "_file": "a.parquet"} | row
        connection.execute(
            f"insert into raw_zone.{table.full_name} ({', '.join(values)}) "
            f"values ({', '.join('?' * len(values))})",
            list(values.values()),
        )
    base = f"base_{table.source}__{table.name}"
    connection.execute(
        f"create or replace table voronka_build.staging.{base} as {compiled_sql[base]}"
    )
    return Staged(
        _rows(connection, f"from voronka_build.staging.{base}"),
        _rows(connection, compiled_sql[f"stg_{table.source}__{table.name}"]),
        _rows(connection, compiled_sql[f"{table.source}_{table.name}"]),
    )


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    found = connection.sql(sql)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def read(stage: Stage, name: str, column: str, texts: Iterable[str]) -> dict[str, Any]:
    """What each text reads as in a column of the table."""
    given = list(texts)
    judged = stage(name, *({column: text, "_file": text} for text in given)).judged
    assert [row["reasons"] for row in judged] == [[]] * len(given)
    return {row["_file"]: row[column] for row in judged}


def utc(*parts: int) -> datetime:
    """An instant by its parts in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # parts of a tuple


def test_timestamps_read_by_the_contracts_grammar(stage: Stage) -> None:
    """With T or a blank, with any offset or none, down to microseconds; nothing else."""
    expected = {
        "2026-03-01T10:20:30Z": utc(2026, 3, 1, 10, 20, 30),
        "2026-03-01 10:20:30+03": utc(2026, 3, 1, 7, 20, 30),
        "2026-03-01 10:20:30+0330": utc(2026, 3, 1, 6, 50, 30),
        "2026-03-01 10:20:30-03:30": utc(2026, 3, 1, 13, 50, 30),
        "2026-03-01 00:10+00:30": utc(2026, 2, 28, 23, 40),
        "2026-03-01T10:20Z": utc(2026, 3, 1, 10, 20),
        "2026-03-01T10:20:30.5Z": utc(2026, 3, 1, 10, 20, 30, 500_000),
        "2026-03-01T10:20:30.1234569Z": utc(2026, 3, 1, 10, 20, 30, 123_456),
        "2026-03-01T10:20:59.9999999Z": utc(2026, 3, 1, 10, 20, 59, 999_999),
        "2026-03-01T00:00:00+23:59": utc(2026, 2, 28, 0, 1),
        "2028-02-29T00:00:00Z": utc(2028, 2, 29),
        "1970-01-02T00:00:00Z": utc(1970, 1, 2),
        "1970-01-02T02:00:00+02": utc(1970, 1, 2),
        "2099-12-31T23:59:59.999999Z": utc(2099, 12, 31, 23, 59, 59, 999_999),
    } | dict.fromkeys(
        [
            "1970-01-01T00:00:00Z", "1970-01-01T23:59:59.999999Z", "1970-01-02T01:59:59+02",
            "2100-01-01T00:00:00Z",
            "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z",
            "2026-03-01T10:60:00Z", "2026-03-01T10:20:60Z", "2026-03-01T10Z", "2026-03-01T",
            "2026-03-01Z", "2026-03-01T10:20:30.Z", "2026-03-01T10:20:30+3",
            "2026-03-01T10:20:30+24", "2026-03-01T10:20:30 UTC", "2026-03-01  10:20:30",
            "2026-03-01t10:20:30z", "2026-3-1", "01.03.2026", "20260301", "1772323200",
            "infinity", "now", "today",
        ]
    )  # fmt: skip
    assert read(stage, "crm.meetings", "scheduled_for", expected) == expected


def test_timestamps_without_offset_are_in_the_sources_zone(stage: Stage) -> None:
    """Berlin here: a date is its midnight, a repeated hour the later one, a gap is jumped."""
    expected = {
        "2026-01-15 12:00:00": utc(2026, 1, 15, 11),
        "2026-07-15 12:00:00": utc(2026, 7, 15, 10),
        "2026-07-15T12:00": utc(2026, 7, 15, 10),
        "2026-07-15": utc(2026, 7, 14, 22),
        "2026-10-25 02:30:00": utc(2026, 10, 25, 1, 30),
        "2026-03-29 02:30:00": utc(2026, 3, 29, 1, 30),
        "2026-03-29 03:00:00": utc(2026, 3, 29, 1),
        "1970-01-02": None,
        "2100-01-01": utc(2099, 12, 31, 23),
    }
    assert read(stage, "crm.meetings", "scheduled_for", expected) == expected


def test_dates_read_as_written(stage: Stage) -> None:
    """The date part of a timestamp too, whatever its offset; out of range they do not."""
    expected = {
        "2026-03-01": date(2026, 3, 1),
        "2026-03-01T23:59:59-12:00": date(2026, 3, 1),
        "2026-03-01 00:00:00+14": date(2026, 3, 1),
        "1970-01-02": date(1970, 1, 2),
        "2099-12-31": date(2099, 12, 31),
        "1970-01-01": None,
        "2100-01-01": None,
        "2026-02-30": None,
        "2026-03-01T25:00": None,
        "1.3.2026": None,
    }
    assert read(stage, "crm.deals", "expected_close_on", expected) == expected


def test_integers_read_whole(stage: Stage) -> None:
    """With a sign and with .0, up to 64 bits."""
    expected = {
        "5": 5, "+5": 5, "-5": -5, "007": 7, "5.0": 5, "5.000": 5, "-0.0": 0,
        "9223372036854775807": 2**63 - 1,
        "-9223372036854775808": -(2**63),
        "9223372036854775808": None,
        "5.5": None, "5.": None, "5e0": None, "1_000": None, "1 000": None, "0x10": None,
        "five": None, "--5": None,
    }  # fmt: skip
    assert read(stage, "marketing.ad_spend", "impressions", expected) == expected


def test_decimals_read_rounded_to_four_places(stage: Stage) -> None:
    """Half away from zero, with an exponent too, within eighteen digits."""
    expected = {
        "5": Decimal(5), "+5.25": Decimal("5.25"), "-0": Decimal(0), "007.10": Decimal("7.1"),
        "1.00005": Decimal("1.0001"), "1.00004999": Decimal(1), "-0.00004": Decimal(0),
        "0.00005": Decimal("0.0001"),
        "1.5e3": Decimal(1500), "15E-1": Decimal("1.5"), "1e+2": Decimal(100),
        "123456789.123456789e-4": Decimal("12345.6789"),
        "423773927354737643710e-14": Decimal("4237739.2735"),
        "5e-5": Decimal("0.0001"), "5e-7": Decimal(0), "-5.55e-17": Decimal(0),
        "1e-99999999999999999999": Decimal(0), "0e400": Decimal(0),
        "99.99999999999999994E12": Decimal("99999999999999.9999"),
        "99999999999999.9999": Decimal("99999999999999.9999"),
        "99999999999999.99995": None,
        "100000000000000": None, "1e14": None, "1e400": None,
        "20.117681458785027e13": None, "1e99999999999999999999": None,
        "1,5": None, "1 000": None, "1_000": None, ".5": None, "5.": None, "e5": None,
        "NaN": None, "inf": None, "infinity": None, "0x1": None, "5 RUB": None,
    }  # fmt: skip
    assert read(stage, "crm.deals", "amount", expected) == expected


def test_rates_have_eight_places(stage: Stage) -> None:
    """The one decimal with a scale of its own."""
    rows = stage("finance.exchange_rates", {"rate": "90.123456785"}, {"rate": "10000000000"}).judged
    assert [row["rate"] for row in rows] == [Decimal("90.12345679"), None]
    assert [row["reasons"] for row in rows] == [[], ["rate: type"]]


def test_booleans_read_in_any_case(stage: Stage) -> None:
    """By word, by letter, or by a number that equals 1 or 0."""
    true = "true TRUE t yes Y 1 1.0 1.0000000000 +1 01 1e0 10E-1 0.01e2"
    false = "false False f NO n 0 0.0 -0 0e9 0.0000000000 0e99999999999999999999"
    neither = "on off 2 -1 да 1.01 1. .0 1_0 inf null 11 10 0.1 1e-400 1e99999999999999999999"
    expected = {
        **dict.fromkeys(true.split(), True),
        **dict.fromkeys(false.split(), False),
        **dict.fromkeys([*neither.split(), "1.00000000000000000001"]),
    }
    assert read(stage, "crm.leads", "is_target", expected) == expected


def test_text_is_trimmed_of_blanks_tabs_and_line_ends(stage: Stage) -> None:
    """Inside it keeps them; what is empty then is NULL; NaN in a text is text."""
    expected = {
        " \t\r\n Anna \n": "Anna",
        "Anna  Maria": "Anna  Maria",
        "": None,
        " \t ": None,
        "\u00a0": "\u00a0",
        "NaN": "NaN",
        "17": "17",
        "null": "null",
    }
    assert read(stage, "crm.contacts", "name", expected) == expected


def test_values_are_trimmed_before_they_are_read(stage: Stage) -> None:
    """Keys keep their case; a key of blanks is missing."""
    row = {"deal_id": " D-1\n", "amount": "\t5 ", "created_at": " 2026-03-02\n"}
    judged = stage("crm.deals", row, {"deal_id": " "}).judged
    assert [(row["deal_id"], row["amount"], row["reasons"]) for row in judged] == [
        ("D-1", Decimal(5), []),
        (None, None, ["deal_id: required"]),
    ]


def test_codes_read_in_every_spelling(stage: Stage) -> None:
    """Lower case, blanks and hyphens as underscores; an unknown one is NULL."""
    expected = {
        "upsell": "upsell", " UpSell ": "upsell", "NEW": "new", "up-sell": None, "renewal": None,
    }  # fmt: skip
    assert read(stage, "crm.deals", "deal_type", expected) == expected


def test_an_unknown_code_is_other_where_the_enumeration_has_it(stage: Stage) -> None:
    """A role and an activity's kind; without one the role stays NULL."""
    expected = {
        "Lead Generator": "lead_generator",
        "lead-generator": "lead_generator",
        "HEAD": "head",
        "Other": "other",
        "intern": "other",
        "": None,
    }
    assert read(stage, "crm.managers", "role", expected) == expected
    expected = {"Message": "message", "task": "task", "fax": "other"}
    assert read(stage, "crm.activities", "kind", expected) == expected


def test_directions_have_synonyms(stage: Stage) -> None:
    """In calls and activities alike."""
    synonyms = {
        "in": "in", "Inbound": "in", "INCOMING": "in",
        "out": "out", "outbound": "out", "Outgoing": "out",
    }  # fmt: skip
    expected = synonyms | {"Internal": "internal"}
    assert read(stage, "telephony.calls", "direction", expected) == expected
    expected = synonyms | {"": None}
    assert read(stage, "crm.activities", "direction", expected) == expected


def test_dispositions_have_synonyms(stage: Stage) -> None:
    """As telephones of different makes write them."""
    expected = {
        **dict.fromkeys(["answered", "ANSWERED", "Completed"], "answered"),
        **dict.fromkeys(
            ["NO ANSWER", "no-answer", "NOANSWER", "CANCEL", "canceled", "Cancelled"], "no_answer"
        ),
        **dict.fromkeys(["FAILED", "CONGESTION", "ChanUnavail"], "failed"),
        "Busy": "busy", "voicemail": "voicemail",
    }  # fmt: skip
    assert read(stage, "telephony.calls", "disposition", expected) == expected


def test_metrics_are_codes_of_an_open_list_and_currencies_upper_case(stage: Stage) -> None:
    """Neither is ever unknown."""
    expected = {"Meetings Set": "meetings_set", "win-rate": "win_rate", "ёлки": "ёлки"}
    assert read(stage, "crm.quotas", "metric", expected) == expected
    expected = {"usd": "USD", " Eur ": "EUR", "": None, "rubles": "RUBLES"}
    assert read(stage, "crm.deals", "currency", expected) == expected


@pytest.mark.parametrize(
    ("name", "row", "reasons"),
    [
        ("crm.deals", {}, []),
        ("crm.deals", {"deal_id": None}, ["deal_id: required"]),
        ("crm.deals", {"pipeline_id": " "}, ["pipeline_id: required"]),
        ("crm.deals", {"created_at": None}, ["created_at: required"]),
        ("crm.deals", {"created_at": "soon"}, ["created_at: type"]),
        ("crm.deals", {"created_at": "1970-01-01"}, ["created_at: range"]),
        ("crm.deals", {"_loaded_at": None}, ["_loaded_at: required"]),
        ("crm.deals", {"_loaded_at": "soon"}, ["_loaded_at: type"]),
        ("crm.deals", {"_loaded_at": "2101-01-01"}, ["_loaded_at: range"]),
        ("crm.deals", {"amount": "-0.01"}, ["amount: range"]),
        ("crm.deals", {"amount": "0"}, []),
        ("crm.deals", {"closed_at": "2026-03-01T22:59:59Z"}, ["closed_at: order"]),
        ("crm.deals", {"closed_at": "2026-03-01T23:00:00Z"}, []),
        # The later one is named, the rule is not judged without the earlier one.
        ("crm.deals", {"created_at": "soon", "closed_at": "1999-01-01"}, ["created_at: type"]),
        (
            "crm.deals",
            {"stage_id": None, "amount": "-1", "closed_at": "2026-01-01", "deal_id": ""},
            ["amount: range", "closed_at: order", "deal_id: required", "stage_id: required"],
        ),
        ("crm.managers", {"hired_on": "2026-03-02", "dismissed_on": "2026-03-02"}, []),
        (
            "crm.managers",
            {"hired_on": "2026-03-02", "dismissed_on": "2026-03-01"},
            ["dismissed_on: order"],
        ),
        ("crm.managers", {"dismissed_on": "2026-03-01"}, []),
        ("crm.leads", {"taken_at": "2026-03-01", "qualified_at": "2026-03-01"},
         ["qualified_at: order", "taken_at: order"]),
        ("crm.leads", {"taken_at": "2026-03-02", "qualified_at": "2026-03-02"}, []),
        ("crm.meetings", {"confirmed_at": "2026-03-01", "held_at": "2026-03-01",
                          "cancelled_at": "2026-03-01", "scheduled_for": "2026-03-01"},
         ["confirmed_at: order", "held_at: order"]),
        ("crm.stages", {"kind": None}, ["kind: required"]),
        ("crm.stages", {"kind": "closed"}, ["kind: enum"]),
        ("crm.stages", {"position": "first"}, ["position: type"]),
        ("crm.stages", {"position": "-1.0"}, []),
        ("crm.activities", {"kind": None}, ["kind: required"]),
        ("crm.activities", {"kind": "fax"}, []),
        ("crm.activities", {"direction": "sideways"}, ["direction: enum"]),
        ("crm.activities", {"direction": "internal"}, ["direction: enum"]),
        ("crm.payments", {"amount": "0"}, ["amount: range"]),
        ("crm.payments", {"amount": "0.0001"}, []),
        ("crm.payments", {"amount": "0.00001"}, ["amount: range"]),
        ("crm.payments", {"amount": "much", "kind": "gift"}, ["amount: type", "kind: enum"]),
        ("crm.surveys", {"score": "0"}, ["score: range"]),
        ("crm.surveys", {"score": "1"}, []),
        ("crm.surveys", {"score": "5"}, []),
        ("crm.surveys", {"score": "6"}, ["score: range"]),
        ("crm.surveys", {"score": "4.5"}, ["score: type"]),
        ("crm.quotas", {"period": "day", "period_start": "2026-03-04"}, []),
        ("crm.quotas", {"period": "week", "period_start": "2026-03-02"}, []),
        ("crm.quotas", {"period": "week", "period_start": "2026-03-01"}, ["period_start: period"]),
        ("crm.quotas", {"period": "month", "period_start": "2026-03-02"}, ["period_start: period"]),
        ("crm.quotas", {"period": "quarter", "period_start": "2026-04-01"}, []),
        ("crm.quotas", {"period": "quarter"}, ["period_start: period"]),
        ("crm.quotas", {"period": "Year", "period_start": "2026-01-01"}, []),
        ("crm.quotas", {"period": "year"}, ["period_start: period"]),
        ("crm.quotas", {"period": "decade", "period_start": "2026-03-02"}, ["period: enum"]),
        # Range comes before period.
        ("crm.quotas", {"period_start": "2100-01-02"}, ["period_start: range"]),
        ("crm.quotas", {"metric": "", "target": "-1"}, ["metric: required", "target: range"]),
        ("telephony.calls", {"disposition": "NO ANSWER"}, []),
        ("telephony.calls", {"disposition": "lost"}, ["disposition: enum"]),
        ("telephony.calls", {"direction": "both"}, ["direction: enum"]),
        ("telephony.calls", {"talk_seconds": "-1"}, ["talk_seconds: range"]),
        ("telephony.calls", {"ended_at": "2026-03-01", "answered_at": "2026-03-01"},
         ["answered_at: order", "ended_at: order"]),
        ("telephony.extensions", {"valid_to": "2026-03-02"}, ["valid_to: order"]),
        ("telephony.extensions", {"valid_to": "2026-03-02 00:00:00.000001"}, []),
        ("telephony.extensions", {"manager_id": None}, ["manager_id: required"]),
        ("telephony.call_evaluations", {"score": "100.0001"}, ["score: range"]),
        ("telephony.call_evaluations", {"score": "-1"}, ["score: range"]),
        ("telephony.call_evaluations", {"score": "0"}, []),
        ("marketing.ad_spend", {"campaign": None}, []),
        ("marketing.ad_spend", {"spend_date": "1970-01-01"}, ["spend_date: range"]),
        ("marketing.ad_spend", {"cost": "-1"}, ["cost: range"]),
        ("finance.exchange_rates", {"rate": "0"}, ["rate: range"]),
        ("finance.exchange_rates", {"rate": "0.00000001"}, []),
        ("finance.exchange_rates", {"currency": " "}, ["currency: required"]),
        ("finance.sales_costs", {"month": date(2026, 3, 2)}, ["month: period"]),
        ("finance.sales_costs", {"month": date(1969, 12, 1)}, ["month: range"]),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_rule_is_quarantined(
    stage: Stage, name: str, row: Row, reasons: list[str]
) -> None:
    """With every column that breaks one and the first rule it breaks, and nowhere else."""
    staged = stage(name, row)
    assert [judged["reasons"] for judged in staged.judged] == [reasons]
    assert [quarantined["reasons"] for quarantined in staged.quarantined] == [reasons] * bool(
        reasons
    )
    assert len(staged.current) == (not reasons)


@pytest.mark.parametrize(
    ("name", "row", "reasons"),
    [
        ("crm.deals", {"pipeline_id": None, "created_at": "soon", "amount": "-1"}, []),
        ("crm.deals", {"closed_at": "2026-01-01"}, []),
        ("crm.deals", {"deal_id": None}, ["deal_id: required"]),
        ("crm.deals", {"_loaded_at": "soon"}, ["_loaded_at: type"]),
        ("crm.deals", {"deal_id": None, "_loaded_at": None, "stage_id": None},
         ["_loaded_at: required", "deal_id: required"]),
        ("crm.activities", {"kind": None, "direction": "sideways", "happened_at": None}, []),
        ("crm.quotas", {"target": None, "period_start": "2026-03-02"}, []),
        ("crm.quotas", {"period": "decade"}, ["period: enum"]),
        ("crm.quotas", {"period_start": "1969-12-01"}, ["period_start: range"]),
        ("telephony.extensions", {"valid_from": "soon", "manager_id": None}, ["valid_from: type"]),
        ("marketing.ad_spend", {"campaign": None, "cost": None}, []),
    ],
)  # fmt: skip
def test_of_a_deletion_only_key_and_load_are_judged(
    stage: Stage, name: str, row: Row, reasons: list[str]
) -> None:
    """Exporters send deletions bare; one that is kept exists nowhere."""
    staged = stage(name, row | {"is_deleted": "true"})
    assert [judged["reasons"] for judged in staged.judged] == [reasons]
    assert staged.current == []


def test_a_deletion_flag_that_does_not_read_deletes_nothing(stage: Stage) -> None:
    """Nor does false; the bad value is counted."""
    staged = stage("crm.deals", {"deal_id": "1", "is_deleted": "perhaps"}, {"is_deleted": "no"})
    assert sorted(row["deal_id"] for row in staged.current) == ["1", "d"]
    assert [row["bad_values"] for row in staged.judged] == [["is_deleted"], []]


@pytest.mark.parametrize(
    ("name", "row", "bad_values"),
    [
        ("crm.deals", {}, []),
        ("crm.deals", {"lost_reason": " ", "amount": "", "deal_type": None}, []),
        ("crm.deals", {"amount": "much", "closed_at": "soon", "deal_type": "gift",
                       "expected_close_on": "2100-01-01", "updated_at": "1970-01-01",
                       "is_deleted": "perhaps", "lost_reason": "?", "currency": "?"},
         ["amount", "closed_at", "deal_type", "expected_close_on", "is_deleted", "updated_at"]),
        ("crm.managers", {"role": "intern"}, ["role"]),
        ("crm.managers", {"role": "Other"}, []),
        ("crm.activities", {"kind": "fax"}, ["kind"]),
        ("crm.activities", {"kind": "other"}, []),
        ("crm.meetings", {"kind": "party"}, ["kind"]),
        ("telephony.calls", {"talk_seconds": "1.5"}, ["talk_seconds"]),
        # Of deletions only optional values count.
        ("crm.activities", {"kind": "fax", "is_deleted": "1", "updated_at": "soon"},
         ["updated_at"]),
        # Of quarantined rows none do.
        ("crm.deals", {"amount": "much", "stage_id": None}, None),
    ],
)  # fmt: skip
def test_a_bad_optional_value_is_null_and_counted(
    stage: Stage, name: str, row: Row, bad_values: list[str] | None
) -> None:
    """The row is kept; of columns of text every value is good."""
    judged = stage(name, row).judged[0]
    assert judged["bad_values"] == bad_values
    assert {judged[column] for column in bad_values or []} <= {None, "other"}


def test_values_of_the_columns_own_type_are_judged_alike(stage: Stage) -> None:
    """Times without a zone are in the sources', numbers beyond the type do not read."""
    judged = stage(
        "finance.sales_costs",
        {"team": "good", "cost": 99_999_999_999_999, "updated_at": "2026-07-15 12:00:00",
         "_loaded_at": utc(2026, 7, 15, 12), "currency": " usd "},
        {"team": "too dear", "cost": 100_000_000_000_000, "_loaded_at": utc(2026, 7, 15)},
        {"team": "too old", "updated_at": "1970-01-02", "_loaded_at": utc(2026, 7, 15)},
        {"team": "not loaded", "_loaded_at": None},
    ).judged  # fmt: skip
    assert {row["team"]: (row["reasons"], row["bad_values"]) for row in judged} == {
        "good": ([], []),
        "too dear": (["cost: type"], None),
        "too old": ([], ["updated_at"]),
        "not loaded": (["_loaded_at: required"], None),
    }
    good = judged[0]
    assert good["cost"] == Decimal("99999999999999.0000")
    assert good["updated_at"] == utc(2026, 7, 15, 10)
    assert good["_loaded_at"] == utc(2026, 7, 15, 12)
    assert good["currency"] == "USD"


def test_the_missing_campaign_is_a_key_of_empty_text(stage: Stage) -> None:
    """One row, whether it is NULL, empty or blank, beside those of campaigns."""
    rows = [{"campaign": value} for value in (None, "", "  ", "spring")]
    current = stage("marketing.ad_spend", *rows).current
    assert sorted(row["campaign"] for row in current) == ["", "spring"]


def test_quarantine_holds_the_values_as_given(stage: Stage) -> None:
    """With the load, the file and the day of the event, or of the load where it has none."""
    row = {"deal_id": " D ", "stage_id": " ", "amount": "much", "currency": "usd"}
    undated = row | {"deal_id": "E", "created_at": "soon", "_file": "b.parquet"}
    first, second = stage("crm.deals", row, undated).quarantined
    expected = GOOD["crm.deals"] | row | {"_loaded_at": LOADED, "_file": "a.parquet"}
    assert {name: first[name] for name in expected} == expected
    assert first["lost_reason"] is None
    assert first["event_on"] == date(2026, 3, 2)
    assert (second["_file"], second["event_on"]) == ("b.parquet", date(2026, 3, 31))


def test_a_row_is_dated_by_its_first_required_time_in_local_days(stage: Stage) -> None:
    """A date is its own day; a row without either has the day of its load, NULL without."""
    late = {"created_at": "2026-03-02T21:00:00Z", "updated_at": "2026-03-09"}
    assert stage("crm.deals", late).judged[0]["event_on"] == date(2026, 3, 3)
    early = {"created_at": "2026-03-02T20:59:59Z"}
    assert stage("crm.deals", early).judged[0]["event_on"] == date(2026, 3, 2)
    assert stage("crm.quotas", {}).judged[0]["event_on"] == date(2026, 3, 1)
    undated = {"_loaded_at": "2026-03-30T21:00:00Z"}
    assert stage("crm.managers", undated).judged[0]["event_on"] == date(2026, 3, 31)
    assert stage("crm.managers", {"_loaded_at": "soon"}).judged[0]["event_on"] is None


OLD = {"updated_at": "2026-03-01", "lost_reason": "old"}
NEW = {"updated_at": "2026-03-02", "lost_reason": "new"}


@pytest.mark.parametrize(
    ("versions", "current"),
    [
        ([OLD, NEW], "new"),
        # The one that changed last, though it was loaded first.
        ([OLD | {"_loaded_at": "2026-03-09"}, NEW | {"_loaded_at": "2026-03-08"}], "new"),
        # Without a time of change it is the oldest, though it was loaded last.
        ([OLD | {"updated_at": None, "_loaded_at": "2026-03-09"}, NEW], "new"),
        # Changed at one time: the one loaded last.
        ([OLD, NEW | {"updated_at": "2026-03-01", "_loaded_at": "2026-04-09"}], "new"),
        ([OLD | {"updated_at": None}, NEW | {"updated_at": None, "_loaded_at": "2026-04-09"}],
         "new"),
        # A bad version never hides an earlier good one.
        ([OLD, NEW | {"stage_id": None}], "old"),
        ([OLD, NEW | {"updated_at": "soon"}], "old"),
        # A deletion does, however bare; an older or a bad one does not.
        ([OLD, {"updated_at": "2026-03-02", "is_deleted": "true", "stage_id": None}], None),
        ([{"updated_at": "2026-02-28", "is_deleted": "true"}, OLD], "old"),
        ([OLD, NEW | {"is_deleted": "true", "_loaded_at": "soon"}], "old"),
        # It came back.
        ([OLD | {"is_deleted": "true"}, NEW], "new"),
        # The same row twice is one.
        ([OLD, OLD], "old"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", [1, -1], ids=["as given", "backwards"])
def test_the_current_version_never_depends_on_the_order_of_files(
    stage: Stage, versions: list[Row], current: str | None, order: int
) -> None:
    """The greatest change, then the greatest load."""
    found = stage("crm.deals", *versions[::order]).current
    assert [row["lost_reason"] for row in found] == ([current] if current else [])


def test_versions_that_tie_are_decided_by_their_values_alone(stage: Stage) -> None:
    """Whole rows, never a mixture, the same one in any order of files."""
    versions = [
        {"deal_id": "d", "amount": amount, "lost_reason": reason, "currency": currency}
        for amount, reason, currency in [("1", "b", None), ("2", None, None), (None, "a", "USD")]
    ]
    orders = [versions, versions[::-1], versions[1:] + versions[:1]]
    found = [stage("crm.deals", *order).current for order in orders]
    picked = [[(row["amount"], row["lost_reason"], row["currency"]) for row in f] for f in found]
    assert picked[0] == picked[1] == picked[2]
    given = {(Decimal(1), "b", None), (Decimal(2), None, None), (None, "a", "USD")}
    assert len(picked[0]) == 1
    assert picked[0][0] in given


@pytest.mark.parametrize(
    ("versions", "current"),
    [
        ([{"full_name": "Anna"}], ("Anna", False)),
        # Retired: flagged, with the values it had or that came with the deletion.
        ([{"full_name": "Anna", "is_deleted": "true"}], ("Anna", True)),
        (
            [{"full_name": "Anna", "updated_at": "2026-03-01"},
             {"full_name": None, "updated_at": "2026-03-02", "is_deleted": "true"}],
            ("Anna", True),
        ),
        (
            [{"full_name": "Anna", "updated_at": "2026-03-01"},
             {"full_name": "Anna Ivanova", "updated_at": "2026-03-02", "is_deleted": "true"}],
            ("Anna Ivanova", True),
        ),
        # Of several whole versions the greatest; a deletion that would not be kept is none.
        (
            [{"full_name": "Anna", "updated_at": "2026-03-01"},
             {"full_name": "Anna Ivanova", "updated_at": "2026-03-02"},
             {"full_name": "Nobody", "updated_at": "2026-03-03", "is_deleted": "true",
              "hired_on": "2026-03-02", "dismissed_on": "2026-03-01"}],
            ("Anna Ivanova", True),
        ),
        # Deleted and come back.
        (
            [{"full_name": "Anna", "updated_at": "2026-03-01", "is_deleted": "true"},
             {"full_name": "Anna", "updated_at": "2026-03-02"}],
            ("Anna", False),
        ),
        # Never whole: no member.
        ([{"full_name": None, "is_deleted": "true"}], None),
        ([{"full_name": None}], None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", [1, -1], ids=["as given", "backwards"])
def test_a_deleted_member_stays_with_its_last_whole_values(
    stage: Stage, versions: list[Row], current: tuple[str, bool] | None, order: int
) -> None:
    """Managers, sources, pipelines and stages: CRMs retire what facts point at."""
    found = stage("crm.managers", *versions[::order]).current
    assert [(row["full_name"], row["is_deleted"]) for row in found] == [current] * bool(current)


def test_rows_read_are_rows_kept_plus_rows_quarantined(stage: Stage) -> None:
    """Identical rows of two files are two on both sides, and one row that exists."""
    bad, gone = {"stage_id": None}, {"is_deleted": "1"}
    files = [{"_file": name} | row for name in "ab" for row in ({}, bad, gone | {"deal_id": "e"})]
    staged = stage("crm.deals", *files)
    assert len(staged.judged) == 6
    assert len(staged.quarantined) == 2
    assert [row["deal_id"] for row in staged.current] == ["d"]


def test_an_empty_table_is_staged_empty(stage: Stage) -> None:
    """A missing one looks the same."""
    assert stage("crm.deals") == Staged([], [], [])
