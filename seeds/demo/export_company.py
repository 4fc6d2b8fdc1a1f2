"""Exports of what describes the company: people, extensions, sources, pipelines, stages; money."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from seeds.demo import company
from seeds.demo.batch import INFINITY, Batch, Department, Export, days_of
from seeds.demo.clock import DAY_SECONDS, Calendar, moment


def reference(department: Department, export: Export, since: int) -> Iterable[Batch]:
    """Yield managers, extensions, pipelines, sources and stages that are new or changed."""
    calendar = department.calendar
    left = moment(company.leave_day(calendar), 9 * 3600)
    yield Batch(
        "crm.managers",
        export,
        {
            "manager_id": "manager",
            "full_name": "staff",
            "email": "staff_email",
            "team": "team",
            "role": "text",
            "hired_on": "date",
            "dismissed_on": "date",
            "updated_at": "time",
            "is_deleted": "bool",
        },
        list(_managers(calendar, export, since, left)),
    )
    yield Batch(
        "telephony.extensions",
        export,
        {
            "extension": "extension",
            "valid_from": "time",
            "manager_id": "manager",
            "valid_to": "time",
            "updated_at": "time",
        },
        list(_extensions(calendar, export, since, left)),
    )
    opened = moment(calendar.start, 0)
    if export.number == 0:
        yield Batch(
            "crm.pipelines",
            export,
            {"pipeline_id": "text", "name": "text"},
            list(company.PIPELINES.items()),
            True,
        )
    if export.number < 2:
        retired = export.number == 1
        yield Batch(
            "crm.sources",
            export,
            {
                "source_id": "text",
                "name": "text",
                "channel": "text",
                "is_deleted": "bool",
            },
            [
                # Deletions come bare, and without updated_at the later file decides.
                (key, None, None, True) if retired else (key, name, channel, False)
                for key, (name, channel) in company.SOURCES.items()
                if not retired or key == company.RETIRED_SOURCE
            ],
            True,
        )
        yield Batch(
            "crm.stages",
            export,
            {
                "stage_id": "text",
                "pipeline_id": "text",
                "name": "text",
                "position": "int",
                "kind": "text",
                "updated_at": "time",
                "is_deleted": "bool",
            },
            [
                (
                    s.stage_id,
                    s.pipeline_id,
                    s.name,
                    s.position,
                    s.kind,
                    export.at - 9 * DAY_SECONDS if retired else opened,
                    retired,
                )
                for s in company.STAGES
                if not retired or s.stage_id == company.RETIRED_STAGE
            ],
            True,
        )


def _managers(
    calendar: Calendar, export: Export, since: int, left: int
) -> Iterable[tuple[object, ...]]:
    opened = moment(calendar.start, 9 * 3600)
    for person in company.PEOPLE:
        hired = calendar.start - timedelta(days=90 + person.key * 61 % 900)
        begins = opened
        if person.key == company.SUCCESSOR:
            hired, begins = company.leave_day(calendar), left
        goes = left if person.key == company.LEAVER else INFINITY
        changed = goes if goes <= export.at else begins
        if changed > export.at or changed <= since:
            continue
        gone = company.leave_day(calendar) if goes <= export.at else None
        yield (
            person.key,
            person.key,
            person.key,
            person.team,
            person.role,
            days_of(hired),
            days_of(gone),
            changed,
            gone is not None,
        )


def _extensions(
    calendar: Calendar, export: Export, since: int, left: int
) -> Iterable[tuple[object, ...]]:
    installed = moment(calendar.start - timedelta(days=30), 9 * 3600)
    for person in company.PEOPLE:
        begins = left if person.key == company.SUCCESSOR else installed
        ends = left if person.key == company.LEAVER else INFINITY
        changed = ends if ends <= export.at else begins
        if since < changed <= export.at:
            until = ends if ends <= export.at else None
            yield person.extension, begins, person.key, until, changed


def money(department: Department, export: Export, since: int) -> Iterable[Batch]:
    """Yield advertising, exchange rates, monthly costs and quotas of the new days."""

    def due(day: date) -> bool:
        return since < moment(day, 0) + DAY_SECONDS - 1 <= export.at

    yield Batch(
        "marketing.ad_spend",
        export,
        {
            "spend_date": "date_text",
            "source_id": "text",
            "campaign": "text",
            "cost": "cents_by_departments",
            "currency": "text",
            "impressions": "int",
            "clicks": "int",
        },
        [
            (days_of(s.day), s.source, s.campaign, s.cost, s.currency, s.impressions, s.clicks)
            for s in department.spend
            if due(s.day)
        ],
        True,
    )
    yield Batch(
        "finance.exchange_rates",
        export,
        {"rate_date": "date", "currency": "text", "rate": "float"},
        [(days_of(r.day), r.currency, r.rate) for r in department.rates if due(r.day)],
        True,
    )
    yield Batch(
        "finance.sales_costs",
        export,
        {"month": "date_text", "team": "team", "cost": "cents", "currency": "text"},
        [
            (days_of(month), team, cost, "RUB")
            for month, team, cost in department.costs
            if due(month)
        ],
    )
    # Targets are set for a month ahead.
    yield Batch(
        "crm.quotas",
        export,
        {
            "manager_id": "manager",
            "metric": "text",
            "period": "text",
            "period_start": "date_text",
            "target": "float",
        },
        [
            (q.person, q.metric, q.period, days_of(q.start), q.target)
            for q in department.quotas
            if since < moment(q.start, 0) - 32 * DAY_SECONDS <= export.at
        ],
    )
