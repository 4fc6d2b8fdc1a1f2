"""Answers of the metrics layer follow the facts by cells: a period and a member."""

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.base.sql import attach
from orchestration.metrics.answers import Answers
from orchestration.metrics.catalogue import Catalogue
from orchestration.metrics.engine import Question
from orchestration.metrics.parity import ComparedMart, Side, compare


def simple(name: str, **params: object) -> dict:
    measures = {"input_measures": [{"name": "things_done"}]}
    meta = {"over_time": "sum", "unit": "count"}
    return {"name": name, "type": "simple", "config": {"meta": meta}} | {
        "type_params": {"measure": {"name": "things_done"}} | measures | params
    }


THE_MANIFEST = {
    "semantic_models": [
        {
            "node_relation": {"schema_name": "marts", "alias": "fct_things"},
            "defaults": {"agg_time_dimension": "done"},
            "dimensions": [{"name": "done", "expr": "done_on"}],
            "entities": [{"name": "manager", "type": "foreign", "expr": "done_by"}],
            "measures": [{"name": "things_done", "agg": "sum", "expr": "1"}],
        },
        {
            "node_relation": {"schema_name": "marts", "alias": "dim_manager"},
            "defaults": None,
            "dimensions": [],
            "entities": [{"name": "manager", "type": "primary", "expr": "manager_id"}],
            "measures": [],
        },
    ],
    "metrics": [simple("things"), simple("things_so_far") | {"type": "cumulative"}],
    "project_configuration": {"time_spines": []},
    "saved_queries": [],
}
MANIFEST = json.dumps(THE_MANIFEST)
THINGS = Question(("things",), ("metric_time__month", "thing__kind"))
BY_MONTH = (
    "select date_trunc('month', done_on)::date as metric_time__month, kind as thing__kind, "
    'count(*) as things from "marts"."fct_things" group by 1, 2'
)
JOINED = (
    "with kinds as (select kind from marts.dim_kind) "
    "select date_trunc('month', done_on)::date as metric_time__month, "
    'kinds.kind as thing__kind, count(*) as things from "marts"."fct_things" as things '
    "left join kinds on things.kind = kinds.kind group by 1, 2"
)
LOOKED_AT = "with them as (select done_on as day from marts.fct_things) " + BY_MONTH.replace(
    "group by", "as things inner join them on done_on = them.day group by"
)
OF_MANAGERS = Question(("things",), ("metric_time__month", "manager", "manager__name"))
BY_MANAGER = (
    "select date_trunc('month', done_on)::date as metric_time__month, done_by as manager, "
    'name as manager__name, count(*) as things from "marts"."fct_things" as things '
    'left join "marts"."dim_manager" as managers on things.done_by = managers.manager_id '
    "group by 1, 2, 3"
)
# Who has rows on the last day that has any decides which day that is.
ON_LAST_DAYS = BY_MANAGER.replace(
    "group by",
    "inner join (select max(done_on) as last_day from marts.fct_things "
    "group by date_trunc('month', done_on)) as lasts on done_on = last_day group by",
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
        """
        create schema marts;
        create table marts.dim_kind as select 'a' as kind;
        create table marts.dim_manager as
        select * from (values ('1', 'Ann'), ('2', 'Bob')) as t(manager_id, name);
        create table marts.fct_things as select * from (values
            (date '2026-01-05', 'a', '1'), ('2026-01-31', 'a', '2'), ('2026-02-01', 'a', '1'),
            ('2026-02-27', 'a', '2'), ('2026-04-01', 'a', '1'), ('2026-05-01', 'a', '1'),
            ('2026-06-01', 'a', null), (null, 'a', '1')
        ) as t(done_on, kind, done_by)
        """,
    )
    return file


