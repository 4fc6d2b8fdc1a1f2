"""The dashboard for Apache Superset names what the project publishes, and fits together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.cli.mart_index import load_marts

PROJECT = Path(__file__).resolve().parents[2]
SUPERSET = PROJECT / "docs/bi/superset"
SCORECARDS = PROJECT / "dbt_project/models/semantic/saved_queries/scorecards.yml"
# Every grouping of a scorecard as a column; the export adds the two variants of each metric.
DIMENSION = re.compile(r"(?:TimeDimension|Entity|Dimension)\('(\w+)'")
WORDS_OF_SQL = {
    *("sum", "min", "lag", "count", "nullif", "over", "order", "by"),
    *("filter", "where", "not", "and", "or"),
}


def read(folder: str) -> dict[str, dict[str, Any]]:
    """The files of a folder by name."""
    files = sorted((SUPERSET / folder).rglob("*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}


DATASETS = read("datasets")
CHARTS = read("charts")
(DASHBOARD,) = read("dashboards").values()
(DATABASE,) = read("databases").values()
DATASET_BY_UUID = {dataset["uuid"]: dataset for dataset in DATASETS.values()}


def columns_of_scorecard(query: dict[str, Any]) -> set[str]:
    """What the export of a saved query has as columns."""
    asked = query["query_params"]
    columns = {"period_start", "is_running"}
    for grouping in asked["group_by"]:
        name = DIMENSION.match(grouping)[1]  # type: ignore[index]  # no match fails the test
        if name != "metric_time":
            columns.add(f"{name}_id" if grouping.startswith("Entity") else name.replace("__", "_"))
    for metric in asked["metrics"]:
        columns |= {metric, f"{metric}_previous", f"{metric}_year_to_date"}
    return columns


def published() -> dict[tuple[str, str], set[str]]:
    """The columns of every table that a dataset may name."""
    tables = {
        (mart.schema, mart.name): {column.name for column in mart.columns}
        for mart in load_marts(PROJECT)
    }
    for query in yaml.safe_load(SCORECARDS.read_text(encoding="utf-8"))["saved_queries"]:
        tables["metrics", query["name"]] = columns_of_scorecard(query)
    return tables


def words(sql: str) -> set[str]:
    """The names in an expression that are not SQL's own."""
    return set(re.findall(r"[a-z_]\w*", re.sub(r"'[^']*'", "", sql))) - WORDS_OF_SQL


def named_by(params: dict[str, Any]) -> Iterator[str]:
    """Every column or metric that a chart names."""
    for option in ("x_axis", "x_axis_sort", "metric", "timeseries_limit_metric"):
        yield from filter(None, [params.get(option)])
    for option in ("metrics", "groupby", "all_columns", "column_config"):
        yield from params.get(option, ())
    for order in params.get("order_by_cols", ()):
        yield json.loads(order)[0]
    for condition in params["adhoc_filters"]:
        if condition["expressionType"] == "SQL":
            yield from words(condition["sqlExpression"])
        else:
            yield condition["subject"]


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_has_the_columns_of_its_table(name: str) -> None:
    dataset = DATASETS[name]
    columns = {column["column_name"] for column in dataset["columns"]}
    assert columns == published()[dataset["schema"], dataset["table_name"]]
    for metric in dataset["metrics"]:
        assert words(metric["expression"]) <= columns, metric["metric_name"]
    assert dataset["main_dttm_col"] in columns
    assert dataset["database_uuid"] == DATABASE["uuid"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_names_what_its_dataset_has(name: str) -> None:
    params = CHARTS[name]["params"]
    dataset = DATASET_BY_UUID[CHARTS[name]["dataset_uuid"]]
    columns = {column["column_name"] for column in dataset["columns"]}
    metrics = {metric["metric_name"] for metric in dataset["metrics"]}
    assert set(named_by(params)) <= columns | metrics
    assert params["viz_type"] == CHARTS[name]["viz_type"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_keeps_to_one_grain(name: str) -> None:
    """Every event is in a mart once for each grain, so a sum without one is too large."""
    dataset = DATASET_BY_UUID[CHARTS[name]["dataset_uuid"]]
    if any(column["column_name"] == "period_grain" for column in dataset["columns"]):
        grains = [
            condition["comparator"]
            for condition in CHARTS[name]["params"]["adhoc_filters"]
            if condition.get("subject") == "period_grain" and condition["operator"] == "=="
        ]
        assert grains == ["month"]


def test_the_dashboard_shows_every_chart_once() -> None:
    position = DASHBOARD["position"]
    shown = [
        (part["meta"]["uuid"], part["meta"]["sliceName"])
        for part in position.values()
        if isinstance(part, dict) and part["type"] == "CHART"
    ]
    assert sorted(shown) == sorted((one["uuid"], one["slice_name"]) for one in CHARTS.values())
    for name, part in position.items():
        if isinstance(part, dict):
            assert set(part.get("children", ())) <= set(position), name
    for row in position["GRID_ID"]["children"]:
        assert sum(position[one]["meta"]["width"] for one in position[row]["children"]) == 12


def test_no_two_files_share_an_identifier() -> None:
    every = [DATABASE, DASHBOARD, *DATASETS.values(), *CHARTS.values()]
    assert len({one["uuid"] for one in every}) == len(every)


def test_the_file_is_opened_read_only() -> None:
    """By a path without a machine in it."""
    assert DATABASE["extra"]["engine_params"] == {"connect_args": {"read_only": True}}
    assert DATABASE["sqlalchemy_uri"] == "duckdb:///data/published/voronka.duckdb"


def test_superset_reads_with_the_publishers_duckdb() -> None:
    pins = [
        re.search(r"^duckdb==(\S+)", path.read_text(encoding="utf-8"), re.M)[1]  # type: ignore[index]  # no match fails the test
        for path in (PROJECT / "requirements.lock", SUPERSET / "requirements.txt")
    ]
    assert pins[0] == pins[1]
