"""The metrics layer without dbt: what every metric says of itself, and the pure parts."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import ChecksFailed
from orchestration.base.record import FAIL, Record
from orchestration.base.settings import Settings
from orchestration.cli.mart_index import PROJECT_DIR, load_marts
from orchestration.metrics.catalogue import (
    ALL_GRAINS,
    ALL_TIME,
    ENGLISH,
    GROUPS,
    LAST,
    NEITHER,
    RUSSIAN,
    SUM,
    Catalogue,
)
from orchestration.metrics.conditions import Values, moved, parse, template, written
from orchestration.metrics.engine import Compiler, Question, local_manifest
from orchestration.metrics.exports import (
    Export,
    questions_of,
    to_date_parts,
    to_date_parts_sql,
    with_metrics,
    with_running_figures,
)
from orchestration.metrics.glossary import read_metrics
from orchestration.metrics.parity import Agreement, ComparedMart, Difference
from orchestration.metrics.russian import read_names, russian_names
from orchestration.metrics.step import measure
from tests.builds import compare_file

CATALOGUE = read_metrics(PROJECT_DIR)
MARTS = {mart.name: mart for mart in load_marts(PROJECT_DIR)}
UNITS = {"count", "seconds", "minutes", "hours", "days", "currency", "ratio", "score"}
NO_FIGURES = {
    *("period_grain", "period_start", "date_day", "manager_id", "manager_name", "team", "role"),
    *("source_id", "source_name", "channel"),
}


@pytest.mark.parametrize("name", CATALOGUE.metrics)
def test_every_metric_says_what_it_is_in_both_languages(name: str) -> None:
    metric = CATALOGUE.metrics[name]
    for language in (ENGLISH, RUSSIAN):
        assert metric.labels[language]
        assert metric.descriptions[language].endswith(".")
    assert re.search("[а-яё]", metric.labels[RUSSIAN], re.IGNORECASE)
    assert not re.search("[а-яё]", metric.labels[ENGLISH], re.IGNORECASE)
    assert metric.unit in UNITS
    assert metric.good_direction in {"up", "down", "none"}
    assert metric.group in GROUPS
    assert metric.over_time in {SUM, LAST, NEITHER}
    assert set(metric.grains) | set(metric.at_grain) <= {*ALL_GRAINS, ALL_TIME}
    assert set(metric.at_grain.values()) <= set(CATALOGUE.metrics)


@pytest.mark.parametrize("language", [ENGLISH, RUSSIAN])
def test_no_two_metrics_have_the_same_label(language: str) -> None:
    labels = [metric.labels[language] for metric in CATALOGUE.metrics.values()]
    assert sorted({label for label in labels if labels.count(label) > 1}) == []


@pytest.mark.parametrize(
    "mart",
    ["kpi_daily", "kpi_manager_period", "kpi_company_period", "kpi_source_period"],
)
def test_every_figure_of_the_kpi_marts_is_a_metric(mart: str) -> None:
    columns = [column.name for column in MARTS[mart].columns]
    assert [name for name in columns if name not in {*CATALOGUE.metrics, *NO_FIGURES}] == []


def test_there_are_more_than_eighty_metrics() -> None:
    assert len(CATALOGUE.public) > 80


@pytest.mark.parametrize("mart", [name for name in MARTS if MARTS[name].schema == "marts"])
def test_every_column_has_a_russian_name_of_its_own(mart: str) -> None:
    columns = [column.name for column in MARTS[mart].columns]
    names = russian_names(columns, CATALOGUE, read_names(PROJECT_DIR))
    assert [name for name in names.values() if not re.search("[А-Яа-яЁё]", name)] == []
    assert len(set(names.values())) == len(columns)


def test_russian_names_are_told_apart() -> None:
    assert russian_names(
        ["a", "b"], Catalogue('{"metrics": []}'), {"a": "Сумма", "b": "Сумма"}
    ) == {
        "a": "Сумма",
        "b": "Сумма (b)",
    }


def test_the_catalogue_is_searched_in_both_languages() -> None:
    assert "meeting_show_rate" in {metric.name for metric in CATALOGUE.search(["ДОХОДИМОСТЬ"])}
    assert [metric.name for metric in CATALOGUE.search(["win", "rate"])] == ["win_rate"]
    assert CATALOGUE.search(["win", "rate"], group="funnel") == []
    # Variants of a metric for one grain are not what people look for.
    assert {metric.name for metric in CATALOGUE.search(["отток"])} >= {"churn_rate"}
    assert "churn_rate_by_week" not in {metric.name for metric in CATALOGUE.search(["churn"])}


def test_a_metric_knows_the_grains_it_can_be_asked_at() -> None:
    churn, cost = CATALOGUE.metrics["churn_rate"], CATALOGUE.metrics["sales_cost"]
    assert churn.name_at("month") == churn.name_at(None) == "churn_rate"
    assert churn.name_at("week") == "churn_rate_by_week"
    assert cost.name_at("quarter") == "sales_cost"
    assert cost.name_at("week") is None


TEAM, ENTITIES = "{{ Dimension('manager__team') }}", frozenset({"manager", "source", "date"})


def rewritten(condition: str) -> str:
    with duckdb.connect() as connection:
        values = Values()
        tree = parse(connection, condition)
        return values.fill(written(tree, lambda name: template(name, ENTITIES), values))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("manager__team = 'North'", f"({TEAM} = 'North')"),
        ("manager = 'm-1'", "({{ Entity('manager') }} = 'm-1')"),
        ("metric_time > '2026-01-01'",
         "({{ TimeDimension('metric_time', 'day') }} > '2026-01-01')"),
        ("metric_time__month = '2026-01-01'",
         "({{ TimeDimension('metric_time', 'month') }} = '2026-01-01')"),
        ("deal__created_on__year <> '2026-01-01'",
         "({{ TimeDimension('deal__created_on', 'year') }} <> '2026-01-01')"),
        ("manager__team = 'manager__team'", f"({TEAM} = 'manager__team')"),
        ("manager__team = 'it''s'", f"({TEAM} = 'it''s')"),
        # What MetricFlow would take for a template, and what it would indent.
        ("manager__team = 'a{{b}}'", f"({TEAM} = ('a' || chr(123) || '' || chr(123) || 'b}}}}'))"),
        ("manager__team = 'a\nb'", f"({TEAM} = ('a' || chr(10) || 'b'))"),
        ("manager__team in ('a', 'b') -- no", f"({TEAM} in ('a', 'b'))"),
        ("manager__team not in ('a')", f"({TEAM} not in ('a'))"),
        ("not (manager__team not like 'a%' or true)",
         f"(not (({TEAM} not like 'a%') or cast('t' as BOOLEAN)))"),
        ("manager__team is null and manager__team is not null and 1 = 1",
         f"(({TEAM} is null) and ({TEAM} is not null) and (1 = 1))"),
        ("lower(manager__team) between 'a' and 'b'", f"(lower({TEAM}) between 'a' and 'b')"),
        ("manager__team is distinct from 1.50", f"({TEAM} is distinct from 1.50)"),
        ("manager__team > -12345678901234567890123", f"({TEAM} > -12345678901234567890123)"),
        ("manager__team >= 1e-5 + 2", f"({TEAM} >= (1e-05 + 2))"),
        ("date < date '2026-02-01' - interval 2 month",
         "({{ Entity('date') }} < (cast('2026-02-01' as DATE) - "
         "to_months(cast(trunc(cast(2 as DOUBLE)) as INTEGER))))"),
        ("extract(year from metric_time) = 2026",
         "(date_part('year', {{ TimeDimension('metric_time', 'day') }}) = 2026)"),
        ("manager__team = $$x') ; drop$$", f"({TEAM} = 'x'') ; drop')"),
    ],
)  # fmt: skip
def test_conditions_are_written_anew(condition: str, expected: str) -> None:
    assert rewritten(condition) == expected


@pytest.mark.parametrize(
    ("name", "grain", "step", "expected"),
    [
        ("manager__team", "month", "interval 1 month", TEAM),
        ("metric_time", "month", "interval 1 month",
         "date_trunc('day', {{ TimeDimension('metric_time', 'day') }} + interval 1 month)"),
        # An hour before midnight is another day, a week before the 5th may be another month.
        ("metric_time", "hour", "interval 1 hour",
         "date_trunc('day', {{ TimeDimension('metric_time', 'hour') }} + interval 1 hour)"),
        ("metric_time__month", "week", "interval 1 week",
         "date_trunc('month', {{ TimeDimension('metric_time', 'day') }} + interval 1 week)"),
        # Some figures have no days.
        ("metric_time__week", "week", "interval 1 week",
         "date_trunc('week', {{ TimeDimension('metric_time', 'week') }} + interval 1 week)"),
        ("metric_time__year", "month", "interval 1 month",
         "date_trunc('year', {{ TimeDimension('metric_time', 'month') }} + interval 1 month)"),
    ],
)  # fmt: skip
def test_conditions_move_to_the_period_before(
    name: str, grain: str, step: str, expected: str
) -> None:
    assert moved(name, grain, step, ENTITIES) == expected


def test_a_manifest_for_any_database_names_none() -> None:
    node = {
        "alias": "f",
        "schema_name": "marts",
        "database": "b",
        "relation_name": '"b"."marts"."f"',
    }
    text = json.dumps(
        {
            "semantic_models": [{"node_relation": dict(node)}],
            "project_configuration": {"time_spines": [{"node_relation": dict(node)}]},
        }
    )
    found = json.loads(local_manifest(text))
    for item in (*found["semantic_models"], *found["project_configuration"]["time_spines"]):
        assert item["node_relation"]["relation_name"] == '"marts"."f"'
        assert item["node_relation"]["database"] is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("calls", ({"calls"}, set())),
        ("win_rate", ({"deals_won", "deals_lost"}, set())),
        ("median_cycle_days", (set(), {"median_cycle_days"})),
        ("open_deals", (set(), {"open_deals"})),
        ("arpc", ({"revenue"}, {"active_customers"})),
        # Known by month only, so days do not add up to it.
        ("cac", ({"ad_spend", "new_customers"}, {"sales_cost"})),
        ("churn_rate", None),
        ("clv", None),
        ("lead_to_meeting_30d_rate", None),
        ("romi", ({"advertised_revenue_by_year", "ad_spend"}, set())),
        ("retention_rate", None),
    ],
)
def test_a_year_to_date_is_made_of_what_adds_up(
    name: str, parts: tuple[set[str], set[str]] | None
) -> None:
    assert to_date_parts(CATALOGUE, name) == parts


def test_quotients_are_computed_from_summed_parts() -> None:
    sql = with_metrics(
        "select 1 as deals_won, 3 as deals_lost, 0 as surveys, 0 as surveys_positive",
        CATALOGUE,
        ["win_rate", "csat"],
        {"deals_won", "deals_lost", "surveys", "surveys_positive"},
    )
    assert duckdb.sql(f"select win_rate, csat from ({sql})").fetchall() == [(0.25, None)]


def test_a_year_to_date_is_by_the_years_definition() -> None:
    """Revenue of a month without advertising counts in a year with some."""
    sql = with_metrics(
        "select 9 as advertised_revenue_by_year, 1 as advertised_revenue, 3 as ad_spend",
        CATALOGUE,
        ["romi"],
        {"advertised_revenue_by_year", "advertised_revenue", "ad_spend"},
    )
    assert duckdb.sql(f"select romi from ({sql})").fetchall() == [(2,)]


def test_a_metric_without_a_grain_is_that_of_all_time() -> None:
    romi = CATALOGUE.metrics["romi"]
    assert (romi.name_at(None), romi.name_at("month"), romi.name_at("week")) == (
        *("romi_ever", "romi", "romi_by_week"),
    )
    assert romi.name_at("hour") is None
    assert romi.all_grains == ("month", "day", "week", "quarter", "year")
    assert CATALOGUE.metrics["revenue"].name_at(None) == "revenue"


def test_running_figures_are_made_where_days_do_not_add_up() -> None:
    manifest = {
        "metrics": [
            {"name": "m", "type": "simple", "type_params": {"measure": {"name": "m"}},
             "config": {"meta": {"over_time": "none"}}},
            {"name": "s", "type": "simple", "type_params": {"measure": {"name": "s"}},
             "config": {"meta": {"over_time": "sum"}}},
        ],
        "project_configuration": {"time_spines": []},
    }  # fmt: skip
    found = json.loads(with_running_figures(json.dumps(manifest)))["metrics"]
    assert [item["name"] for item in found] == ["m", "s", "m__year_to_date"]
    assert found[-1]["type_params"]["cumulative_type_params"]["grain_to_date"] == "year"


def test_scorecards_of_managers_and_teams_share_their_daily_sums() -> None:
    by_manager = ("manager", "manager__name", "manager__team")
    exports = [
        Export("company", "", ("revenue",), "month", ()),
        Export("team", "", ("revenue", "median_cycle_days"), "month", ("manager__team",)),
        Export("manager", "", ("calls", "win_rate"), "week", by_manager),
        Export("source", "", ("open_deals",), "month", ("source",)),
    ]
    asked = questions_of(exports, CATALOGUE)
    sums = ("calls", "deals_lost", "deals_won", "revenue")
    shared = Question(sums, ("metric_time__day", *by_manager))
    assert asked["manager"].daily == asked["team"].daily == shared
    assert (asked["manager"].sums, asked["team"].sums) == (sums[:3], sums[3:])
    assert asked["company"].daily == Question(("revenue",), ("metric_time__day",))
    assert asked["team"].running_names == {"median_cycle_days__year_to_date": "median_cycle_days"}
    # A state is itself at the end of the year to date.
    source = asked["source"]
    assert (source.daily, source.running, source.states) == (None, None, ("open_deals",))


class Threads(Compiler):
    """Its answers say which thread compiled them."""

    def _compile(self, question: Question) -> str:
        return threading.current_thread().name


def test_questions_are_compiled_ahead_by_a_worker() -> None:
    compiler, known, other = Threads("{}"), Question(("calls",)), Question(("revenue",))
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as worker:
        compiler.ahead([known, known], worker)
        assert compiler.sql(known).startswith("ahead")
        assert compiler.sql(other) == threading.current_thread().name
    assert compiler.sql(known).startswith("ahead")


def test_a_week_across_new_year_is_counted_in_both_years() -> None:
    weekly = Export("card", "", ("calls",), "week", ("manager__team",))
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table daily_sums as
            select * from (values
                (date '2025-12-22', null, 1), (date '2025-12-31', null, 10),
                (date '2026-01-01', null, 100), (date '2026-01-12', null, 1000),
                (date '2026-01-16', null, 10000), (date '2026-01-01', 'b', 7)
            ) as days(period_start, manager_team, calls);
            -- The second team's first row is later than its first day; today is a Thursday.
            create table cells as
            select * from (values
                (date '2025-12-22', date '2025-12-28', null),
                (date '2025-12-29', date '2026-01-04', null),
                (date '2026-01-05', date '2026-01-11', null),
                (date '2026-01-12', date '2026-01-15', null),
                (date '2026-01-12', date '2026-01-15', 'b'),
                (date '2026-01-12', date '2026-01-15', 'c')
            ) as weeks(period_start, last_day, manager_team);
            create table current_figures as select period_start, manager_team from cells;
            create table running_figures as select period_start, manager_team from cells;
            """
        )
        found = connection.execute(
            f"select manager_team, period_start::varchar, calls "
            f"from ({to_date_parts_sql(weekly, ['calls'], [], {})}) order by all"
        ).fetchall()
    assert found == [
        ("b", "2026-01-12", 7),
        ("c", "2026-01-12", 0),
        (None, "2025-12-22", 1),
        (None, "2025-12-29", 100),
        (None, "2026-01-05", 100),
        (None, "2026-01-12", 1100),
    ]


