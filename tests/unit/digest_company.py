"""The company of `serving_company` on a Thursday morning: plans, causes, next steps, loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.settings import Settings
from orchestration.base.sql import literal
from tests.unit import serving_company

# Thursday, 12 March, 9 in Moscow.
NOW = datetime(2026, 3, 12, 6, 0, tzinfo=UTC)
OLGA = "olga: {role: head, to: 'json://localhost/olga'}"
ANNA = "anna: {role: manager, viewer: anna, language: en, to: 'json://localhost/anna'}"
ON_CALL = "on_call: {role: engineer, language: en, days_off: true, to: 'json://localhost/on_call'}"

_MARTS = """
drop table marts.fct_deals; drop table marts.fct_meetings; drop table marts.dim_manager;
delete from quality.table_access where table_name = 'marts.fct_deals';
update quality.publication set as_of_date = date '2026-03-11';
create table marts.dim_manager as select *, false as is_deleted, null::date as dismissed_on
from (values ('m1', 'Anna', 'North', 'hunter'), ('m2', 'Boris <b>', 'North', 'hunter'),
    ('m3', 'Vera', 'South', 'lead_generator')) as t(manager_id, manager_name, team, role);
create table marts.dim_date as select d::date as date_day, isodow(d) < 6 and d <> '2026-03-09' as
is_working_day from range(timestamp '2026-01-01', timestamp '2027-01-01', interval 1 day) as t(d);
create table marts.fct_payments as select * from (values
    ('p1', 'm1', date '2026-03-11', 1500.50), ('p2', 'm2', date '2026-03-11', 2000000.00),
    ('p3', 'm2', date '2026-03-02', 500000.00), ('p4', 'm3', date '2026-02-20', 7.00))
    as t(payment_id, manager_id, paid_on, amount);
create table marts.fct_deals as select * from (values
    ('d1', 'm1', date '2026-03-11'), ('d2', 'm1', date '2026-03-03'),
    ('d3', 'm2', date '2026-03-04')) as t(deal_id, manager_id, won_on);
create table marts.fct_meetings as select * from (values
    ('e1', 'm3', date '2026-03-11'), ('e2', 'm3', date '2026-03-11'))
    as t(meeting_id, manager_id, set_on);
create table marts.quota_attainment as select * from (values
    ('m1', 'revenue', 'month', date '2026-03-01', 400000, 1500.50, 150000, 1500.50),
    ('m2', 'revenue', 'month', date '2026-03-01', 2400000, 2500000, 900000, 2500000),
    ('m1', 'deals_won', 'day', date '2026-03-11', 2, 1, 2, 1),
    ('m1', 'win_rate', 'month', date '2026-03-01', 0.4, 0.3, 0.4, 0.3),
    ('m2', 'win_rate', 'month', date '2026-03-01', 0.4, 0.5, 0.4, 0.5),
    ('m3', 'meetings_set', 'week', date '2026-03-09', 20, 5, 10, 5),
    ('m1', 'no_such_figure', 'month', date '2026-03-01', 1, null, 1, null))
    as t(manager_id, metric, period, period_start, target, actual, target_to_date, actual_to_date);
create table marts.kpi_diagnostics as select * from (values
    ('week', date '2026-03-02', 'm3', 'Vera', 'few_meetings_set', 1, 'calls_60s', 10, 20,
     'cause', 'Проверьте загрузку.', 'Check the workload.'),
    ('week', date '2026-03-02', 'm3', 'Vera', 'few_meetings_set', 2, 'talk_minutes', 9, 8,
     'ok', 'Нет.', 'No.'),
    ('week', date '2026-03-02', 'm2', 'Boris <b>', 'meetings_not_held', 2, 'new_source_share',
     null, null, 'no_data', 'Нет.', 'No.'),
    ('week', date '2026-02-23', 'm1', 'Anna', 'few_meetings_set', 1, 'calls_60s', 1, 2,
     'cause', 'Давно.', 'Long ago.'))
    as t(period_grain, period_start, manager_id, manager_name, situation, check_no, metric,
         current_value, previous_value, verdict, advice_ru, advice_en);
