"""The metrics layer on the published demo: it says what the marts say, whoever asks."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import WrongUse
from orchestration.metrics.choices import Grain
from orchestration.metrics.engine import Compiler
from orchestration.metrics.needs import MANAGER, Needs
from orchestration.metrics.parity import compared_marts
from orchestration.metrics.query import PublishedMetrics, Request, published_metrics
from tests import hostile
from tests.builds import compare_file
from tests.conftest import ROOT, clean_environment, query, voronka


@pytest.fixture(scope="module")
def manifest(demo_publication: Path) -> dict:
    return json.loads((demo_publication.parents[1] / "build/target/manifest.json").read_bytes())


def ask(file: Path, *arguments: str) -> subprocess.CompletedProcess:
    return voronka("query", *arguments, env={"VORONKA_DATA_DIR": str(file.parents[1])})


def test_layer_and_marts_agree_at_every_grain(demo_publication: Path, manifest: dict) -> None:
    marts = compared_marts(manifest)
    assert len(marts) == 13
    with published_metrics(demo_publication) as metrics:
        catalogue = metrics.catalogue
    compiler = Compiler(json.dumps(catalogue.manifest))
    found = compare_file(demo_publication, compiler, catalogue, marts, all_grains=True)
    assert [str(example) for agreement in found for example in agreement.examples] == []
    assert sum(agreement.figures for agreement in found) > 500_000


def test_a_metric_needs_only_tables_that_it_comes_from(
    demo_publication: Path, manifest: dict
) -> None:
    """What the YAML declares stands in dbt's lineage; by manager too."""
    with published_metrics(demo_publication) as published:
        catalogue = published.catalogue
    models = {node["alias"]: name for name, node in manifest["nodes"].items() if "alias" in node}
    needs = Needs(catalogue, ())
    wrong = []
    for metric in catalogue.metrics.values():
        found = {models[name] for _, name in catalogue.relations([metric.name])}
        while more := {up for it in found for up in manifest["parent_map"][it]} - found:
            found |= more
        sources = {".".join(name.split(".")[2:]) for name in found if name.startswith("source.")}
        tables = {table for clause in needs.of(metric.name, (MANAGER,)) for table in clause}
        wrong += [(metric.name, table) for table in tables - sources]
    assert wrong == []


def test_a_scorecard_shows_the_period_the_one_before_and_the_year(demo_publication: Path) -> None:
    months = {
        row[0]: row[1:]
        for row in query(
            demo_publication,
            "select period_start, revenue, win_rate, median_cycle_days, open_deals, churn_rate, "
            "cac from marts.kpi_company_period where period_grain = 'month'",
        )
    }
    years = query(
        demo_publication,
        "select revenue, win_rate, median_cycle_days, open_deals, cac "
        "from marts.kpi_company_period where period_grain = 'year'",
    )
    shown = query(
        demo_publication,
        "select period_start, revenue, win_rate, median_cycle_days, open_deals, churn_rate, cac, "
        "revenue_previous, win_rate_previous, median_cycle_days_previous, open_deals_previous, "
        "churn_rate_previous, cac_previous, revenue_year_to_date, win_rate_year_to_date, "
        "median_cycle_days_year_to_date, open_deals_year_to_date, cac_year_to_date "
        "from metrics.company_scorecard_monthly order by period_start",
    )
    assert len(shown) == 6
    for number, row in enumerate(shown):
        assert row[1:7] == pytest.approx(months[row[0]])
        if number:
            assert row[7:13] == pytest.approx(months[shown[number - 1][0]])
    # The demo's last month ends the year to date.
    assert shown[-1][13:] == pytest.approx(years[0])
    assert set(shown[0][7:13]) == {None}


def test_a_scorecard_has_a_row_for_a_week_without_anything(demo_publication: Path) -> None:
    found = query(
        demo_publication,
        "select manager_id, count(*), count(distinct period_start), "
        "datediff('week', min(period_start), max(period_start)) + 1 "
        "from metrics.manager_scorecard_weekly group by 1",
    )
    assert len(found) > 10
    assert all(rows == weeks == span for _, rows, weeks, span in found)
    assert query(
        demo_publication,
        "select count(*) filter (where is_running), count(distinct period_start) filter "
        "(where is_running) from metrics.manager_scorecard_weekly where manager_id = 'm-01'",
    ) == [(1, 1)]


