"""The dashboard's builder: formulas, columns, the history that fits, the page around them."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.dashboard.encode import dumps, encode, encode_days, encode_figures
from orchestration.dashboard.formulas import Formula, formula
from orchestration.dashboard.page import PARTS, echarts, own_script, render, write_dashboard
from orchestration.expectations.acceptance import ACCEPTANCES
from orchestration.metrics.catalogue import Catalogue
from orchestration.metrics.glossary import read_metrics
from orchestration.metrics.needs import MANAGER, Needs
from orchestration.metrics.step import CHECK as AGREEMENT
from tests.conftest import ROOT

# The file that Apache released as echarts 6.0.0, dist/echarts.min.js.
ECHARTS_SHA256 = "baa8dfe7e1d9336b98e8986ba7e20ea15e7cdbea1ef42a59d59478632fa45a1d"


def metric(name: str, kind: str = "simple", **params: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "label": name, "type_params": params}


def ratio(name: str, above: str, below: str, **more: Any) -> dict[str, Any]:
    return metric(name, "ratio", numerator={"name": above, **more}, denominator={"name": below})


def derived(name: str, expr: str, *inputs: Any) -> dict[str, Any]:
    metrics = [item if isinstance(item, dict) else {"name": item} for item in inputs]
    return metric(name, "derived", expr=expr, metrics=metrics)


METRICS = [
    metric("won"),
    metric("lost"),
    metric("spend"),
    metric("revenue"),
    metric("seconds"),
    metric("median"),
    derived("closed", "won + lost", "won", "lost"),
    ratio("win_rate", "won", "closed"),
    ratio("win_rate_of_some", "won", "closed", filter={"where_filters": []}),
    derived("romi", "(revenue - spend)::double / nullif(spend, 0)", "revenue", "spend"),
    derived("minutes", "seconds / 60.0::double", "seconds"),
    derived("avg", "seconds / 60.0::double / nullif(won, 0)", "seconds", "won"),
    derived(
        "grown",
        "won - won_before",
        "won",
        {"name": "won", "alias": "won_before", "offset_window": {"count": 1}},
    ),
    derived("state", "coalesce(won, 0) - coalesce(lost, 0)", "won", "lost"),
    derived("kept", "1 - win_rate", "win_rate"),
    metric("revenue_of_paid")
    | {"config": {"meta": {"of_members": {"sum": "revenue", "over": "s", "having": "spend"}}}},
    derived(
        "return", "(revenue_of_paid - spend)::double / nullif(spend, 0)", "revenue_of_paid", "spend"
    ),
    ratio("of_median", "median", "won"),
]
COLUMNS = {"won", "lost", "spend", "revenue", "seconds"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(json.dumps({"metrics": METRICS, "semantic_models": [], "saved_queries": []}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("won", Formula({"won": 1})),
        ("closed", Formula({"won": 1, "lost": 1})),
        ("win_rate", Formula({"won": 1}, {"won": 1, "lost": 1})),
        ("romi", Formula({"revenue": 1, "spend": -1}, {"spend": 1})),
        ("minutes", Formula({"seconds": 1 / 60})),
        ("revenue_of_paid", Formula({"revenue": 1}, having=("s", "spend"))),
        ("return", Formula({"revenue": 1, "spend": -1}, {"spend": 1}, ("s", "spend"))),
        ("avg", Formula({"seconds": 1 / 60}, {"won": 1})),
    ],
)
def test_a_metric_becomes_a_quotient_of_sums(
    catalogue: Catalogue, name: str, expected: Formula
) -> None:
    assert formula(catalogue, name, COLUMNS) == expected


@pytest.mark.parametrize(
    "name", ["grown", "state", "kept", "of_median", "median", "win_rate_of_some", "nobody"]
)
def test_what_does_not_add_up_has_no_formula(catalogue: Catalogue, name: str) -> None:
    assert formula(catalogue, name, COLUMNS) is None


def test_columns_take_their_shortest_form() -> None:
    assert encode(["a", "b", "a"]) == ["a", "b", "a"]
    assert encode([5, 5, 5, 5, 7]) == {"r": [5, 4, 7, 1]}
    assert encode([date(2026, 9, 1), None]) == ["2026-09-01", None]
    assert encode(["b", "a", "b", "a", None]) == {"w": ["a", "b"], "i": [1, 0, 1, 0, None]}
    assert encode(["a", "a", "a", "b", "b"]) == {"w": ["a", "b"], "i": {"r": [0, 3, 1, 2]}}
    assert encode_figures(np.array([0.0, 0, 3, 0, 0, 0, 2.5, 0])) == {"s": [2, 3, 3, 2.5], "n": 8}
    assert encode_figures(np.array([1.0, 2, 3])) == [1, 2, 3]
    assert encode_figures(np.array([0.1 + 0.2, 1e-9])) == [0.3, 0]
    assert encode_figures(np.array([])) == []


def test_days_are_written_by_their_steps_where_that_is_shorter() -> None:
    assert encode_days([3, 4, 5, 6, 7, 8, 9]) == {"d": {"r": [3, 1, 1, 6]}}
    assert encode_days([3, 4, 5, 6, 3, 4, 5, 6]) == [3, 4, 5, 6, 3, 4, 5, 6]
    assert encode_days([3, 4, 5, 6, 7, 4, 5, 6, 7, 8]) == {"d": {"r": [3, 1, 1, 4, -3, 1, 1, 4]}}
    assert encode_days([7, 7, 7, 7, 9]) == {"r": [7, 4, 9, 1]}
    assert encode_days([]) == []


def test_a_script_element_cannot_be_closed_by_data() -> None:
    name = "</script><!-- Иванов & Ко"
    assert "<" not in dumps({"name": name})
    assert json.loads(dumps({"name": name})) == {"name": name}


def test_echarts_is_the_file_that_its_project_released() -> None:
    assert hashlib.sha256(echarts().encode()).hexdigest() == ECHARTS_SHA256


def test_the_page_has_every_part_and_asks_for_nothing() -> None:
    page = render({"about": {"publication_id": "p-1"}}, "en")
    assert '<html lang="en">' in page
    assert '{"about":{"publication_id":"p-1"}}' in page
    assert not re.search(r"<!-- (language|asks|style|echarts|texts|data|script) -->", page)
    own = page.replace(echarts(), "").replace("http://www.w3.org/2000/svg", "")
    assert "://" not in own
    assert not re.search(r"<(link|img|script|iframe)[^>]+(href|src)=\"(?!data:)", own)


def test_the_page_of_a_server_has_no_data_and_asks_that_server_alone() -> None:
    page = render(None, "ru")
    assert '<script type="application/json" id="data"></script>' in page
    assert "default-src 'none'; connect-src 'self'; script-src" in page
    assert "connect-src" not in render({"about": {"publication_id": "p-1"}}, "ru")


def test_both_languages_say_the_same_things() -> None:
    texts = json.loads((PARTS / "texts.json").read_text(encoding="utf-8"))
    assert list(texts["ru"]) == list(texts["en"])
    for key, text in texts["ru"].items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", texts["en"][key]))
    used = set(re.findall(r"\bt\(\"(\w+)\"", own_script()))
    assert used <= set(texts["ru"])


def test_every_table_of_the_contract_has_a_name_for_people() -> None:
    texts = json.loads((PARTS / "texts.json").read_text(encoding="utf-8"))
    catalogue = read_metrics(ROOT)
    needs = Needs(catalogue, ())
    named = {
        table
        for metric in catalogue.public
        for clause in needs.of(metric.name, (MANAGER,))
        for table in clause
    }
    for table in {*named, "crm.managers"}:
        assert f"table_{table.replace('.', '_')}" in texts["ru"]


def test_every_check_has_words_for_people() -> None:
    """Expectations, dbt's tests and what stops a publication: the data screen says each of them."""
    expectations = [
        item["meta"]["name"]
        for file in (ROOT / "expectations").glob("*/*.yml")
        for item in yaml.safe_load(file.read_text(encoding="utf-8"))["expectations"]
    ]
    project = ROOT / "dbt_project"
    ours = [
        file.stem
        for folder in ("tests/singular", "macros/generic_tests")
        for file in (project / folder).glob("*.sql")
    ]
    generic = ["accepted_values", "not_null", "unique", "relationships"]
    stopping = [it.check for it in ACCEPTANCES]
    names = {*expectations, *ours, *generic, *stopping, AGREEMENT}
    assert len(names) > 45
    texts = json.loads((PARTS / "texts.json").read_text(encoding="utf-8"))
    for language in ("ru", "en"):
        assert {name for name in texts[language] if name.startswith("check_")} == {
            f"check_{name}" for name in names
        }


