"""Great Expectations on DuckDB: suites from files, run by the database, results as plain data.

A suite is a YAML file in Great Expectations' own form, in `expectations/raw` or
`expectations/marts`; its `meta.table` says what it is about, each expectation's `meta.name` what
it asserts. Great Expectations takes seconds to import: only `run_suites` does it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orchestration.base.cache import CacheEntry, fingerprint_of
from orchestration.base.errors import VoronkaError, WrongUse, first_line
from orchestration.base.record import ERROR, FAIL, PASS, WARN, CheckOutcome
from orchestration.base.text import named_values
from orchestration.raw_zone.spark_questions import in_spark_sql
from orchestration.spark.connection import Spark

KIND = "gx"
RAW, MARTS = "raw", "marts"
LAYERS = (RAW, MARTS)
CRITICAL = "critical"
_SEVERITIES = (CRITICAL, "warning", "info")
_SHOWN_ROWS = 10
_ROWS_QUERY = "unexpected_rows_expectation"
_QUERY = "unexpected_rows_query"
_COLUMNS = ("column", "column_A", "column_B")


@dataclass(frozen=True)
class Expectation:
    """One assertion: Great Expectations' type and arguments under a name of ours."""

    name: str
    type: str
    kwargs: Mapping[str, Any]
    severity: str
    description: str

    @property
    def is_blocking(self) -> bool:
        """Whether a failure stops the publication."""
        return self.severity == CRITICAL

    @property
    def columns(self) -> list[str]:
        """The columns that its arguments name."""
        return [str(self.kwargs[name]) for name in _COLUMNS if name in self.kwargs]


