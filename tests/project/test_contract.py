"""The raw contract in YAML against what the project makes of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from orchestration.expectations.suites import load_suites
from orchestration.raw_zone.contract import load_contract

PROJECT = Path(__file__).resolve().parents[2]
TABLES = sorted(load_contract(PROJECT).tables.values(), key=lambda table: table.full_name)


def test_the_macro_raw_tables_names_every_table_of_the_contract() -> None:
    """dbt needs the list before it has read the sources, so it stands in a macro too."""
    macro = (PROJECT / "dbt_project/macros/staging/raw_tables.sql").read_text(encoding="utf-8")
    returned = re.search(r"return\((.*)\)", macro, flags=re.DOTALL)
    assert returned, "The macro raw_tables returns no list."
    listed = [f"{source}.{table}" for source, table in ast.literal_eval(returned[1])]
    assert sorted(listed) == [table.full_name for table in TABLES]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.full_name)
def test_every_table_is_judged_staged_and_quarantined(table) -> None:  # type: ignore[no-untyped-def]  # a parameter of pytest
    """By three models, each of them a call of its macro with the table's own names."""
    folder = PROJECT / "dbt_project/models/staging" / table.source
    models = {
        f"base/base_{table.source}__{table.name}.sql": "judge",
        f"stg_{table.source}__{table.name}.sql": "current_versions",
        f"quarantine/{table.source}_{table.name}.sql": "quarantined_rows",
    }
    # A large table also says by which date a cluster divides it.
    month = ", partition_month='event_on'"
    found = {
        name: (folder / name).read_text(encoding="utf-8").strip().replace(month, "")
        for name in models
    }
    arguments = f"'{table.source}', '{table.name}'"
    assert found == {name: f"{{{{ {macro}({arguments}) }}}}" for name, macro in models.items()}


def test_the_codes_that_raw_suites_know_are_the_contracts() -> None:
    """Great Expectations warns of codes that staging does not read, and of no other."""
    asked = re.compile(r"select (\w+)::varchar as given.*?code not in \((.*?)\)", flags=re.DOTALL)
    known = {
        (table.full_name, column.name): {*column.meta["values"], *column.meta.get("synonyms", {})}
        for table in TABLES
        for column in table.columns
        if column.meta.get("values")
    }
    found = {
        (suite.full_name, column): set(ast.literal_eval(f"[{codes}]"))
        for suite in load_suites(PROJECT / "expectations")
        for expectation in suite.expectations
        for column, codes in asked.findall(str(expectation.kwargs.get("unexpected_rows_query", "")))
    }
    assert len(found) == 7
    assert found == {place: known[place] for place in found}
