"""What dbt's tests found, in words.

dbt says how many rows a test returned. People want to know which: a test that selects a column
`message` says it itself, of any other the first row is shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from orchestration.base.files import read_json
from orchestration.base.record import FAIL, WARN, CheckOutcome
from orchestration.base.settings import SPARK, Settings
from orchestration.base.sql import attach
from orchestration.base.text import counted, named_values
from orchestration.models.dbt import Manifest
from orchestration.spark.connection import SparkRefused, connected

Row = Mapping[str, str | None]
# The first rows of a query, by the names of its columns.
Ask = Callable[[str], Sequence[Row]]

_MESSAGE = "message"
_SHOWN_MESSAGES = 5


def explained(
    checks: Sequence[CheckOutcome], manifest: Manifest, settings: Settings, target: Path
) -> list[CheckOutcome]:
    """The outcomes of the tests of dbt's last run with messages that name what was found.

    `target` is the folder that the run wrote into. The build is only read. A test that cannot be
    asked again keeps dbt's own message.
    """
    tests = compiled_tests(target) if any(_is_finding(check) for check in checks) else {}
    if not tests:
        return list(checks)
    columns = {node["name"]: node.get("column_name") for node in manifest["nodes"].values()}
    with _asked(settings) as ask:
        return [
            _explained(ask, check, tests[check.name], columns.get(check.name))
            if _is_finding(check) and check.name in tests
            else check
            for check in checks
        ]


@contextlib.contextmanager
def _asked(settings: Settings) -> Iterator[Ask]:
    """Where a test's SQL is asked again: the engine that it was compiled for."""
    if settings.engine == SPARK:
        with connected(settings) as spark:
            yield lambda sql: spark.named_rows(f"select * from ({sql}) limit {_SHOWN_MESSAGES}")
        return
    with duckdb.connect(config=settings.session()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        attach(connection, *settings.build_files, settings.raw_zone_file)

        def ask(sql: str) -> list[Row]:
            found = connection.execute(
                f"select columns(*)::varchar from ({sql}) limit {_SHOWN_MESSAGES}"
            )
            names = [name for name, *_ in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        yield ask


def compiled_tests(target: Path) -> Mapping[str, str]:
    """The SQL of the tests of dbt's last run, by the test's name."""
    return {
        result["unique_id"].split(".")[2]: result["compiled_code"]
        for result in read_json(target / "run_results.json").get("results", [])
        if result["unique_id"].startswith("test.") and result.get("compiled_code")
    }


def _is_finding(check: CheckOutcome) -> bool:
    return check.kind == "dbt" and check.status in (WARN, FAIL)


def _explained(ask: Ask, check: CheckOutcome, sql: str, column: str | None) -> CheckOutcome:
    try:
        rows = ask(sql)
    except (duckdb.Error, SparkRefused):
        return check
    if not rows:
        return check
    total = check.failing_rows or len(rows)
    if _MESSAGE in rows[0]:
        more = total - len(rows)
        messages = [str(row[_MESSAGE]) for row in rows] + ([f"and {more:,} more"] if more else [])
        return replace(check, message="; ".join(messages))
    about = f"{column}: " if column else ""
    example = named_values(rows[0])
    return replace(check, message=f"{about}{counted(total, 'row')} found, for example {example}")
