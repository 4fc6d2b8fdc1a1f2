"""Questions and their answers, with a stand-in for MetricFlow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.sql import literal
from orchestration.metrics.engine import Question
from orchestration.metrics.query import PublishedMetrics, Request

TIME = re.compile(r"\{\{ TimeDimension\('metric_time', '(\w+)'\) \}\}")
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
        where = [TIME.sub(r"date_trunc('\1', day)", text) for text in question.where]
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
    asked = {"by": ("manager",), "where": ("day < '2026-08-01'",), "order": ("-calls",)}
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
        ({"where": ("{{ Entity('date') }} > '2026-07-01'",)}, "cannot move a condition on date"),
        ({"where": ("{{ TimeDimension('metric_time') }} > '2026-07-01'",)}, "on metric_time to"),
        ({"by": ("date",)}, "A date has no period before it."),
        ({"grain": None}, "--compare needs periods."),
    ],
)
def test_what_cannot_be_compared_says_why(
    published: PublishedMetrics, asked: dict[str, object], error: str
) -> None:
    with pytest.raises(WrongUse, match=re.escape(error)):
        published.sql(Request(("calls",), **{"grain": "month", "compare": "previous", **asked}))