class Layer:
    """A compiler with one answer."""

    def __init__(self, sql: str) -> None:
        self.answer = sql

    def relation(self, question: Question) -> str:
        assert question.by == ("metric_time__day", "manager")
        return f"({self.answer})"


MART = ComparedMart(
    "marts",
    "kpi",
    "date_day",
    "day",
    {"manager_id": "manager"},
    {},
    (),
    False,
    False,
    ("calls", "win_rate"),
)
ROW = "date '2026-03-01' as date_day, 'ann' as manager_id"
CALLS = "date '2026-03-01' as metric_time__day, 'ann' as manager"


def differences(tmp_path: Path, mart: str, layer: str, compared: ComparedMart = MART) -> list[str]:
    file = tmp_path / "build.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema if not exists marts")
        connection.execute(f"create or replace table marts.kpi as {mart}")
    (found,) = compare_file(file, Layer(layer), CATALOGUE, [compared])
    assert found.differing == len(found.examples)
    return [str(example) for example in found.examples]


@pytest.mark.parametrize(
    ("mart", "layer"),
    [
        ("3 as calls, 0.25::double as win_rate", "3 as calls, 0.25::double as win_rate"),
        # Doubles may differ by the order of adding.
        ("3 as calls, 0.3::double as win_rate", "3 as calls, 0.1::double + 0.2 as win_rate"),
        # No row of nothing is a 0, and a quotient of nothing is unknown.
        ("0 as calls, null::double as win_rate", "1 as calls, 1.0::double as win_rate limit 0"),
    ],
)
def test_agreement_is_found(tmp_path: Path, mart: str, layer: str) -> None:
    assert differences(tmp_path, f"select {ROW}, {mart}", f"select {CALLS}, {layer}") == []


