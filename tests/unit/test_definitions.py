"""A figure made of others is defined once, in its metric: marts, texts and the page follow."""

import re
from pathlib import Path

import pytest

from orchestration.dashboard.formulas import formula
from orchestration.metrics.definitions import (
    DIRECTIONS,
    DOC_BLOCKS,
    MACRO,
    definitions,
    generated_files,
)
from orchestration.metrics.glossary import read_metrics
from tests.conftest import ROOT

MODELS = ROOT / "dbt_project/models"
# `… }} as win_rate` behind a quotient or a sum of its own.
OWN_SQL = re.compile(r"(?:\}\}|[+*/-] [\w.]+|nullif\([^)]*\))\s+as (\w+)")


@pytest.fixture(scope="module")
def found():
    return definitions(ROOT)


@pytest.mark.parametrize(
    ("name", "numerator", "denominator"),
    [
        ("win_rate", "[deals_won]", "[deals_won] + [deals_lost]"),
        ("cac", "[ad_spend] + [sales_cost]", "[new_customers]"),
        ("romi", "[revenue] - [ad_spend]", "[ad_spend]"),
        ("churn_rate", "[churned_customers]", "[active_customers_before]"),
        ("avg_cycle_days", "[cycle_microseconds_won] / 86400000000", "[deals_won]"),
        ("avg_response_minutes", "[response_seconds] / 60", "[leads_answered]"),
        ("talk_minutes", "[talk_seconds]", "60"),
        ("skipped", "[reached] - [entered]", None),
        ("retention_rate", "1 - [churn_rate]", None),
    ],
)
def test_a_metric_becomes_sql(found, name, numerator, denominator):
    assert (found[name].numerator, found[name].denominator) == (numerator, denominator)


def test_medians_means_over_months_and_variants_are_no_arithmetic_on_a_row(found):
    assert {"clv", "mean_arpc_3m", "median_cycle_days", "romi_by_day"} & set(found) == set()


def test_a_description_is_the_formula_and_the_metrics_note(found):
    assert found["win_rate"].text == (
        "`deals_won` / (`deals_won` + `deals_lost`). Over closed deals; NULL where none closed."
    )
    # A change of units says nothing to a reader.
    assert found["cycle_days_won"].text.startswith("Days from lead (else deal) to closing")


def test_the_marts_know_which_way_is_good():
    macro = generated_files(ROOT)[DIRECTIONS]
    assert "'win_rate': 'up'," in macro and "'churn_rate': 'down'," in macro


def test_numbers_with_a_name_are_named_in_the_macro():
    macro = generated_files(ROOT)[MACRO]
    assert "'[cycle_microseconds_won] / ' ~ microseconds_per_day()" in macro
    assert "86400000000" not in macro
    assert "{% docs win_rate %}" in generated_files(ROOT)[DOC_BLOCKS]


def second_definitions(sql: str, names: set[str]) -> list[str]:
    """The figures of these names that this SQL computes otherwise than by `figure`."""
    without = re.sub(r"\{\{ figure\([^)]*\) \}\}\s+as (\w+)", "", sql)
    return [name for name in OWN_SQL.findall(without) if name in names]


def test_no_model_computes_what_a_metric_defines(found):
    for file in sorted([*MODELS.rglob("*.sql"), *(ROOT / "dbt_project/macros").rglob("*.sql")]):
        sql = file.read_text(encoding="utf-8")
        assert second_definitions(sql, set(found)) == [], file


@pytest.mark.parametrize(
    "sql",
    [
        "{{ ratio('deals_won', 'deals_closed') }} as win_rate",
        "{{ ratio('deals_won', 'deals_closed') }}\n            as win_rate",
        "deals_won / nullif(deals_won + deals_lost, 0) as win_rate",
        "won / cells.deals as win_rate",
    ],
)
def test_a_second_definition_is_found(found, sql):
    assert second_definitions(sql, set(found)) == ["win_rate"]
    assert second_definitions("{{ figure('win_rate', 'cells') }} as win_rate", set(found)) == []


def test_the_page_divides_what_the_marts_divide(found):
    catalogue = read_metrics(ROOT)
    for name, it in found.items():
        sides = f"{it.numerator} {it.denominator or ''}"
        columns = set(re.findall(r"\[(\w+)\]", sides))
        shown = formula(catalogue, name, columns)
        if shown is None or name in columns:
            # Of past periods and of other ratios, which the page shows as the marts have them.
            assert name in ("churn_rate", "retention_rate"), name
            continue
        taken = set(shown.numerator) | set(shown.denominator or {})
        assert taken - {""} == columns, name


def test_every_figure_of_a_mart_is_described_by_its_metric(found):
    for file in sorted(Path(MODELS).rglob("*.yml")):
        text = file.read_text(encoding="utf-8")
        if "semantic" in file.parts or "\nmodels:" not in f"\n{text}":
            continue
        for name in re.findall(r"- \{name: (\w+), data_type", text):
            if name in found and name != "missed_calls_recovered":
                line = re.search(rf"- \{{name: {name}, data_type[^}}]*\}}?", text)
                assert line and f"doc('{name}')" in line[0], (file, name)
