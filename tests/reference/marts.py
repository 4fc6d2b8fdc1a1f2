"""Everything the specification derives from one raw zone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .coaching import build_manager_profile
from .contract import HAS_UNKNOWN, MEMBER_TABLES, UNKNOWN
from .customers import build_customer_cohorts, build_customer_value
from .daily import build_daily
from .evaluators import build_evaluator_agreement
from .facts import Facts, build_facts
from .funnel import build_funnel, build_lost_reasons, build_pipeline_daily
from .identity import World
from .periods import Periods
from .plans import build_diagnostics, build_quota_attainment
from .quality import build_data_quality
from .reading import read_zone
from .variables import Calendar, Variables

Mart = list[dict[str, Any]]
_PERIOD = ("period_grain", "period_start")
KEYS: dict[str, tuple[str, ...]] = {
    "fct_call_sessions": ("session_id",),
    "fct_calls": ("session_id", "manager_id"),
    "fct_leads": ("lead_id",),
    "fct_deals": ("deal_id",),
    "fct_stage_entries": ("deal_id", "entry_no"),
    "fct_meetings": ("meeting_id",),
    "fct_payments": ("payment_id",),
    "fct_activities": ("activity_id",),
    "dim_manager": ("manager_id",),
    "dim_source": ("source_id",),
    "dim_pipeline": ("pipeline_id",),
    "dim_stage": ("stage_id",),
    "dim_contact": ("contact_id",),
    "kpi_daily": ("date_day", "manager_id", "source_id"),
    "kpi_manager_period": (*_PERIOD, "manager_id"),
    "kpi_company_period": _PERIOD,
    "kpi_source_period": (*_PERIOD, "source_id"),
    "kpi_lead_generator_period": (*_PERIOD, "manager_id", "source_id"),
    "funnel_conversion": ("cohort_month", "pipeline_id", "stage_id", "manager_id", "source_id"),
    "pipeline_daily": ("date_day", "pipeline_id", "stage_id", "manager_id"),
    "lost_reasons": (*_PERIOD, "manager_id", "lost_reason"),
    "customer_value": ("contact_id",),
    "customer_cohorts": ("cohort_month", "months_since"),
    "evaluator_agreement": ("evaluator", "criterion"),
    "quota_attainment": ("manager_id", "metric", "period", "period_start"),
    "kpi_diagnostics": (*_PERIOD, "manager_id", "situation", "check_no"),
    "manager_profile": ("period_start", "manager_id", "metric"),
    "data_quality_daily": ("date_day", "table_name", "check_name"),
}


@dataclass(frozen=True)
class Reference:
    """The reference: the settled world, its facts, and every table by its public name."""

    world: World
    facts: Facts
    tables: dict[str, Mart]
    quarantine: dict[str, list[tuple[str, ...]]]  # table -> the reasons of each row


def build(raw_dir: Path, variables: Variables, calendar: Calendar) -> Reference:
    """Computes the whole specification from a raw zone."""
    world = World(read_zone(raw_dir, variables), variables, calendar)
    facts = build_facts(world)
    tables = {**facts.by_name(), **build_dimensions(world), **build_marts(world, facts)}
    quarantine = {
        name: [row.reasons for row in rows.quarantined] for name, rows in world.zone.items()
    }
    return Reference(world, facts, tables, quarantine)


def build_marts(world: World, facts: Facts) -> dict[str, Mart]:
    """Every mart of the dictionary."""
    kpi_daily = build_daily(world, facts)
    pipeline = build_pipeline_daily(world, facts)
    periods = Periods(world, facts, kpi_daily, pipeline)
    manager_rows = periods.manager_rows()
    company_rows = periods.company_rows()
    return {
        "kpi_daily": kpi_daily,
        "kpi_manager_period": manager_rows,
        "kpi_company_period": company_rows,
        "kpi_source_period": periods.source_rows(),
        "kpi_lead_generator_period": periods.lead_generator_rows(),
        "funnel_conversion": build_funnel(world, facts),
        "pipeline_daily": pipeline,
        "lost_reasons": build_lost_reasons(world, facts),
        "customer_value": build_customer_value(world, facts),
        "customer_cohorts": build_customer_cohorts(world, facts),
        "evaluator_agreement": build_evaluator_agreement(world),
        "quota_attainment": build_quota_attainment(world, manager_rows, kpi_daily),
        "kpi_diagnostics": build_diagnostics(world, manager_rows, kpi_daily),
        "manager_profile": build_manager_profile(world, manager_rows, company_rows),
        "data_quality_daily": build_data_quality(world, facts),
    }


# Of every dimension: the raw column that it shows as `<entity>_name`, and how much of it.
_NAMES = dict.fromkeys(HAS_UNKNOWN, "name") | {"crm.managers": "full_name"}
_SHOWN = 500


def build_dimensions(world: World) -> dict[str, Mart]:
    """Key and name of every dimension's members, and of the unknown one, never deleted."""
    return {_dimension(table): _members(world, table) for table in HAS_UNKNOWN}


def _dimension(table: str) -> str:
    return "dim_" + table.removeprefix("crm.").removesuffix("s")


def _members(world: World, table: str) -> Mart:
    entity = table.removeprefix("crm.").removesuffix("s")
    unknown = {_NAMES[table]: "Unknown", "is_deleted": False}
    rows = world.members.get(table, world.rows[table]) | {UNKNOWN: unknown}
    found = []
    for key, row in rows.items():
        name = row[_NAMES[table]]
        member = {f"{entity}_id": key, f"{entity}_name": name and name[:_SHOWN]}
        found.append(member | ({"is_deleted": row["is_deleted"]} if table in MEMBER_TABLES else {}))
    return found
