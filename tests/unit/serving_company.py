"""A company of three managers, published: enough for a server, without a refresh."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.settings import Settings
from orchestration.base.sql import literal
from orchestration.models.dbt import PublishedModel
from orchestration.publication.database import write_access
from orchestration.serving.session import SEED
from tests.conftest import ROOT

ROLES = """role_name,scope,value
anna,manager,m1
head_north,team,North
left_long_ago,manager,m9
"""
_MANAGER = frozenset({"manager_id"})
MODELS = (
    PublishedModel("marts", "dim_manager", ("manager_id",), "", {},
                   personal=frozenset({"email"}), managers=_MANAGER),
    PublishedModel("marts", "dim_source", ("source_id",), "", {}),
    PublishedModel("marts", "fct_deals", ("deal_id",), "", {}, managers=_MANAGER),
    PublishedModel("marts", "fct_meetings", ("meeting_id",), "", {},
                   managers=frozenset({"set_by", "held_by"})),
    PublishedModel("marts", "fct_ad_spend", (), "", {}),
    PublishedModel("metrics", "time_spine_day", (), "", {}),
    PublishedModel("quality", "raw_reconciliation", (), "", {}),
    PublishedModel("quarantine", "crm_deals", (), "", {}, is_personal=True),
)  # fmt: skip
_TABLES = """
create schema marts; create schema metrics; create schema quality; create schema quarantine;
create table marts.dim_manager as
select * from (values ('m1', 'Anna', 'North', 'anna@ours.ru'),
    ('m2', 'Boris', 'North', 'boris@ours.ru'), ('m3', 'Vera', 'South', null))
    as t(manager_id, manager_name, team, email);
create table marts.dim_source as
select * from (values ('ads', 'Ads'), ('web', 'Web')) as t(source_id, source_name);
create table marts.fct_deals as
select * from (values ('d1', 'm1', 'ads', 10.00, date '2026-01-05', 'secret of m1'),
    ('d2', 'm2', 'web', 20.00, date '2026-01-06', 'secret of m2'),
    ('d3', 'm3', 'web', 40.00, date '2026-02-07', '=1+1'))
    as t(deal_id, manager_id, source_id, amount, created_on, title);
create table marts.fct_meetings as
select * from (values ('set', 'm1', 'm2'), ('held', 'm2', 'm1'), ('other', 'm2', 'm3'),
    ('another', 'm3', 'm3'))
    as t(meeting_id, set_by, held_by);
create table marts.fct_ad_spend as
select date '2026-01-05' as date_day, 'ads' as source_id, 5.00 as spend;
create table metrics.time_spine_day as
select unnest(range(timestamp '2025-12-01', timestamp '2026-03-01', interval 1 day))::date
    as date_day;
create table quality.raw_reconciliation as
select * from (values ('crm.deals', 3::bigint, 4::bigint), ('crm.leads', 0::bigint, 0::bigint))
    as t(table_name, rows_kept, rows_read);
create table quarantine.crm_deals as select 'broken' as deal_id, ['amount: type'] as reasons;
"""


def unpublished(data: Path) -> Settings:
    """Settings of a data directory where nothing is published yet."""
    root = data / "project"
    seed = root / SEED
    if not seed.exists():
        seed.parent.mkdir(parents=True)
        seed.write_text(ROLES)
        shutil.copy(ROOT / "dbt_project.yml", root)
    return Settings(project_dir=root, data_dir=data)


def publish(data: Path, publication_id: str, more: str = "") -> Settings:
    """Settings of a data directory in which this company is published; the old file is replaced.

    `more` is SQL on what is published.
    """
    settings = unpublished(data)
    file = settings.published_file
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{publication_id}.tmp")
    draft.unlink(missing_ok=True)
    with duckdb.connect(str(draft)) as connection:
        connection.execute(_TABLES)
        connection.execute(
            "create table quality.publication as select "
            f"{literal(publication_id)} as publication_id, '1' as project_version, "
            "date '2026-02-28' as as_of_date, "
            "timestamptz '2026-03-01 04:00:00+00' as published_at, "
            "'/raw' as raw_dir, false as is_demo, 2::bigint as raw_files, 4::bigint as raw_rows, "
            "1::bigint as rows_quarantined, 9::bigint as checks_passed, "
            "1::bigint as checks_warned, 0::bigint as checks_failed"
        )
        connection.execute(
            "create table metrics.semantic_manifest as select "
            f"{literal(json.dumps(manifest()))} as manifest"
        )
        write_access(connection, MODELS)
        connection.execute(more)
    os.replace(draft, file)
    return settings


def manifest() -> dict[str, Any]:
    """Two facts by manager and source: deals and their amount, and spend that has no manager."""
    return {
        "semantic_models": [
            _model("deals", "fct_deals", "created_on", ("deal", "deal_id"),
                   [("manager", "manager_id"), ("source", "source_id")],
                   [("deals_amount", "sum", "amount"), ("deals", "sum", "1")]),
            _model("ad_spend", "fct_ad_spend", "date_day", ("spend_row", "date_day"),
                   [("source", "source_id")], [("ad_spend", "sum", "spend")]),
            _model("managers", "dim_manager", "", ("manager", "manager_id"), [], [],
                   ["team", "email"]),
        ],
        "metrics": [
            _metric("deals_amount", "Amount of deals", "Сумма сделок", "currency"),
            _metric("deals", "Deals", "Сделки", "count"),
            _metric("ad_spend", "Ad spend", "Расходы на рекламу", "currency"),
        ],
        "saved_queries": [],
        "project_configuration": {
            "time_spine_table_configurations": [],
            "time_spines": [
                {"node_relation": _node("metrics", "time_spine_day"),
                 "primary_column": {"name": "date_day", "time_granularity": "day"},
                 "custom_granularities": []},
            ],
        },
    }  # fmt: skip


def _node(schema: str, alias: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "schema_name": schema,
        "database": None,
        "relation_name": f'"{schema}"."{alias}"',
    }


def _model(
    name: str,
    table: str,
    day: str,
    key: tuple[str, str],
    foreign: Sequence[tuple[str, str]],
    measures: Sequence[tuple[str, str, str]],
    dimensions: Sequence[str] = (),
) -> dict[str, Any]:
    times = [
        {"name": day, "type": "time", "expr": day, "type_params": {"time_granularity": "day"}}
    ] * bool(day)
    return {
        "name": name,
        "node_relation": _node("marts", table),
        "defaults": {"agg_time_dimension": day} if day else None,
        "primary_entity": None,
        "entities": [
            {"name": key[0], "type": "primary", "expr": key[1]},
            *({"name": it, "type": "foreign", "expr": column} for it, column in foreign),
        ],
        "measures": [{"name": it, "agg": agg, "expr": expr} for it, agg, expr in measures],
        "dimensions": [*times, *({"name": it, "type": "categorical"} for it in dimensions)],
        "config": {"meta": {"row": [key[0]]}},
    }


def _metric(name: str, english: str, russian: str, unit: str) -> dict[str, Any]:
    measure = {"name": name, "join_to_timespine": False, "fill_nulls_with": None}
    return {
        "name": name,
        "type": "simple",
        "label": english,
        "description": f"{english}.",
        "type_params": {"measure": measure, "input_measures": [measure], "metrics": []},
        "config": {
            "meta": {
                "label_ru": russian,
                "description_ru": f"{russian}.",
                "unit": unit,
                "good_direction": "up",
                "group": "result",
                "over_time": "sum",
            }
        },
    }