def test_scorecards_add_up_to_the_marts(demo_publication: Path) -> None:
    for table, grain in (("manager_scorecard_weekly", "week"), ("team_scorecard_monthly", "month")):
        assert query(
            demo_publication,
            f"select sum(revenue), sum(meetings_set), sum(deals_won) from metrics.{table}",
        ) == query(
            demo_publication,
            "select sum(revenue), sum(meetings_set), sum(deals_won) from marts.kpi_company_period "
            f"where period_grain = '{grain}' and period_start <= '2026-09-30'",
        )


def test_russian_views_show_the_marts(demo_publication: Path) -> None:
    assert query(
        demo_publication, 'select sum("Выручка"), sum("Звонки") from marts_ru.kpi_daily'
    ) == query(demo_publication, "select sum(revenue), sum(calls) from marts.kpi_daily")
    views = "select count(*) from duckdb_views() where schema_name = 'marts_ru'"
    tables = "select count(*) from duckdb_tables() where schema_name = 'marts'"
    assert query(demo_publication, views) == query(demo_publication, tables)


def test_a_column_is_described_in_both_languages(demo_publication: Path) -> None:
    ((comment,),) = query(
        demo_publication,
        "select comment from duckdb_columns() where schema_name = 'marts' "
        "and table_name = 'kpi_manager_period' and column_name = 'win_rate'",
    )
    assert comment.startswith("Win rate. ")
    assert "Доля выигранных. Выигранные сделки / закрытые." in comment


def test_all_that_is_published_is_described(demo_publication: Path) -> None:
    assert (
        query(
            demo_publication,
            "select schema_name, table_name, null from duckdb_tables() where comment is null "
            "union all select schema_name, view_name, null from duckdb_views() "
            "where not internal and comment is null "
            "union all select schema_name, table_name, column_name from duckdb_columns() "
            "where not internal and comment is null",
        )
        == []
    )
    ((of_quarantine,), (of_calls,), (of_russian_calls,)) = query(
        demo_publication,
        "select comment from duckdb_columns() where (table_name, column_name) in "
        "(('crm_leads', 'created_at'), ('kpi_daily', 'calls'), ('kpi_daily', 'Звонки')) "
        "order by schema_name = 'quarantine' desc",
    )
    assert of_quarantine == "When the lead came."
    assert of_calls == of_russian_calls


def answers(file: Path, **asked: object) -> list[tuple[object, ...]]:
    with published_metrics(file) as metrics:
        return metrics.answer(Request(**asked)).rows  # type: ignore[arg-type]  # names are checked


def test_an_answer_is_compared_with_the_period_before(demo_publication: Path) -> None:
    rows = answers(
        demo_publication,
        metrics=("revenue",),
        grain="month",
        compare="previous",
        where=("metric_time >= '2026-07-01'",),
    )
    months = query(
        demo_publication,
        "select period_start, revenue from marts.kpi_company_period where period_grain = 'month' "
        "and period_start >= '2026-06-01' order by 1",
    )
    assert [row[:2] for row in rows] == months[1:]
    assert [row[2] for row in rows] == [revenue for _, revenue in months[:-1]]
    assert rows[0][3] == pytest.approx(float(months[1][1] / months[0][1]) - 1)


def test_figures_without_days_are_compared_too(demo_publication: Path) -> None:
    """Sales costs have months only, churn by week has weeks only."""
    ((_, cost, cost_before, _),) = answers(
        demo_publication,
        metrics=("sales_cost",),
        grain="month",
        compare="previous",
        where=("metric_time__month = '2026-07-01'",),
    )
    assert [cost_before, cost] == [
        cost
        for (cost,) in query(
            demo_publication,
            "select sales_cost from marts.kpi_company_period where period_grain = 'month' "
            "and period_start in ('2026-06-01', '2026-07-01') order by period_start",
        )
    ]
    ((_, left, left_before, _),) = answers(
        demo_publication,
        metrics=("churned_customers",),
        grain="week",
        compare="previous",
        where=("metric_time__week = '2026-07-13'",),
    )
    assert [(left_before,), (left,)] == query(
        demo_publication,
        "select churned_customers from marts.kpi_company_period where period_grain = 'week' "
        "and period_start in ('2026-07-06', '2026-07-13') order by period_start",
    )


