"""Questions and their answers, with a stand-in for MetricFlow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.sql import literal
from orchestration.base.terminal import visible
from orchestration.metrics.engine import Question
from orchestration.metrics.query import PublishedMetrics, Request, published_metrics
from tests import hostile

TIME = re.compile(r"\{\{ TimeDimension\('metric_time', '(\w+)'\) \}\}")
KEY = re.compile(r"\{\{ (?:Dimension|Entity)\('(\w+)'\) \}\}")
NAMES = {"calls": "sum", "answered": "sum", "answered_rate": "none"}


def metric(name: str, over_time: str) -> dict[str, object]:
    meta = {"over_time": over_time, "unit": "count" if over_time == "sum" else "ratio"}
    return {"name": name, "type": "simple", "type_params": {}, "config": {"meta": meta}}


class Layer:
    """Answers as MetricFlow would, from one table of a row for each manager and day."""

    def group_bys(self, names: list[str]) -> list[str]:
        return ["date", "manager", "metric_time__month"]

    def sql(self, question: Question) -> str:
        keys = [
            f"date_trunc('{item.rpartition('__')[2]}', day) as {item}"
            if item.startswith("metric_time")
            else item
            for item in question.by
        ]
        figures = {
            "calls": "sum(calls) as calls",
            "answered": "sum(answered) as answered",
            "answered_rate": "sum(answered) / nullif(sum(calls), 0) as answered_rate",
        }
        columns = [*keys, *(figures[name] for name in question.metrics)]
        where = [
            KEY.sub(r"\1", TIME.sub(r"date_trunc('\1', day)", text)) for text in question.where
        ]
        conditions = " and ".join(f"({text})" for text in where) or "true"
        return f"select {', '.join(columns)} from days where {conditions} group by all"


@pytest.fixture
def published() -> Iterator[PublishedMetrics]:
    manifest = {"metrics": [metric(*item) for item in NAMES.items()], "semantic_models": []}
    with duckdb.connect() as connection:
        connection.execute("create schema metrics; create schema quality")
        connection.execute(
            "create table quality.raw_reconciliation (table_name varchar, rows_kept bigint)"
        )
        text = literal(json.dumps(manifest))
        connection.execute(f"create table metrics.semantic_manifest as select {text} as manifest")
        connection.execute(
            """
            create table days as select * from (values
                (date '2025-07-02', 'zoe', 2, 1), (date '2026-05-31', 'zoe', 5, 0),
                (date '2026-06-10', 'zoe', 10, 5), (date '2026-06-20', 'zoe', 10, 0),
                (date '2026-07-05', 'zoe', 30, 15), (date '2026-07-20', 'zoe', 10, 0),
                (date '2026-07-06', 'bob', 40, 10), (date '2026-07-07', 'amy', 40, 10),
                (date '2026-08-01', 'bob', 8, 8)
            ) as days(day, manager, calls, answered)
            """
        )
        found = PublishedMetrics(connection)
        found.compiler = Layer()
        yield found


def rows(published: PublishedMetrics, *metrics: str, **asked: object) -> list[tuple[object, ...]]:
    return published.answer(Request(metrics, **asked)).rows


def test_ties_are_ordered_by_period_and_keys(published: PublishedMetrics) -> None:
    asked = {"by": ("manager",), "where": ("metric_time < '2026-08-01'",), "order": ("-calls",)}
    july, june = date(2026, 7, 1), date(2026, 6, 1)
    assert rows(published, "calls", grain="month", limit=4, **asked) == [
        (july, "amy", 40),
        (july, "bob", 40),
        (july, "zoe", 40),
        (june, "zoe", 20),
    ]
    sql = published.sql(Request(("calls",), ("manager",), order=("manager desc",)))
    assert sql.endswith('order by "manager" desc nulls last')


@pytest.mark.parametrize(
    "condition",
    [
        "metric_time >= '2026-07-01'",
        "metric_time between '2026-07-01' and '2026-08-31'",
        "metric_time__month in ('2026-07-01', '2026-08-01')",
        "metric_time__year = '2026-01-01' and metric_time__quarter = '2026-07-01'",
        "year(metric_time) = 2026 and month(metric_time) > 6",
    ],
)
def test_a_period_is_compared_with_one_outside_the_range(
    published: PublishedMetrics, condition: str
) -> None:
    found = rows(published, "calls", grain="month", compare="previous", where=(condition,))
    assert found == [
        (date(2026, 7, 1), 120, 20, pytest.approx(5.0)),
        (date(2026, 8, 1), 8, 120, pytest.approx(8 / 120 - 1)),
    ]


def test_a_part_of_a_period_is_compared_with_the_same_part(published: PublishedMetrics) -> None:
    where = ("metric_time between '2026-07-01' and '2026-07-15'",)
    found = rows(published, "calls", grain="month", compare="previous", where=where)
    assert found == [(date(2026, 7, 1), 110, 10, pytest.approx(10.0))]


def test_a_week_without_an_earlier_one_in_the_data_is_compared_with_0(
    published: PublishedMetrics,
) -> None:
    where = ("metric_time__month = '2026-06-01'",)
    found = rows(published, "calls", grain="week", compare="previous", where=where)
    assert found == [(date(2026, 6, 8), 10, 0, None), (date(2026, 6, 15), 10, 10, 0.0)]


def test_a_year_ago_is_outside_the_range_too(published: PublishedMetrics) -> None:
    where = ("metric_time >= '2026-06-01'", "manager = 'zoe'")
    found = rows(published, "calls", "answered_rate", grain="month", compare="year", where=where)
    assert found == [
        # Before July 2025 nothing is known.
        (date(2026, 6, 1), 20, None, None, 0.25, None, None),
        (date(2026, 7, 1), 40, 2, 19.0, 0.375, 0.5, -0.25),
    ]
    weeks = rows(published, "calls", grain="week", compare="year", where=where)
    assert (date(2026, 6, 29), 30, 2, 14.0) in weeks


def test_counts_of_nothing_are_0_before_and_quotients_unknown(published: PublishedMetrics) -> None:
    asked = {"grain": "month", "compare": "previous", "by": ("manager",)}
    where = ("metric_time__month = '2026-07-01'",)
    found = rows(published, "calls", "answered_rate", where=where, **asked)
    assert [row[1:6] for row in found] == [
        ("amy", 40, 0, None, 0.25),
        ("bob", 40, 0, None, 0.25),
        ("zoe", 40, 20, 1.0, 0.375),
    ]
    assert [row[6] for row in found] == [None, None, 0.25]
    first = ("metric_time__month = '2025-07-01'",)
    assert rows(published, "calls", where=first, **asked) == [
        (date(2025, 7, 1), "zoe", 2, None, None)
    ]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"where": ("date > '2026-07-01'",)}, "cannot move a condition on date"),
        ({"by": ("date",)}, "A date has no period before it."),
        ({"grain": None}, "--compare needs periods."),
    ],
)
def test_what_cannot_be_compared_says_why(
    published: PublishedMetrics, asked: dict[str, object], error: str
) -> None:
    with pytest.raises(WrongUse, match=re.escape(error)):
        published.sql(Request(("calls",), **{"grain": "month", "compare": "previous", **asked}))


def shorter(texts: list[str]) -> list[object]:
    """Texts as cases whose names a terminal can show."""
    return [pytest.param(text, id=f"{number}") for number, text in enumerate(texts)]


def refused(published: PublishedMetrics, **asked: object) -> WrongUse:
    """Why a question is refused before anything is run; in one line each, and not a long one."""
    with pytest.raises(WrongUse) as caught:
        published.sql(Request(("calls",), **{"by": ("manager",), **asked}))
    for line in (caught.value.message, caught.value.remedy):
        assert len(visible(line).splitlines()) == 1
        assert len(line) < 500
    return caught.value


@pytest.mark.parametrize("text", shorter(hostile.CONDITIONS))
def test_what_is_no_condition_is_refused(published: PublishedMetrics, text: str) -> None:
    error = refused(published, where=(hostile.armed(text, "/o", "/s"),))
    assert "--where" in error.message or "is no dimension of these metrics" in error.message


@pytest.mark.parametrize("text", shorter(hostile.TEXTS))
def test_a_text_in_quotes_is_a_text(published: PublishedMetrics, text: str) -> None:
    assert rows(published, "calls", by=("manager",), where=(text,)) == []
    with_all = f"manager = 'amy' or ({text.split(' -- ;')[0].removesuffix(';')})"
    assert rows(published, "calls", by=("manager",), where=(with_all,)) == [("amy", 40)]


@pytest.mark.parametrize("text", shorter(hostile.ORDERS))
def test_what_is_no_column_orders_nothing(published: PublishedMetrics, text: str) -> None:
    error = refused(published, order=(text,))
    assert error.message.startswith("--order ")
    assert error.message.endswith(": that is no column of this answer.")
    assert error.remedy == "One of manager, calls; the greatest first as -calls or 'calls desc'."


@pytest.mark.parametrize("by", ["manager; drop", 'manager"', "(select 1)", "*", "", "x" * 9_999])
def test_what_is_no_dimension_is_refused(published: PublishedMetrics, by: str) -> None:
    assert "no dimension of these metrics" in refused(published, by=(by,)).message


def test_names_are_found_in_conditions_as_in_by(published: PublishedMetrics) -> None:
    asked = {"by": ("manager",), "order": ("CALLS DESC",)}
    assert rows(published, "calls", where=("MANAGER = 'zoe' and year(metric_time) = 2026",)) == [
        (65,)
    ]
    found = rows(published, "calls", where=("metric_time__month = '2026-07-01'",), **asked)
    assert [row[1] for row in found] == [40, 40, 40]


@pytest.mark.parametrize(
    "sql",
    [
        "select content as calls from read_text('SECRET')",
        "select unspoken as calls from 'SECRET'",
        "select count(*) as calls from glob('/*')",
        "copy (select 1) to 'OUT'",
        "attach 'OUT'",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "install httpfs",
        "load 'OUT'",
        "select 1; select 2",
        "create table t as select 1",
    ],
)
def test_a_session_of_questions_reaches_no_file(
    published: PublishedMetrics, tmp_path: Path, sql: str
) -> None:
    """Whatever a compiler would make of a question: a second wall behind the first."""
    secret = tmp_path / "secret.csv"
    secret.write_text("unspoken")
    file = tmp_path / "p" / "voronka.duckdb"
    file.parent.mkdir()
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema metrics")
        text = literal(json.dumps(published.catalogue.manifest))
        connection.execute(f"create table metrics.semantic_manifest as select {text} as manifest")
    with published_metrics(file) as metrics:
        metrics.compiler = Made(hostile.armed(sql, tmp_path / "out", secret))
        with pytest.raises(WrongUse) as caught:
            metrics.answer(Request(("calls",)))
    assert "unspoken" not in str(caught.value)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["p", "secret.csv"]
    assert [item.name for item in file.parent.iterdir()] == ["voronka.duckdb"]


class Made:
    """A compiler whose statement was made by somebody else."""

    def __init__(self, sql: str) -> None:
        is_one = sql.startswith("select") and ";" not in sql
        ending = "select * from (select 1 from (select 1"
        self._sql = sql if is_one else f"select 1 as calls) t); {sql}; {ending}"

    def sql(self, question: Question) -> str:
        return self._sql