create table marts.manager_profile as select * from (values
    (date '2026-02-01', 'm2', 'Boris <b>', 'win_rate', 0.2, 0.35, 'weakness', 1200000.0),
    (date '2026-02-01', 'm1', 'Anna', 'win_rate', 0.5, 0.35, 'strength', -5.0),
    (date '2026-01-01', 'm1', 'Anna', 'win_rate', 0.1, 0.35, 'weakness', 9.0))
    as t(period_start, manager_id, manager_name, metric, value, team_median, verdict, gap_in_money);
create table marts.deal_outlook as select * from (values
    ('77', 'm1', 'Anna', 900000.00, 3, 'Позвонить.', 'Call back.', 0.1, 100.0, false),
    ('78', 'm2', 'Boris <b>', 800000.00, 0, 'Отправить КП.', 'Send a proposal.', 0.2, 100.0, false),
    ('79', 'm2', 'Boris <b>', null, null, null, null, null, 1.0, false))
    as t(deal_id, manager_id, manager_name, amount, days_since_contact, next_step_ru, next_step_en,
         next_step_lift, expected_amount, is_stale);
alter table marts.deal_outlook add column next_step varchar;
update marts.deal_outlook set next_step = next_step_en;
create table marts.revenue_forecast as select * from (values
    (date '2026-03-01', '*', 3100000.00, 2900000.00, 3300000.00, 2800000.00),
    (date '2026-03-01', 'm1', 300000.00, null, null, 400000.00))
    as t(period_start, manager_id, forecast, forecast_low, forecast_high, target);
create table quality.unpriced_money as select * from (values
    ('payments', 'crm.payments', 'KZT', 10, 2))
    as t(figure, table_name, currency, "rows", rows_unpriced);
create or replace table quality.raw_reconciliation as select * from (values
    ('crm.payments', 4, 4, 0), ('crm.deals', 3, 5, 2), ('crm.meetings', 2, 2, 0),
    ('crm.quotas', 7, 7, 0)) as t(table_name, rows_kept, rows_read, rows_quarantined);
insert into quality.table_access select 'marts.' || unnest(['dim_date', 'fct_payments', 'fct_deals',
    'quota_attainment', 'kpi_diagnostics', 'manager_profile', 'deal_outlook', 'revenue_forecast']),
    'own_rows', []::varchar[], ['manager_id'];
update quality.table_access set shown_to = 'everybody', manager_columns = []
    where table_name = 'marts.dim_date';
update quality.table_access set manager_columns = ['manager_id']
    where table_name = 'marts.fct_meetings';
update quality.table_access set shown_to = 'everybody' where table_name = 'marts.dim_manager';
"""


def publish(data: Path, more: str = "", **settings: Any) -> Settings:
    """Settings of a data directory with this company, loaded at midnight; `more` is SQL on it."""
    found = serving_company.publish(
        data,
        "first",
        f"{_MARTS}; update metrics.semantic_manifest set manifest = "
        f"{literal(json.dumps(_manifest()))}; {more}",
    )
    root = Path(__file__).resolve().parents[2]
    (found.root / "dbt_project.yml").write_text((root / "dbt_project.yml").read_text())
    load(found, {"crm": datetime(2026, 3, 11, 21, 0, tzinfo=UTC)})
    return Settings(**{**found.model_dump(), "notifications": data / "notifications.yml",
                       "now": NOW, **settings})  # fmt: skip


def load(settings: Settings, loaded: Mapping[str, datetime]) -> None:
    """Register raw tables of these systems, loaded daily for a week up to these instants."""
    settings.temporary_dir.mkdir(parents=True, exist_ok=True)
    settings.raw_zone_file.unlink(missing_ok=True)
    tables = [it for it in ("crm.payments", "crm.deals", "crm.meetings", "crm.quotas")
              if it.partition(".")[0] in loaded]  # fmt: skip
    with duckdb.connect(str(settings.raw_zone_file)) as connection:
        connection.execute(
            "create schema zone; create schema crm;"
            "create table zone.tables (table_name varchar, rows bigint);"
            "create table zone.schema_drift (table_name varchar, file varchar, "
            "column_name varchar, data_type varchar)"
        )
        for table in tables:
            at = loaded[table.partition(".")[0]].isoformat()
            connection.execute(
                f"insert into zone.tables values ('{table}', 8); create table {table} as select "
                f"timestamptz '{at}' - i * interval 1 day as _loaded_at from range(8) as t(i)"
            )


def notify(settings: Settings, *recipients: str, **keys: object) -> None:
    """Write notifications.yml."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in keys.items()]
    lines += ["recipients:", *(f"  {it}" for it in recipients)]
    settings.notifications_file.write_text("\n".join(lines), encoding="utf-8")