def test_a_difference_names_metric_grain_key_and_both_values(tmp_path: Path) -> None:
    row = f"select {ROW}, 3 as calls, null::double as win_rate"
    layer = f"select {CALLS}, 4 as calls, 0.0::double as win_rate"
    assert differences(tmp_path, row, layer) == [
        "calls by day, date_day 2026-03-01, manager_id ann: marts.kpi has 3, the metrics layer 4",
        "win_rate by day, date_day 2026-03-01, manager_id ann: marts.kpi has None, "
        "the metrics layer 0.0",
    ]


def test_balances_before_the_first_period_of_a_mart_are_no_differences(tmp_path: Path) -> None:
    row = f"select {ROW}, 3 as calls, 0.5::double as win_rate"
    layer = (
        f"select {CALLS}, 3 as calls, 0.5::double as win_rate union all "
        "select date '2026-02-28', 'ann', 2, null union all "
        "select date '2026-03-02', 'ann', 2, null"
    )
    after = (
        "calls by day, date_day 2026-03-02, manager_id ann: marts.kpi has 0, the metrics layer 2"
    )
    before = after.replace("03-02", "02-28")
    assert differences(tmp_path, row, layer) == [before, after]
    begins_itself = replace(MART, begins_itself=True)
    assert differences(tmp_path, row, layer, begins_itself) == [after]
    assert differences(tmp_path, f"{row} limit 0", f"{layer}", begins_itself) == []


