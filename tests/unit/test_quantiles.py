"""The quantiles that the outlook's SQL approximates, against scipy's."""

from __future__ import annotations

import duckdb
import pytest
from jinja2 import Environment, FileSystemLoader
from scipy.stats import norm, t

from tests.conftest import ROOT

MACROS = Environment(loader=FileSystemLoader(ROOT / "dbt_project/macros"), autoescape=False)
MACROS.globals["ratio"] = lambda numerator, denominator: f"({numerator}) / ({denominator})"


def evaluated(macro: str, argument: str) -> float:
    """What the SQL of a macro of one argument says."""
    sql = getattr(MACROS.get_template(f"{macro}.sql").module, macro)(argument)
    found = duckdb.sql(f"select {sql}").fetchone()
    assert found is not None
    return float(found[0])


@pytest.mark.parametrize("tail", ["0.2 / 2", "0.2 / 9", "0.025", "0.3"])
def test_normal_quantile(tail: str) -> None:
    exact = norm.isf(number(tail))
    assert evaluated("normal_quantile", tail) == pytest.approx(exact, abs=5e-4)


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 30])
def test_student_quantile(freedom: int) -> None:
    exact = t.ppf(0.9, freedom)
    assert evaluated("student_quantile", f"{freedom}.0") == pytest.approx(exact, abs=0.01)


def number(text: str) -> float:
    """A number, or one divided by another."""
    dividend, _, divisor = text.partition(" / ")
    return float(dividend) / float(divisor or 1)