def _manifest() -> dict[str, Any]:
    return {
        **serving_company.manifest(),
        "semantic_models": [
            _model("payments", "fct_payments", "paid_on", "payment", ["crm.payments"],
                   {"revenue": ("sum", "amount")}),
            _model("deals", "fct_deals", "won_on", "deal", ["crm.deals"],
                   {"deals_won": ("sum", "1")}),
            _model("meetings", "fct_meetings", "set_on", "meeting", ["crm.meetings"],
                   {"meetings_set": ("sum", "1")}),
            _model("quotas", "quota_attainment", "period_start", "", ["crm.quotas"],
                   {it: ("sum", it) for it in ("target", "actual", "target_to_date",
                                               "actual_to_date")},
                   ["metric", "period"]),
        ],
        "metrics": [
            _metric("revenue", "Revenue", "Выручка", "currency"),
            _metric("deals_won", "Deals won", "Выигранные сделки", "count"),
            _metric("meetings_set", "Meetings set", "Назначено встреч", "count"),
            *(_metric(it, it, it, "count") for it in ("target", "actual", "target_to_date",
                                                      "actual_to_date")),
            _ratio("attainment", "actual", "target"),
            _ratio("pace", "actual_to_date", "target_to_date"),
            _ratio("win_rate", "deals_won", "meetings_set", "Win rate", "Доля выигранных"),
        ],
    }  # fmt: skip


def _model(
    name: str,
    table: str,
    day: str,
    key: str,
    needs: list[str],
    measures: Mapping[str, tuple[str, str]],
    dimensions: list[str] | None = None,
) -> dict[str, Any]:
    entities = [{"name": "manager", "type": "foreign", "expr": "manager_id"}]
    if key:
        entities.append({"name": key, "type": "primary", "expr": f"{key}_id"})
    return {
        "name": name,
        "node_relation": {"alias": table, "schema_name": "marts", "database": None,
                          "relation_name": f'"marts"."{table}"'},
        "defaults": {"agg_time_dimension": day},
        "primary_entity": None if key else "quota",
        "entities": entities,
        "measures": [{"name": it, "agg": agg, "expr": expr}
                     for it, (agg, expr) in measures.items()],
        "dimensions": [
            {"name": day, "type": "time", "expr": day,
             "type_params": {"time_granularity": "day"}},
            *({"name": it, "type": "categorical"} for it in dimensions or ()),
        ],
        "config": {"meta": {"needs": needs}},
    }  # fmt: skip


def _metric(name: str, english: str, russian: str, unit: str) -> dict[str, Any]:
    measure = {"name": name, "join_to_timespine": False, "fill_nulls_with": 0}
    return {
        "name": name, "type": "simple", "label": english, "description": f"{english}.",
        "type_params": {"measure": measure, "input_measures": [measure], "metrics": []},
        "config": {"meta": {"label_ru": russian, "description_ru": f"{russian}.", "unit": unit,
                            "good_direction": "up", "group": "result", "over_time": "sum"}},
    }  # fmt: skip


def _ratio(
    name: str, numerator: str, denominator: str, english: str = "", russian: str = ""
) -> dict[str, Any]:
    parts = [{"name": it, "join_to_timespine": False, "fill_nulls_with": 0}
             for it in (numerator, denominator)]  # fmt: skip
    return {
        "name": name, "type": "ratio", "label": english or name, "description": f"{name}.",
        "type_params": {"numerator": {"name": numerator}, "denominator": {"name": denominator},
                        "input_measures": parts, "metrics": []},
        "config": {"meta": {"label_ru": russian or name, "description_ru": f"{name}.",
                            "unit": "ratio", "good_direction": "up", "group": "result",
                            "over_time": "none"}},
    }  # fmt: skip