def change(file: Path, sql: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(sql)


def asked(
    marts: Path,
    sql: str = BY_MONTH,
    question: Question = THINGS,
    spoiled: bool = False,
    terms=(),
    manifest: str = MANIFEST,
) -> list[tuple]:
    """The answer's table; its figures are 77 first where it is to show what is not asked again."""
    with duckdb.connect() as connection:
        attach(connection, marts)
        connection.execute("use build")
        file = marts.with_name("answers.duckdb")
        answers = Answers(connection, "build", file, Catalogue(manifest), terms)
        if spoiled:
            (name,) = connection.execute(
                "select table_name from duckdb_tables() "
                "where database_name = 'answers' and starts_with(table_name, 'answer_')"
            ).fetchone()
            connection.execute(f"update answers.{name} set things = 77")
        table = answers.answer(question, Compiled(sql)).table
        found = connection.execute(f"from {table} order by all nulls last").fetchall()
        answers.save()
    return found


def month(number: int) -> date:
    return date(2026, number, 1)


def figures(rows: list[tuple]) -> list[int]:
    return [row[-1] for row in rows]


FIRST = [(month(1), "a", 2), (month(2), "a", 2)] + [
    (day, "a", 1) for day in (month(4), month(5), month(6), None)
]


def test_only_months_with_other_rows_are_asked_again(marts):
    assert asked(marts) == FIRST
    assert figures(asked(marts, spoiled=True)) == [77] * 6
    change(
        marts,
        "insert into marts.fct_things values "
        "('2026-01-09', 'a', '2'), ('2026-03-01', 'b', '1'), (null, 'a', '2')",
    )
    assert asked(marts, spoiled=True) == [
        (month(1), "a", 3),
        (month(2), "a", 77),
        (month(3), "b", 1),
        *[(day, "a", 77) for day in (month(4), month(5), month(6))],
        (None, "a", 2),
    ]


def test_a_month_that_lost_its_rows_is_gone_from_the_answer(marts):
    asked(marts)
    change(marts, "update marts.fct_things set done_on = '2026-01-02' where done_on = '2026-04-01'")
    assert asked(marts) == [(month(1), "a", 3), *FIRST[1:2], *FIRST[3:]]


def test_only_members_with_other_rows_are_asked_again(marts):
    asked(marts, BY_MANAGER, OF_MANAGERS)
    change(marts, "update marts.fct_things set done_by = '2' where done_on = '2026-01-05'")
    change(marts, "insert into marts.fct_things values ('2026-06-02', 'a', null)")
    assert asked(marts, BY_MANAGER, OF_MANAGERS, spoiled=True) == [
        (month(1), "2", "Bob", 2),
        (month(2), "1", "Ann", 77),
        (month(2), "2", "Bob", 77),
        (month(4), "1", "Ann", 77),
        (month(5), "1", "Ann", 77),
        (month(6), None, None, 2),
        (None, "1", "Ann", 77),
    ]


def test_a_renamed_member_is_asked_again_in_all_its_periods(marts):
    asked(marts, BY_MANAGER, OF_MANAGERS)
    change(marts, "update marts.dim_manager set name = 'Rob' where manager_id = '2'")
    found = asked(marts, BY_MANAGER, OF_MANAGERS, spoiled=True)
    assert [row[1:] for row in found if row[1] == "2"] == [("2", "Rob", 1)] * 2
    assert {row[3] for row in found if row[1] != "2"} == {77}


def test_a_last_day_is_that_of_all_members(marts):
    """Bob's rows of January are on its last day, Ann's are not: she has none then, as before."""
    manifest = json.loads(MANIFEST)
    manifest["semantic_models"][0]["measures"][0]["non_additive_dimension"] = {
        "name": "done",
        "window_choice": "max",
    }
    terms = {"sql": ON_LAST_DAYS, "question": OF_MANAGERS, "manifest": json.dumps(manifest)}
    before = asked(marts, **terms)
    assert [row[1] for row in before if row[0] == month(1)] == ["2"]
    change(marts, "insert into marts.fct_things values ('2026-01-06', 'a', '1')")
    assert asked(marts, **terms) == before


@pytest.mark.parametrize(
    ("sql", "question", "news"),
    [
        pytest.param(
            BY_MONTH,
            Question(("things_so_far",), THINGS.by),
            "insert into marts.fct_things values ('2026-03-01', 'a', '1')",
            id="a running total",
        ),
        pytest.param(
            JOINED, THINGS, "insert into marts.dim_kind values ('b')", id="a joined table"
        ),
        pytest.param(
            LOOKED_AT,
            THINGS,
            "insert into marts.fct_things values ('2026-03-01', 'a', '1')",
            id="a fact whose rows others look at",
        ),
    ],
)
def test_what_looks_beyond_its_period_is_asked_as_a_whole(marts, sql, question, news):
    sql = sql.replace("as things from", f"as {question.metrics[0]} from")
    spoil = {"sql": sql, "question": question}
    first = asked(marts, **spoil)
    with duckdb.connect(str(marts.with_name("answers.duckdb"))) as connection:
        ((name,),) = connection.execute(
            "select table_name from duckdb_tables() where starts_with(table_name, 'answer_')"
        ).fetchall()
        connection.execute(f"update {name} set {question.metrics[0]} = 77")
    assert figures(asked(marts, **spoil)) == [77] * len(first)
    change(marts, news)
    assert 77 not in figures(asked(marts, **spoil))


def test_other_terms_or_a_run_that_broke_off_ask_everything(marts):
    asked(marts)
    assert asked(marts, terms=("another manifest",)) == FIRST
    asked(marts, spoiled=True, terms=("another manifest",))
    marts.with_name("answers.json").unlink()
    marts.with_name("answers.duckdb.wal").write_bytes(b"of a writer that was killed")
    assert asked(marts, terms=("another manifest",)) == FIRST


def test_answers_whose_file_is_gone_are_asked_again(marts):
    asked(marts)
    marts.with_name("answers.duckdb").unlink()
    assert asked(marts) == FIRST


MART = ComparedMart(
    "marts", "kpi", "day", "month", {"manager_id": "manager"}, {}, (), False, False, ("things",)
)
KPI = (
    "create or replace table marts.kpi as select date_trunc('month', done_on)::date as day, "
    "done_by as manager_id, count(*) as things from marts.fct_things where done_on is not null "
    "group by all"
)
BY_MANAGER_ALONE = BY_MANAGER.replace("name as manager__name, ", "").replace("1, 2, 3", "1, 2")


def compared(marts: Path, only_saves: bool = True) -> list[str]:
    """What a comparison finds where the last one is remembered; `[]` is saved."""
    catalogue = Catalogue(MANIFEST)
    with duckdb.connect() as connection:
        attach(connection, marts)
        connection.execute("use build")
        answers = Answers(connection, "build", marts.with_name("answers.duckdb"), catalogue, ())

        def ask(mart: ComparedMart, grain: str) -> Side:
            sql = f"select * from ({BY_MANAGER_ALONE}) where metric_time__month is not null"
            answer = answers.answer(mart.question(catalogue, grain), Compiled(sql))
            cells = answers.compared(answer, mart.rows(catalogue, grain, answer.entity))
            return Side(answer.table, cells, answer.entity)

        (found,) = compare(connection, ask, catalogue, [MART])
        if only_saves and not found.differing:
            answers.save()
    return [str(example) for example in found.examples]


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param("update marts.kpi set things = 5 where day = '2026-02-01'", id="a figure"),
        pytest.param("delete from marts.kpi where day = '2026-02-01'", id="a row that is missing"),
        pytest.param("insert into marts.kpi values ('2026-02-01', '9', 1)", id="a row too many"),
        pytest.param(
            "insert into marts.fct_things values ('2026-02-03', 'a', '1')",
            id="a row that the mart missed",
        ),
    ],
)
def test_a_disagreement_in_a_month_that_the_day_did_not_touch_is_found(marts, planted):
    """The day's rows are of May; whoever changed February's mart or facts, it is compared."""
    change(marts, KPI)
    assert compared(marts) == []
    change(marts, "insert into marts.fct_things values ('2026-05-09', 'a', '2')")
    change(marts, KPI)
    assert compared(marts) == []
    change(marts, planted)
    found = compared(marts)
    assert found and all("day 2026-02-01" in line for line in found)
    # It is not forgotten: nothing is noted before all agree.
    assert compared(marts) == found


