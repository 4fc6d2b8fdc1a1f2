"""The mart index: what README and docs/marts.md say of the marts, and when they are stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.base.errors import WrongUse
from orchestration.cli.mart_index import (
    BEGIN,
    END,
    MODELS_DIR,
    PAGE,
    PROJECT_DIR,
    README,
    load_marts,
    main,
    stale_files,
    write_files,
)

DBT_PROJECT = """
name: voronka
models:
  voronka:
    periods: {+schema: intermediate}
    marts: {+schema: marts}
    quality: {+schema: intermediate}
"""
DOC_BLOCKS = """Shared words.

{% docs visits %}
Visits | calls,
in a row.
{% enddocs %}
"""
KPI_DAILY = """
models:
  - name: kpi_daily
    description: >-
      All that is counted, i.e. day
      by day. One row per day. `visits` add up.
    config: {meta: {grain: [date_day, shop_id]}}
    columns:
      - {name: date_day, data_type: date, description: Local day.}
      - {name: visits, data_type: bigint, description: "{{ doc('visits') }}"}
"""
STEP = """
models:
  - {name: int_step, description: A step on the way.}
"""
ROWS_COUNTED = """
sources: [{name: zone}]
models:
  - name: rows_counted
    description: Where rows went.
    config: {schema: quality, meta: {grain: [table_name]}}
"""
ROW_OF_KPI_DAILY = (
    "| **kpi** | [`kpi_daily`](docs/marts.md#kpi_daily) | `date_day`, `shop_id` "
    "| All that is counted, i.e. day by day. |"
)
ROW_OF_ROWS_COUNTED = (
    "| **quality** | [`rows_counted`](docs/marts.md#rows_counted) | `table_name` "
    "| Where rows went. |"
)
EXPECTED_README = f"""# Shop

{BEGIN}
| | mart | a row for each | what it is |
| --- | --- | --- | --- |
{ROW_OF_KPI_DAILY}
{ROW_OF_ROWS_COUNTED}
{END}

More.
"""
EXPECTED_PAGE = """# Marts

Made by `make docs` from the YAML files beside the models: edit those.

## kpi

### kpi_daily

All that is counted, i.e. day by day. One row per day. `visits` add up.

Table `marts.kpi_daily`, a row for each `date_day`, `shop_id`.

| column | type | what it holds | defined in |
| --- | --- | --- | --- |
| `date_day` | date | Local day. |  |
| `visits` | bigint | Visits \\| calls, in a row. |  |

## quality

### rows_counted

Where rows went.

Table `quality.rows_counted`, a row for each `table_name`.

| column | type | what it holds | defined in |
| --- | --- | --- | --- |
"""


def put(project: Path, path: str | Path, text: str) -> None:
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two marts, a step that is none, and a README with a place for the index."""
    put(tmp_path, "dbt_project.yml", DBT_PROJECT)
    put(tmp_path, MODELS_DIR / "shared.md", DOC_BLOCKS)
    put(tmp_path, MODELS_DIR / "marts/kpi/kpi_daily.yml", KPI_DAILY)
    put(tmp_path, MODELS_DIR / "periods/int_step.yml", STEP)
    put(tmp_path, MODELS_DIR / "quality/rows_counted.yml", ROWS_COUNTED)
    put(tmp_path, README, f"# Shop\n\n{BEGIN}\nold\n{END}\n\nMore.\n")
    return tmp_path


def test_the_index_of_this_project_is_current() -> None:
    assert list(stale_files(PROJECT_DIR)) == []


# What people ask for, as a column of a mart, and the file that they look into first.
DEFINED = {
    ("kpi_company_period", "win_rate"): "semantic/metrics/deals.yml",
    ("kpi_manager_period", "responded_in_5min_rate"): "semantic/metrics/response.yml",
    ("kpi_company_period", "churn_rate"): "semantic/metrics/churn.yml",
    ("kpi_company_period", "open_deals"): "facts/int_pipeline__balances.sql",
    ("kpi_daily", "set_meetings_paid"): "measures/int_measures__meetings.sql",
    ("kpi_source_period", "romi"): "semantic/metrics/romi.yml",
    ("quota_attainment", "pace"): "semantic/metrics/plans_and_quality.yml",
    ("fct_leads", "first_response_at"): "intermediate/leads/int_leads__first_response.sql",
    ("fct_call_sessions", "recovery"): "intermediate/calls/int_calls__recovery.sql",
    ("kpi_company_period", "new_customers"): "measures/int_measures__payments.sql",
}


def test_the_index_names_the_file_that_defines_a_figure() -> None:
    page = (PROJECT_DIR / PAGE).read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in page.split("\n### ")}
    for (mart, column), file in DEFINED.items():
        (row,) = [it for it in sections[mart].splitlines() if it.startswith(f"| `{column}` |")]
        assert row.endswith(f"](../{MODELS_DIR}/{file}) |"), (mart, column, row)


def test_every_published_mart_of_this_project_is_in_the_index() -> None:
    models = {
        path.stem
        for path in (PROJECT_DIR / MODELS_DIR).rglob("*.sql")
        if not {"staging", "semantic"} & set(path.parts) and not path.stem.startswith("int_")
    }
    assert {mart.name for mart in load_marts(PROJECT_DIR)} == models


def test_both_files_are_written_and_the_rest_of_readme_stays(project: Path) -> None:
    assert write_files(project) == [README, PAGE]
    assert (project / README).read_text(encoding="utf-8") == EXPECTED_README
    assert (project / PAGE).read_text(encoding="utf-8") == EXPECTED_PAGE
    assert write_files(project) == []


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("One row per day.", "One row per date.", [PAGE]),
        ("All that is counted", "All that counts", [README, PAGE]),
        ("date_day, shop_id", "date_day", [README, PAGE]),
        ("data_type: bigint", "data_type: integer", [PAGE]),
    ],
)
def test_what_the_yaml_says_anew_makes_the_files_stale(
    project: Path, old: str, new: str, stale: list[Path]
) -> None:
    write_files(project)
    put(project, MODELS_DIR / "marts/kpi/kpi_daily.yml", KPI_DAILY.replace(old, new))
    assert list(stale_files(project)) == stale


def test_a_doc_block_that_changes_makes_the_page_stale(project: Path) -> None:
    write_files(project)
    put(project, MODELS_DIR / "shared.md", DOC_BLOCKS.replace("in a row", "in a column"))
    assert list(stale_files(project)) == [PAGE]


def test_check_names_what_is_stale_and_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"], project) == 1
    assert capsys.readouterr().out.splitlines() == [
        "README.md is stale: run `make docs`.",
        "docs/marts.md is stale: run `make docs`.",
    ]
    assert not (project / PAGE).exists()
    assert main([], project) == 0
    assert main(["--check"], project) == 0


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        (README, "# Shop\n", "README.md has no place for the mart index."),
        (MODELS_DIR / "shared.md", "", "there is no doc block visits."),
        (
            MODELS_DIR / "marts/kpi/kpi_daily.yml",
            KPI_DAILY.replace("Local day.", '""'),
            "date_day has no description.",
        ),
        (
            MODELS_DIR / "marts/kpi/kpi_daily.yml",
            KPI_DAILY.replace("[date_day, shop_id]", "[]"),
            "kpi_daily has no grain.",
        ),
    ],
)
def test_what_the_index_cannot_show_is_an_error_with_a_remedy(
    project: Path,
    path: Path,
    text: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(project, path, text)
    with pytest.raises(WrongUse) as caught:
        stale_files(project)
    assert message in caught.value.message
    assert caught.value.remedy
    assert main([], project) == 2
    assert message in capsys.readouterr().err