@dataclass(frozen=True)
class Suite:
    """The expectations on one table."""

    layer: str
    schema: str
    table: str
    key: tuple[str, ...]
    expectations: tuple[Expectation, ...]

    @property
    def full_name(self) -> str:
        """`crm.leads` or `marts.kpi_daily`."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class ExpectationResult:
    """How one expectation ended; `rows` are examples of what failed, in words."""

    suite: Suite
    expectation: Expectation
    status: str
    failing_rows: int | None
    message: str
    rows: Sequence[str] = ()

    def outcome(self) -> CheckOutcome:
        """The result as the record keeps it."""
        return CheckOutcome(
            name=self.expectation.name,
            kind=KIND,
            asset=self.suite.full_name,
            severity="error" if self.expectation.is_blocking else "warn",
            status=self.status,
            failing_rows=self.failing_rows,
            message=self.message,
        )


def load_suites(directory: Path) -> list[Suite]:
    """All suites below `directory`, by layer and table. Raises WrongUse for a damaged file."""
    suites = []
    for layer in LAYERS:
        for path in sorted((directory / layer).glob("*.yml")):
            try:
                suites.append(_suite(layer, yaml.safe_load(path.read_text(encoding="utf-8"))))
            except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
                raise WrongUse(
                    f"{path} is not a suite: {error}", "Compare it with the suites beside it."
                ) from error
    return suites


def _suite(layer: str, document: Mapping[str, Any]) -> Suite:
    schema, table = document["meta"]["table"].split(".")
    expectations = tuple(
        Expectation(
            name=item["meta"]["name"],
            type=item["type"],
            kwargs=item.get("kwargs", {}),
            severity=item["severity"],
            description=str(item.get("description", "")).strip(),
        )
        for item in document["expectations"]
    )
    for expectation in expectations:
        if expectation.severity not in _SEVERITIES:
            raise ValueError(f"severity {expectation.severity} is none of {_SEVERITIES}")
        if layer == RAW and expectation.is_blocking:
            raise ValueError("what comes in never blocks: bad rows are quarantined")
        if layer == RAW and expectation.type != _ROWS_QUERY:
            raise ValueError(f"raw rows are asked by {_ROWS_QUERY}, which every engine answers")
    if len({expectation.name for expectation in expectations}) < len(expectations):
        raise ValueError("two expectations have one name")
    key = tuple(document["meta"].get("key", ()))
    return Suite(layer, schema, table, key, expectations)


def cached_results(
    cache: CacheEntry,
    fingerprint: str,
    suites: Sequence[Suite],
    run: Callable[[], list[ExpectationResult]],
) -> list[ExpectationResult]:
    """What these suites found in data of this fingerprint, from the cache if they ran on it before.

    A result with an expectation that broke is not cached: it is tried again.
    """
    tool = importlib.metadata.version("great-expectations")
    key = fingerprint_of(fingerprint, tool, [asdict(suite) for suite in suites])
    asked = [(suite, expectation) for suite in suites for expectation in suite.expectations]
    cached = cache.get(key, [])
    if cached is not None:
        return [
            ExpectationResult(*about, *found)
            for about, found in zip(asked, cached["found"], strict=True)
        ]
    results = run()
    if all(result.status != ERROR for result in results):
        found = [(it.status, it.failing_rows, it.message, list(it.rows)) for it in results]
        cache.put(key, [], {"found": found})
    return results


def run_suites(
    database: Path,
    suites: Sequence[Suite],
    extension: Path | None = None,
    session: Mapping[str, Any] | None = None,
) -> list[ExpectationResult]:
    """Run suites on the tables of a DuckDB file, which is only read.

    `extension` is a DuckDB extension that its views need, as those over an object store do;
    `session` are options of DuckDB.

    Every expectation gives a result: one that raised has the status `error`, whatever its
    severity, and so have all expectations of a table that is not there.
    """
    if not suites:
        return []
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql(
        name=database.stem,
        connection_string=f"duckdb+voronka:///{database}?access_mode=read_only",
        kwargs={
            "connect_args": {
                "config": dict(session or {}),
                "preload_extensions": [f"'{extension}'"] if extension else [],
            }
        },
    )
    results: list[ExpectationResult] = []
    try:
        for suite in suites:
            results += _run_suite(gx, source, suite)
    finally:
        # Else the file stays open in this process, and nobody can write it.
        source.get_execution_engine().engine.dispose()
        source.get_engine().dispose()
    return results


def run_suites_on_spark(
    spark: Spark, prefix: str, suites: Sequence[Suite]
) -> list[ExpectationResult]:
    """Run suites of the raw zone on a cluster's views of it, with results like `run_suites`.

    Great Expectations speaks to no thrift server; what these suites ask is a query of rows that
    should not be, and the cluster answers it.
    """
    results = []
    for suite in suites:
        for item in suite.expectations:
            query = str(item.kwargs[_QUERY]).replace("{batch}", suite.full_name)
            try:
                found = spark.rows(
                    "select count(*) over (), to_json(struct(*), map('ignoreNullFields', 'false')) "
                    f"from ({in_spark_sql(query, prefix)}) limit {_SHOWN_ROWS}"
                )
            except VoronkaError as error:
                results.append(ExpectationResult(suite, item, ERROR, None, first_line(error)))
                continue
            rows = [_words(json.loads(row)) for _, row in found]
            results.append(
                _broken(suite, item, found[0][0], rows)
                if rows
                else ExpectationResult(suite, item, PASS, 0, "")
            )
    return results


def _run_suite(gx: Any, source: Any, suite: Suite) -> list[ExpectationResult]:
    try:
        asset = source.add_table_asset(
            name=suite.full_name, table_name=suite.table, schema_name=suite.schema
        )
        batch = asset.add_batch_definition_whole_table("all").get_batch()
    except Exception as error:  # noqa: BLE001  whatever is raised, it is no verdict on the data
        message = f"{suite.full_name} cannot be read: {first_line(error)}"
        return [ExpectationResult(suite, item, ERROR, None, message) for item in suite.expectations]
    results = []
    for item in suite.expectations:
        try:
            expectation = getattr(gx.expectations, _class_name(item.type))(
                **item.kwargs, severity=item.severity, meta={"name": item.name}
            )
            found = batch.validate(expectation, result_format=_result_format(suite, item))
        except Exception as error:  # noqa: BLE001  as above
            results.append(ExpectationResult(suite, item, ERROR, None, first_line(error)))
            continue
        results.append(_result(suite, item, found))
    return results


def _class_name(snake: str) -> str:
    return "".join(part.capitalize() for part in snake.split("_"))


def _result_format(suite: Suite, item: Expectation) -> dict[str, Any]:
    """Enough to show some failing rows, never all of them."""
    if item.type == _ROWS_QUERY:
        # Great Expectations shows the rows only in its complete form, and cuts them at 200.
        return {"result_format": "COMPLETE"}
    wanted: dict[str, Any] = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": _SHOWN_ROWS,
    }
    if suite.key and "column" in item.kwargs:
        wanted["unexpected_index_column_names"] = list(suite.key)
    return wanted


def _result(suite: Suite, item: Expectation, found: Any) -> ExpectationResult:
    if raised := _raised(found.exception_info):
        return ExpectationResult(suite, item, ERROR, None, raised)
    result = found.result or {}
    if found.success:
        return ExpectationResult(suite, item, PASS, 0, "")
    rows = _rows(result)
    observed = result.get("observed_value")
    count = observed if item.type == _ROWS_QUERY else result.get("unexpected_count")
    return _broken(suite, item, None if count is None else int(count), rows, observed)


def _broken(
    suite: Suite, item: Expectation, count: int | None, rows: Sequence[str], observed: Any = None
) -> ExpectationResult:
    """The result of an expectation that did not hold, with what was found instead."""
    message = ", ".join(item.columns) + (": " if item.columns else "")
    message += item.description or item.type
    if rows:
        message += f" Not so, for example: {rows[0]}"
    elif observed is not None:
        message += f" Not so: {observed}"
    return ExpectationResult(suite, item, FAIL if item.is_blocking else WARN, count, message, rows)


def _rows(result: Mapping[str, Any]) -> list[str]:
    details = result.get("details") or {}
    found = (
        details.get("unexpected_rows")
        or result.get("partial_unexpected_index_list")
        or result.get("partial_unexpected_list")
        or []
    )
    return [_words(row) for row in found[:_SHOWN_ROWS]]


def _words(row: Any) -> str:
    return named_values(row) if isinstance(row, Mapping) else str(row)


def _raised(info: Any) -> str:
    """The message of an exception inside the expectation, or nothing.

    Great Expectations reports one exception, or one for each metric by its id.
    """
    if not info:
        return ""
    parts = [info] if "raised_exception" in info else list(info.values())
    for part in parts:
        if isinstance(part, Mapping) and part.get("raised_exception"):
            return str(part.get("exception_message") or "raised an exception").strip()
    return ""


@cache
def _great_expectations() -> Any:
    """Great Expectations, with a DuckDB dialect that it can work with, and without telemetry."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    from sqlalchemy.dialects import registry

    registry.register("duckdb.voronka", "orchestration.expectations.gx_dialect", "ReadOnlyDialect")
    import great_expectations

    return great_expectations