def test_what_a_sum_of_money_lacks_has_words_and_is_counted() -> None:
    texts = json.loads((PARTS / "texts.json").read_text(encoding="utf-8"))
    catalogue = read_metrics(ROOT)
    needs = Needs(catalogue, ())
    lacks = {metric.name: needs.lacks(metric.name) for metric in catalogue.public}
    for gap in {gap for pairs in lacks.values() for _, gap in pairs}:
        assert f"gap_{gap}" in texts["ru"] and gap in catalogue.metrics
    assert lacks["romi"] == (("revenue", "payments_unpriced"), ("ad_spend", "ad_costs_unpriced"))
    assert lacks["avg_deal_size"] == (("won_amount", "deals_won_unpriced"),)
    assert lacks["new_customers"] == ()
    for metric in catalogue.public:
        assert metric.blind is None or f"blind_{metric.blind}" in texts["ru"]


def test_the_pages_checks_are_the_diagnosis() -> None:
    found = re.search(r"const CHECKS = ({.*?});", own_script())
    assert found
    with (ROOT / "seeds/reference/diagnostic_checks.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["check_no"]))
    expected: dict[str, list[str]] = {}
    for row in rows:
        expected.setdefault(row["situation"], []).append(row["metric"])
    assert json.loads(found[1]) == expected


def test_without_a_publication_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="Nothing is published") as failure:
        write_dashboard(Settings(data_dir=tmp_path))
    assert failure.value.remedy == "Run `voronka refresh` first."
