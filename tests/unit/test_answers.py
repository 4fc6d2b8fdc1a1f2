"""Answers of the metrics layer follow the facts by months."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.base.sql import attach
from orchestration.metrics.answers import Answers, periods_of
from orchestration.metrics.catalogue import Catalogue
from orchestration.metrics.engine import Question

MANIFEST = """{
    "semantic_models": [
        {
            "node_relation": {"schema_name": "marts", "alias": "fct_things"},
            "defaults": {"agg_time_dimension": "done"},
            "dimensions": [{"name": "done", "expr": "done_on"}],
            "entities": [],
            "measures": [{"name": "things_done", "agg": "sum", "expr": "1"}]
        }
    ],
    "metrics": [
        {"name": "things", "type": "simple",
         "type_params": {"measure": {"name": "things_done"},
                         "input_measures": [{"name": "things_done"}]}},
        {"name": "things_so_far", "type": "cumulative",
         "type_params": {"input_measures": [{"name": "things_done"}]}}
    ],
    "project_configuration": {"time_spines": []},
    "saved_queries": []
}"""
THINGS = Question(("things",), ("metric_time__month", "thing__kind"))
BY_MONTH = (
    "select date_trunc('month', done_on)::date as metric_time__month, kind as thing__kind, "
    'count(*) as things from "marts"."fct_things" group by 1, 2'
)
JOINED = (
    "select date_trunc('month', done_on)::date as metric_time__month, "
    'kinds.kind as thing__kind, count(*) as things from "marts"."fct_things" as things '
    'left join "marts"."dim_kind" as kinds on things.kind = kinds.kind group by 1, 2'
)


class Compiled:
    """A compiler with one answer."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def sql(self, question: Question) -> str:
        return self._sql


@pytest.fixture
def marts(tmp_path) -> Path:
    file = tmp_path / "build.duckdb"
    change(
        file,
        "create schema marts; create table marts.dim_kind as select 'a' as kind; "
        "create table marts.fct_things as select * from (values "
        "(date '2026-01-05', 'a'), ('2026-01-31', 'a'), ('2026-02-01', 'a'), (null, 'a')) "
        "as t(done_on, kind)",
    )
    return file


def change(file: Path, sql: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(sql)


def asked(
    marts: Path, sql: str = BY_MONTH, question: Question = THINGS, spoiled: str = "", terms=()
) -> list[tuple]:
    """The answer's table; `spoiled` is run on it first, so that what is not asked again shows."""
    with duckdb.connect() as connection:
        attach(connection, marts)
        connection.execute("use build")
        file = marts.with_name("answers.duckdb")
        answers = Answers(connection, "build", file, Catalogue(MANIFEST), terms)
        if spoiled:
            (name,) = connection.execute(
                "select table_name from duckdb_tables() where database_name = 'answers'"
            ).fetchone()
            connection.execute(spoiled.format(f"answers.{name}"))
        table = answers.table(question, Compiled(sql))
        found = connection.execute(f"from {table} order by all nulls last").fetchall()
        answers.save()
    return found


JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
SPOILED = "update {} set things = 77"
FIRST = [(JANUARY, "a", 2), (FEBRUARY, "a", 1), (None, "a", 1)]


def test_only_months_with_other_rows_are_asked_again(marts):
    assert asked(marts) == FIRST
    assert [row[2] for row in asked(marts, spoiled=SPOILED)] == [77, 77, 77]
    change(marts, "insert into marts.fct_things values ('2026-01-09', 'a'), ('2026-03-01', 'b')")
    assert asked(marts, spoiled=SPOILED) == [
        (JANUARY, "a", 3),
        (FEBRUARY, "a", 77),
        (date(2026, 3, 1), "b", 1),
        # Rows without a day belong to no month and are cheap: they are always asked again.
        (None, "a", 1),
    ]


def test_a_month_that_lost_its_rows_is_gone_from_the_answer(marts):
    asked(marts)
    change(marts, "update marts.fct_things set done_on = '2026-01-02' where done_on > '2026-01-31'")
    assert asked(marts) == [(JANUARY, "a", 3), (None, "a", 1)]


@pytest.mark.parametrize(
    ("sql", "question", "news"),
    [
        pytest.param(
            BY_MONTH,
            Question(("things_so_far",), THINGS.by),
            "insert into marts.fct_things values ('2026-03-01', 'a')",
            id="a running total",
        ),
        pytest.param(
            JOINED, THINGS, "insert into marts.dim_kind values ('b')", id="a joined table"
        ),
    ],
)  # fmt: skip
def test_what_looks_beyond_its_period_is_asked_as_a_whole(marts, sql, question, news):
    asked(marts, sql, question)
    kept = asked(marts, sql, question, spoiled=SPOILED)
    assert {row[2] for row in kept} == {77}
    change(marts, news)
    assert 77 not in {row[2] for row in asked(marts, sql, question, spoiled=SPOILED)}


def test_other_terms_or_a_run_that_broke_off_ask_everything(marts):
    asked(marts)
    assert asked(marts, terms=("another manifest",)) == FIRST
    asked(marts, spoiled=SPOILED, terms=("another manifest",))
    marts.with_name("answers.json").unlink()
    marts.with_name("answers.duckdb.wal").write_bytes(b"of a writer that was killed")
    assert asked(marts, terms=("another manifest",)) == FIRST


def test_answers_whose_file_is_gone_are_asked_again(marts):
    asked(marts)
    marts.with_name("answers.duckdb").unlink()
    assert asked(marts) == FIRST


@pytest.mark.parametrize(
    ("grain", "periods", "months"),
    [
        ("day", 28, {2}),
        ("week", 5, {1, 2, 3}),
        ("month", 1, {2}),
        ("quarter", 1, {1, 2, 3}),
        ("year", 1, set(range(1, 13))),
    ],
)
def test_periods_that_share_a_day_with_a_month_and_the_months_of_their_days(grain, periods, months):
    found, theirs = periods_of(grain, {"2026-02-01"})
    assert len(found) == periods
    assert theirs == {date(2026, month, 1) for month in months}