def test_a_member_without_an_earlier_row_had_none(demo_publication: Path) -> None:
    rows = answers(
        demo_publication,
        metrics=("revenue", "avg_deal_size"),
        by=("manager",),
        grain="day",
        compare="previous",
        where=("metric_time between '2026-07-06' and '2026-07-10'",),
    )
    before = {
        (row[0], row[1]): row[2]
        for row in query(
            demo_publication,
            "select date_day + 1, manager_id, sum(revenue) from marts.kpi_daily group by all",
        )
    }
    assert len(rows) > 20
    assert [row[4] for row in rows] == [before.get((row[0], row[1]), 0) for row in rows]
    assert any(row[4] == 0 for row in rows) and any(row[4] > 0 for row in rows)


def test_a_week_is_compared_with_the_same_weekdays_a_year_ago(demo_publication: Path) -> None:
    with published_metrics(demo_publication) as metrics:
        week = metrics.sql(Request(("calls",), grain="week", compare="year"))
        month = metrics.sql(Request(("calls",), grain="month", compare="year"))
    assert "interval 364 day" in week
    assert "interval 1 year" in month


def test_members_come_with_their_names_in_the_order_that_was_asked(demo_publication: Path) -> None:
    rows = answers(
        demo_publication,
        metrics=("set_meetings_held",),
        by=("manager",),
        order=("-set_meetings_held",),
        limit=2,
    )
    assert rows == query(
        demo_publication,
        "select manager_id, manager_name, sum(set_meetings_held)::bigint from marts.kpi_daily "
        "group by all order by 3 desc limit 2",
    )