def test_only_what_changed_is_compared(marts):
    """A disagreement that was in the file when it agreed is out of sight: that it was compared."""
    change(marts, KPI)
    assert compared(marts) == []
    with duckdb.connect(str(marts.with_name("answers.duckdb"))) as connection:
        ((name,),) = connection.execute(
            "select table_name from duckdb_tables() where starts_with(table_name, 'answer_')"
        ).fetchall()
        connection.execute(f"update {name} set things = 77")
    assert compared(marts) == []
    change(marts, "insert into marts.fct_things values ('2026-04-09', 'a', '2')")
    change(marts, KPI)
    assert compared(marts) == []
    change(marts, "insert into marts.fct_things values ('2026-04-10', 'a', '1')")
    assert compared(marts) == [
        "things by month, day 2026-04-01, manager_id 1: marts.kpi has 1, the metrics layer 2"
    ]


def test_what_was_running_when_it_was_compared_is_compared_again(marts):
    change(marts, KPI)
    change(marts, "update marts.kpi set things = 5 where day in ('2026-04-01', '2026-05-01')")
    with duckdb.connect(str(marts)) as connection:
        connection.execute("create temp table nothing (period date, member varchar)")
        sql = f"(select * from ({BY_MANAGER_ALONE}) where metric_time__month is not null)"
        side = Side(sql, "temp.main.nothing", "manager", until="2026-05-20")
        (found,) = compare(connection, lambda *_: side, Catalogue(MANIFEST), [MART])
    assert [example.key["day"] for example in found.examples] == ["2026-05-01"]
    # The figures are all that the mart has, not those that were looked at.
    assert found.figures == 7


def test_a_sum_of_more_than_64_bits_is_an_answer(marts):
    huge = BY_MONTH.replace("count(*)", "sum(9223372036854775807)")
    assert figures(asked(marts)) == figures(FIRST)
    assert figures(asked(marts, huge))[:2] == [2 * (2**63 - 1)] * 2
    change(marts, "insert into marts.fct_things values ('2026-02-03', 'a', '1')")
    assert figures(asked(marts, huge))[:2] == [2 * (2**63 - 1), 3 * (2**63 - 1)]