def test_rows_that_one_side_lacks_are_differences(tmp_path: Path) -> None:
    row = f"select {ROW}, 3 as calls, 0.5::double as win_rate"
    layer = (
        "select date '2026-03-02' as metric_time__day, 'ann' as manager, 2 as calls, "
        "null::double as win_rate"
    )
    assert differences(tmp_path, row, layer) == [
        "calls by day, date_day 2026-03-01, manager_id ann: marts.kpi has 3, the metrics layer 0",
        "calls by day, date_day 2026-03-02, manager_id ann: marts.kpi has 0, the metrics layer 2",
        "win_rate by day, date_day 2026-03-01, manager_id ann: marts.kpi has 0.5, "
        "the metrics layer None",
    ]


class Disagreeing:
    """A layer of which one mart says otherwise."""

    exports, compared = (), (MART,)
    said = Difference("marts.kpi", "calls", "day", {"manager_id": "m1"}, "1", "2")

    def cached_tables(self) -> list[tuple[Export, int]]:
        return []

    def cached_agreements(self) -> list[Agreement]:
        return [Agreement(MART, 9, 1, (self.said,))]


def test_a_mart_that_disagrees_stops_the_refresh(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ChecksFailed) as stopped:
        measure(settings, Disagreeing())
    assert "Marts and metrics layer disagree on 1 marts." in stopped.value.message
    assert stopped.value.details == [
        "calls by day, manager_id m1: marts.kpi has 1, the metrics layer 2"
    ]
    (check,) = Record.load(settings.record_file).checks
    assert (check.asset, check.status, check.stops_publication) == ("marts.kpi", FAIL, True)