def test_churn_is_asked_at_any_grain_under_one_name(demo_publication: Path) -> None:
    for grain in ("week", "quarter"):
        rows = answers(demo_publication, metrics=("churn_rate",), grain=grain)
        expected = query(
            demo_publication,
            f"select period_start, churn_rate from marts.kpi_company_period "
            f"where period_grain = '{grain}' and churn_rate is not null order by 1",
        )
        assert [row for row in rows if row[1] is not None] == [
            (start, pytest.approx(rate)) for start, rate in expected
        ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nonsense"], "There is no metric nonsense."),
        (["meetings"], "Near it: "),
        (["clv", "--grain", "week"], "clv has no figure by week."),
        (["calls", "--by", "planet"], "planet is no dimension of these metrics."),
        (["calls", "--compare", "previous"], "--compare needs periods."),
        (["calls", "--output", "answer"], "answer: its suffix names no format."),
        (["calls", "--format", "parquet"], "Name a file"),
        (["calls", "--order", "revenue"], "--order revenue: that is no column of this answer."),
        (["calls", "--order", "calls desc;x"], "--order calls desc;x: that is no column"),
        (["calls", "--where", "manager__planet = 1"], "manager__planet is no dimension"),
        (["calls", "--where", "manager = m-05"], "A text stands in single quotes"),
        (["calls", "--where", "1 = 1; drop table x"], "--where takes one condition"),
        (["calls", "--where", hostile.CONDITIONS[0]], "--where cannot be read"),
        (["calls", "--where", "metric_time > 'soon'"], 'invalid timestamp field format: "soon"'),
        (["calls", "--where", "manager__name = 'x'\x1b[2J"], 'at or near "␛"'),
        (["calls", "--excel", "--format", "json"], "--excel is for CSV, not for json."),
        (["calls", "--output", "/nowhere/a.csv"], "/nowhere/a.csv cannot be written"),
        (
            ["calls", "--grain", "month", "--compare", "year", "--where", "date > '2026-07-01'"],
            "--compare cannot move a condition on date to the earlier period.",
        ),
    ],
)
def test_a_question_without_an_answer_says_why(
    demo_publication: Path, arguments: list[str], error: str
) -> None:
    done = ask(demo_publication, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    what, remedy = done.stderr.splitlines()
    assert what.startswith("✗ ")
    assert remedy.startswith("→ ")
    assert error in done.stderr
    assert "\x1b" not in done.stderr


def test_no_condition_reaches_beyond_its_dimensions(demo_publication: Path, tmp_path: Path) -> None:
    """Each hostile text on the real planner: refused, or a text that nothing is equal to."""
    secret = tmp_path / "secret.txt"
    secret.write_text("unspoken")
    out = tmp_path / "out"
    refused, answered = [], []
    with published_metrics(demo_publication) as metrics:
        for text in (*hostile.CONDITIONS, *hostile.TEXTS):
            where = hostile.armed(text, out, secret)
            try:
                answered += metrics.answer(Request(("calls",), ("manager",), (where,))).rows
            except WrongUse as error:
                refused.append(error)
    assert len(refused) == len(hostile.CONDITIONS)
    assert answered == []
    assert not any("unspoken" in str(error) for error in refused)
    assert [item.name for item in tmp_path.iterdir()] == ["secret.txt"]


@pytest.mark.parametrize(
    ("conditions", "in_marts"),
    [
        (["manager__role = 'hunter'"], "m.role = 'hunter'"),
        (["role in ('hunter', 'farmer')", "team is not null"], "m.role in ('hunter', 'farmer')"),
        (["manager__name like '%ва%' or manager ilike 'M-01'"],
         "(m.manager_name like '%ва%' or m.manager_id = 'm-01')"),
        (["not (manager__role = 'hunter' and team = 'Продажи')"],
         "not (m.role = 'hunter' and m.team = 'Продажи')"),
        (["metric_time between '2026-07-01' and '2026-07-31'"],
         "date_day between '2026-07-01' and '2026-07-31'"),
        (["metric_time__month = '2026-07-01'", "date__weekday = 1"],
         "date_trunc('month', date_day) = '2026-07-01' and isodow(date_day) = 1"),
        (["date >= date '2026-09-01' - interval 2 weeks and not manager__is_deleted"],
         "date_day >= '2026-08-18' and not m.is_deleted"),
        (["year(metric_time) = 2026 and lower(manager__name) <> 'нестерова ольга'"],
         "m.manager_name <> 'Нестерова Ольга'"),
    ],
)  # fmt: skip
def test_honest_conditions_choose_what_they_say(
    demo_publication: Path, conditions: list[str], in_marts: str
) -> None:
    rows = answers(demo_publication, metrics=("calls",), by=("manager",), where=tuple(conditions))
    expected = query(
        demo_publication,
        "select manager_id, m.manager_name, sum(calls)::bigint from marts.kpi_daily "
        f"join marts.dim_manager as m using (manager_id) where {in_marts} "
        "group by all having sum(calls) > 0 order by 1",
    )
    assert [row for row in rows if row[2]] == expected
    assert expected


@pytest.mark.parametrize("grain", [None, "day", "week", "month", "quarter", "year"])
def test_the_companys_return_is_on_sources_that_cost_money(
    demo_publication: Path, grain: str | None
) -> None:
    """Revenue of referrals is no return on advertising, and much of the demo's is theirs."""
    period = f"date_trunc('{grain}', date_day)" if grain else "null"
    found = query(
        demo_publication,
        f"select {period}::date as period, source_id, sum(revenue), sum(ad_spend) "
        "from (select period_start as date_day, * from marts.kpi_source_period "
        "where period_grain = 'day') group by all having sum(ad_spend) > 0",
    )
    spent: dict[object, tuple[float, float]] = {}
    for start, _, revenue, cost in found:
        before = spent.get(start, (0.0, 0.0))
        spent[start] = (before[0] + float(revenue), before[1] + float(cost))
    with published_metrics(demo_publication) as metrics:
        rows = metrics.answer(Request(("romi",), grain=grain and Grain(grain))).rows
        (whole,) = metrics.answer(Request(("revenue", "ad_spend"))).rows
    shown = {row[0] if grain else None: row[-1] for row in rows}
    expected = {start: (revenue - cost) / cost for start, (revenue, cost) in spent.items()}
    assert {start: value for start, value in shown.items() if value is not None} == pytest.approx(
        expected
    )
    if grain is None:
        assert shown[None] < float(whole[0] - whole[1]) / float(whole[1]) - 1


def test_nothing_published_says_what_to_do(tmp_path: Path) -> None:
    done = voronka("query", "calls", env={"VORONKA_DATA_DIR": str(tmp_path)})
    assert done.returncode == 2
    assert "Run `voronka refresh`." in done.stderr


def test_answers_leave_as_text_and_files(demo_publication: Path, tmp_path: Path) -> None:
    asked = ("revenue", "win_rate", "--by", "team", "--grain", "month")
    table = list(csv.reader(io.StringIO(ask(demo_publication, *asked, "-f", "csv").stdout)))
    objects = json.loads(ask(demo_publication, *asked, "-f", "json").stdout)
    done = ask(demo_publication, *asked, "--output", str(tmp_path / "answer.parquet"))
    assert done.returncode == 0, done.stderr
    rows = duckdb.sql(f"from '{tmp_path / 'answer.parquet'}'").fetchall()
    assert table[0] == ["period", "manager__team", "revenue", "win_rate"]
    assert len(table) - 1 == len(objects) == len(rows) > 10
    assert [float(row[2]) for row in table[1:]] == [item["revenue"] for item in objects]
    assert [float(row[2]) for row in rows] == [item["revenue"] for item in objects]
    excel = tmp_path / "answer.csv"
    assert ask(demo_publication, *asked, "--excel", "--output", str(excel)).returncode == 0
    lines = excel.read_bytes().decode().split("\r\n")
    assert lines[0] == "\ufeffperiod;manager__team;revenue;win_rate"
    assert lines[1] == ";".join(table[1]).replace(".", ",")


@pytest.mark.parametrize("arguments", [("-f", "csv"), ("-f", "json"), ("-f", "table")])
def test_an_answer_goes_to_any_terminal(demo_publication: Path, arguments: tuple[str, ...]) -> None:
    """A pipe that ends early, a locale without Russian: the answer as far as it goes."""
    environment = {
        **clean_environment(),
        "VORONKA_DATA_DIR": str(demo_publication.parents[1]),
        "PYTHONIOENCODING": "ascii",
        "COLUMNS": "20",
    }
    command = [sys.executable, "-m", "orchestration.cli", "query", "calls", "--by", "manager"]
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", *command, "--by", "date", *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    whole = subprocess.run(
        [*command, *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "m-01" in whole.stdout
    assert whole.stdout.isascii()


def test_the_catalogue_lists_and_explains(demo_publication: Path) -> None:
    env = {"VORONKA_DATA_DIR": str(demo_publication.parents[1])}
    found = voronka("metrics", "доходимость", "--lang", "ru", env=env).stdout
    assert "meeting_show_rate" in found
    assert "win_rate" not in found
    one = voronka("metrics", "win_rate", env=env).stdout
    for text in ("deals_won / deals_closed", "Доля выигранных", "manager__team", "week"):
        assert text in one


def questions_of_readme() -> list[tuple[str, str]]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```console\n\$ voronka (query .*?)\n(.*?)```", text, re.DOTALL)


def test_readme_asks_five_questions() -> None:
    assert len(questions_of_readme()) == 5


@pytest.mark.parametrize(("command", "answer"), questions_of_readme())
def test_readme_shows_the_demos_answers(demo_publication: Path, command: str, answer: str) -> None:
    import shlex

    done = ask(demo_publication, *shlex.split(command)[1:])
    shown = [line.rstrip() for line in done.stdout.splitlines()]
    assert shown == [line.rstrip() for line in answer.splitlines()], done.stderr


def test_metricflow_finds_nothing_wrong(demo_publication: Path, tmp_path: Path) -> None:
    """`mf validate-configs` on the project, every metric tried on the built demo."""
    for part in ("dbt_project", "seeds/reference"):
        shutil.copytree(ROOT / part, tmp_path / part)
    for part in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / part, tmp_path / part)
    shutil.copytree(
        demo_publication.parents[1] / "build/target",
        tmp_path / "target",
        ignore=shutil.ignore_patterns("compiled", "run"),
    )
    environment = {
        **clean_environment(),
        "VORONKA_DATA_DIR": str(demo_publication.parents[1]),
        "DBT_PROFILES_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("mf"), "validate-configs"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"Successfully validated (.*?) \(ERRORS: 0", done.stdout)
    assert any("metrics against data warehouse" in text for text in found), done.stdout


def test_a_metric_that_counts_otherwise_is_found(demo_publication: Path, manifest: dict) -> None:
    """Not the tolerance, not the code that compares: one changed measure is all it takes."""
    with published_metrics(demo_publication) as metrics:
        changed = _with_measure(metrics, "calls_60s", "is_answered")
        catalogue = metrics.catalogue
    marts = {mart.name: mart for mart in compared_marts(manifest)}
    untouched, touched = compare_file(
        demo_publication,
        Compiler(changed),
        catalogue,
        [marts["kpi_source_period"], marts["kpi_daily"]],
    )
    assert untouched.differing == 0
    assert touched.differing > 0
    assert {example.metric for example in touched.examples} == {"calls_60s"}


def _with_measure(metrics: PublishedMetrics, name: str, expression: str) -> str:
    manifest = json.loads(json.dumps(metrics.catalogue.manifest))
    for model in manifest["semantic_models"]:
        for measure in model["measures"]:
            if measure["name"] == name:
                measure["expr"] = expression
    return json.dumps(manifest)
