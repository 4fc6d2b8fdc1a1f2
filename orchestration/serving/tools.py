"""What an assistant may ask, as plain functions of a viewer's session.

Each answer is a model whose fields say what they mean, so that its schema explains it. Figures that
cannot be known are null, rows are at most so many with the number of all beside them, and what the
CRM says is text in fields of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from orchestration.base.errors import WrongUse, shortened
from orchestration.connectors.links import CrmLinks
from orchestration.metrics.catalogue import Catalogue, Metric
from orchestration.metrics.choices import Grain, Group, Language
from orchestration.metrics.needs import Needs, empty_tables, in_words
from orchestration.metrics.query import PERIOD, Answer, Request
from orchestration.metrics.rows import RowsRequest, parts_of, rows_behind
from orchestration.serving.session import Session

MOST_ROWS = 1_000
Value = str | int | float | bool | None
Row = dict[str, Value]
_MODELS_DIR = "dbt_project/models"


class MetricInShort(BaseModel):
    """A metric of the catalogue."""

    name: str = Field(description="What to pass to the other tools.")
    label_en: str
    label_ru: str
    description: str = Field(description="What it is, in the language asked for.")
    unit: str = Field(description="count, currency (base currency), ratio (0.25 is 25%), seconds …")
    good_direction: str = Field(description="up, down or none: which way is better.")
    group: str
    grains: list[str] = Field(description="Lengths of periods that it can be asked at.")
    is_shown: bool = Field(description="False: its figures are not for the viewer's role.")


class MetricList(BaseModel):
    """Metrics found."""

    metrics: list[MetricInShort]
    shown: int
    total: int = Field(description="How many there are; search more narrowly to see the others.")


class Source(BaseModel):
    """A table of facts that a metric is measured on."""

    table: str = Field(description="In the published file.")
    model_file: str = Field(description="The SQL that computes it, in the project's repository.")


class MetricInFull(MetricInShort):
    """All about one metric."""

    description_en: str
    description_ru: str
    formula: str = Field(description="How it comes from other metrics; empty if it is measured.")
    parts: list[str] = Field(
        description="Metrics whose rows stand behind it; `explain` shows the rows of each."
    )
    by: list[str] = Field(
        description="Dimensions for `by` and `where`. `manager__team` may be said as `team` where "
        "only one dimension ends so."
    )
    measured_on: list[Source]
    needs: str = Field(description="Raw tables that have to be loaded for it to be known.")
    not_loaded: str = Field(description="Those of them that are empty; then it is unknown.")


class Column(BaseModel):
    """A column of an answer."""

    name: str
    kind: Literal["period", "dimension", "figure", "previous", "change"] = Field(
        description="`previous`: the figure that it is compared with; `change`: figure / previous "
        "- 1, so -0.2 is 20% less."
    )
    label_en: str = ""
    label_ru: str = ""
    unit: str = ""
    good_direction: str = ""


class Figures(BaseModel):
    """An answer of the metrics layer."""

    publication_id: str = Field(description="The version of the figures; it may change any time.")
    as_of_date: str | None = Field(description="The last day that the figures know of.")
    columns: list[Column]
    rows: list[Row] = Field(description="A null figure is unknown: never read it as 0.")
    shown: int
    total: int = Field(description="Rows of the whole answer; `shown` of them are here.")
    not_loaded: dict[str, str] = Field(
        description="Metrics that cannot be known, with the empty raw tables that they need."
    )


class Part(BaseModel):
    """A metric that another is computed from."""

    name: str
    label_en: str
    label_ru: str
    figure: Value


class Explanation(BaseModel):
    """A figure, how it is computed and the rows behind it."""

    publication_id: str
    metric: str
    label_en: str
    label_ru: str
    figure: Value = Field(description="Null is unknown, not 0.")
    formula: str
    parts: list[Part] = Field(
        description="What it is computed from. Ask again with `part` for the rows of one."
    )
    measured_on: list[Source]
    counted: str = Field(description="What is added up of the table's columns.")
    rule: str = Field(
        description="How `figure` comes from the rows' `value`: sum, count distinct, median or "
        "mean. Empty without rows."
    )
    rows: list[Row]
    shown: int
    total: int = Field(description="All rows behind the figure; `shown` of them are here.")


class Check(BaseModel):
    """One thing that was compared for somebody in a situation."""

    order: int = Field(description="In which order to look, from 1.")
    metric: str
    label_en: str
    label_ru: str
    current: float | None
    previous: float | None
    ratio: float | None = Field(description="current / previous; below 0.8 it fell.")
    verdict: str = Field(description="cause, ok or no_data.")
    advice: str


class Situation(BaseModel):
    """Somebody whose results fell, and why."""

    manager_id: str
    manager_name: str | None
    team: str | None
    situation: str = Field(
        description="meetings_without_payments, meetings_not_held or few_meetings_set."
    )
    checks: list[Check]


class Diagnosis(BaseModel):
    """Who needs attention in a period, with causes and advice."""

    publication_id: str
    grain: str
    period_start: str | None = Field(description="First day; null if no period is diagnosed yet.")
    periods: list[str] = Field(description="Periods that can be asked for, the latest first.")
    situations: list[Situation] = Field(description="Empty: nobody's results fell.")


class RawTable(BaseModel):
    """What is loaded of a raw table."""

    table: str
    files: int
    rows_read: int
    rows_kept: int
    rows_quarantined: int = Field(description="Refused with a reason; in no figure.")
    last_loaded_on: str | None
    last_event_on: str | None = Field(description="The day of its latest event that counts.")


class FailedCheck(BaseModel):
    """A check that did not pass."""

    check: str
    asset: str
    severity: str
    status: str
    failing_rows: int | None
    message: str


class Loaded(BaseModel):
    """What is loaded, how fresh it is and what is wrong with it."""

    publication_id: str
    published_at: str
    as_of_date: str | None = Field(description="The last day that the figures know of.")
    is_demo: bool = Field(description="The demo company's figures, not a real company's.")
    raw_rows: int
    rows_quarantined: int
    checks_passed: int
    checks_warned: int
    checks_failed: int
    tables: list[RawTable] | None = Field(
        description="Null where the viewer's role does not see what belongs to the whole company."
    )
    warnings: list[FailedCheck] | None = Field(description="Null likewise.")


def list_metrics(
    session: Session, search: str, group: Group | None, language: Language, limit: int
) -> MetricList:
    """Metrics that hold all words of the search in a name or text of either language."""
    catalogue = session.metrics.catalogue
    found = catalogue.search(search.split(), group)
    # Who knows the name asks for that metric.
    found.sort(key=lambda metric: metric.name != search.strip().lower())
    return MetricList(
        metrics=[_in_short(session, metric, language) for metric in found[:limit]],
        shown=min(limit, len(found)),
        total=len(found),
    )


def describe_metric(
    session: Session, name: str, language: Language, project_dir: Path
) -> MetricInFull:
    """All about a metric. Raises WrongUse where there is none of this name."""
    catalogue = session.metrics.catalogue
    parts = parts_of(catalogue, name)
    metric = catalogue.metrics[name]
    dimensions = session.metrics.dimensions([metric.name_at(metric.all_grains[0]) or name])
    needs = Needs(catalogue, empty_tables(session.connection))
    return MetricInFull(
        **_in_short(session, metric, language).model_dump(),
        description_en=metric.descriptions["en"],
        description_ru=metric.descriptions["ru"],
        formula=catalogue.formula(name),
        parts=[] if parts == [name] else parts,
        by=[item for item in dimensions if item.count("__") <= 1],
        measured_on=_sources(catalogue, [name], project_dir),
        needs=in_words(needs.of(name)),
        not_loaded=needs.absence(name).text,
    )


def query(session: Session, request: Request) -> Figures:
    """The answer to a question, and how many rows it has without the limit."""
    metrics = session.metrics
    answer = metrics.answer(request)
    shown = total = len(answer.rows)
    if request.limit is not None and shown == request.limit:
        whole = metrics.sql(_without_limit(request))
        total = metrics.run(f"select count(*) from ({whole})").fetchall()[0][0]
    return Figures(
        publication_id=session.publication_id,
        as_of_date=_as_of(session),
        columns=[_column(answer, request, name) for name in answer.columns],
        rows=_rows(answer.columns, answer.rows),
        shown=shown,
        total=total,
        not_loaded=dict(answer.not_loaded),
    )


def explain(
    session: Session,
    request: RowsRequest,
    part: str | None,
    project_dir: Path,
    links: CrmLinks | None = None,
) -> Explanation:
    """How a figure is computed, and the rows behind it or behind one of its parts.

    With `links` each row has its page in the CRM, where it is known, as `crm_url`.

    Raises WrongUse where there is no such metric, part or period.
    """
    catalogue = session.metrics.catalogue
    name = request.metric
    parts = parts_of(catalogue, name)
    if part is not None and part not in parts:
        raise WrongUse(
            f"{shortened(part)} is no part of {name}.", f"One of {', '.join(parts) or 'none'}."
        )
    if part is None and parts != [name]:
        return _computed(session, request, parts, project_dir)
    found = rows_behind(session.metrics, replace(request, metric=part or name), links)
    return Explanation(
        publication_id=session.publication_id,
        metric=found.metric.name,
        label_en=found.metric.labels["en"],
        label_ru=found.metric.labels["ru"],
        figure=plain(found.figure),
        formula=catalogue.formula(found.metric.name),
        parts=[],
        measured_on=_sources(catalogue, [found.metric.name], project_dir),
        counted=found.counted,
        rule=found.rule,
        rows=_rows(found.answer.columns, found.answer.rows),
        shown=len(found.answer.rows),
        total=found.count,
    )


def diagnosis(
    session: Session,
    grain: Literal["week", "month"],
    period_start: date | None,
    manager: str | None,
    language: Language,
    with_all_checks: bool,
) -> Diagnosis:
    """Whose results fell in a period, the latest that is diagnosed by default, and why."""
    connection = session.connection
    periods = [
        start
        for (start,) in connection.execute(
            "select distinct period_start from marts.kpi_diagnostics where period_grain = ? "
            "order by 1 desc",
            [grain],
        ).fetchall()
    ]
    chosen = period_start or (periods[0] if periods else None)
    if chosen is not None and chosen not in periods and periods:
        # A period in which nobody's results fell is none of the table's.
        if chosen > periods[0] or chosen < periods[-1]:
            raise WrongUse(
                f"No {grain} from {chosen} on is diagnosed.",
                f"From {periods[-1]} to {periods[0]}, or leave period_start out for the latest.",
            )
        if chosen != _start(grain, chosen):
            raise WrongUse(f"{chosen} begins no {grain}.", f"Ask for {_start(grain, chosen)}.")
    advice = "advice_ru" if language is Language.RUSSIAN else "advice_en"
    rows = connection.execute(
        f"select manager_id, manager_name, team, situation, check_no, metric, current_value, "
        f"previous_value, ratio, verdict, {advice} from marts.kpi_diagnostics "
        "where period_grain = $grain and period_start = $start "
        "and ($manager is null or manager_id = $manager or manager_name = $manager) "
        "and ($all or verdict = 'cause') order by manager_name, manager_id, situation, check_no",
        {"grain": grain, "start": chosen, "manager": manager, "all": with_all_checks},
    ).fetchall()
    found: dict[tuple[str, str], Situation] = {}
    for manager_id, manager_name, team, situation, *check in rows:
        item = Situation(
            manager_id=manager_id,
            manager_name=manager_name,
            team=team,
            situation=situation,
            checks=[],
        )
        checks = found.setdefault((manager_id, situation), item).checks
        checks.append(_check(session.metrics.catalogue, *check))
    return Diagnosis(
        publication_id=session.publication_id,
        grain=grain,
        period_start=None if chosen is None else chosen.isoformat(),
        periods=[start.isoformat() for start in periods],
        situations=list(found.values()),
    )


def loaded(session: Session) -> Loaded:
    """What is loaded, how fresh, how much of it is in quarantine, which checks warn."""
    row = session.connection.execute(
        "select published_at, as_of_date, is_demo, raw_rows, rows_quarantined, checks_passed, "
        "checks_warned, checks_failed from quality.publication"
    ).fetchone()
    assert row is not None
    tables = _seen(
        session,
        ("quality.raw_reconciliation", "quality.events_after_as_of"),
        "select r.table_name, r.files, r.rows_read, r.rows_kept, r.rows_quarantined, "
        "e.last_loaded_on, e.last_event_on from quality.raw_reconciliation as r "
        "left join quality.events_after_as_of as e on r.table_name = e.table_name order by 1",
    )
    checks = _seen(
        session,
        ("quality.checks",),
        "select check_name, asset, severity, status, failing_rows, message from quality.checks "
        "where status <> 'pass' order by all",
    )
    return Loaded(
        publication_id=session.publication_id,
        published_at=str(plain(row[0])),
        as_of_date=None if row[1] is None else row[1].isoformat(),
        is_demo=row[2],
        raw_rows=row[3],
        rows_quarantined=row[4],
        checks_passed=row[5],
        checks_warned=row[6],
        checks_failed=row[7],
        tables=None if tables is None else [_raw_table(*item) for item in tables],
        warnings=None if checks is None else [_failed(*item) for item in checks],
    )


def plain(value: object) -> Value:
    """A value of the database as JSON has it: numbers as numbers, times as ISO 8601."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def _in_short(session: Session, metric: Metric, language: Language) -> MetricInShort:
    tables = session.metrics.catalogue.relations([metric.name])
    return MetricInShort(
        name=metric.name,
        label_en=metric.labels["en"],
        label_ru=metric.labels["ru"],
        description=metric.descriptions[language],
        unit=metric.unit,
        good_direction=metric.good_direction,
        group=metric.group,
        grains=list(metric.all_grains),
        is_shown=session.hidden.isdisjoint(".".join(table) for table in tables),
    )


def _sources(catalogue: Catalogue, names: Sequence[str], project_dir: Path) -> list[Source]:
    models = project_dir / _MODELS_DIR
    found = []
    for schema, table in catalogue.relations(names):
        files = sorted(models.rglob(f"{table}.sql"))
        file = files[0].relative_to(project_dir).as_posix() if files else ""
        found.append(Source(table=f"{schema}.{table}", model_file=file))
    return found


def _without_limit(request: Request) -> Request:
    return Request(
        request.metrics, request.by, request.where, request.grain, request.compare, request.order
    )


def _computed(
    session: Session, request: RowsRequest, parts: Sequence[str], project_dir: Path
) -> Explanation:
    """The explanation of a metric that has no rows of its own."""
    catalogue = session.metrics.catalogue
    metric = catalogue.metrics[request.metric]
    figures = _figures(session, request, [metric.name, *parts])
    return Explanation(
        publication_id=session.publication_id,
        metric=metric.name,
        label_en=metric.labels["en"],
        label_ru=metric.labels["ru"],
        figure=figures[metric.name],
        formula=catalogue.formula(metric.name),
        parts=[
            Part(
                name=name,
                label_en=catalogue.metrics[name].labels["en"],
                label_ru=catalogue.metrics[name].labels["ru"],
                figure=figures[name],
            )
            for name in parts
        ],
        measured_on=_sources(catalogue, [metric.name], project_dir),
        counted="",
        rule="",
        rows=[],
        shown=0,
        total=0,
    )


def _figures(session: Session, request: RowsRequest, names: Iterable[str]) -> Mapping[str, Value]:
    """The figures of metrics in the request's period, each asked alone.

    Asked together a part that lacks a dimension of the conditions would refuse them all.
    """
    found: dict[str, Value] = {}
    for name in names:
        asked = Request((name,), (), (*request.where, *_in_period(request)), request.grain)
        answer = session.metrics.answer(asked)
        row = dict(zip(answer.columns, answer.rows[0], strict=True)) if answer.rows else {}
        found[name] = None if name in answer.not_loaded else plain(row.get(name))
    return found


def _in_period(request: RowsRequest) -> tuple[str, ...]:
    if request.period_start is None:
        if request.grain is not None:
            raise WrongUse(
                "A period needs its first day.", "Add period_start, or leave grain out for all."
            )
        return ()
    if request.grain is None:
        raise WrongUse("A period needs its length.", "Add grain: month, for example.")
    return (f"metric_time__{request.grain} = '{request.period_start.isoformat()}'",)


def _column(answer: Answer, request: Request, name: str) -> Column:
    kind: Literal["period", "dimension", "figure", "previous", "change"] = "dimension"
    if name == PERIOD and request.grain is not None:
        return Column(name=name, kind="period", label_en="Period", label_ru="Период")
    base = name
    if name in answer.metrics and name in request.metrics:
        kind = "figure"
    elif request.compare and name.endswith("_previous") and name in answer.metrics:
        kind, base = "previous", name.removesuffix("_previous")
    elif request.compare and name.removesuffix("_change") in request.metrics:
        kind, base = "change", name.removesuffix("_change")
    metric = answer.metrics.get(base)
    if kind == "dimension" or metric is None:
        return Column(name=name, kind="dimension")
    return Column(
        name=name,
        kind=kind,
        label_en=metric.labels["en"],
        label_ru=metric.labels["ru"],
        unit="ratio" if kind == "change" else metric.unit,
        good_direction=metric.good_direction,
    )


def _rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[Row]:
    return [dict(zip(columns, map(plain, row), strict=True)) for row in rows]


def _as_of(session: Session) -> str | None:
    row = session.connection.execute("select as_of_date from quality.publication").fetchone()
    return None if row is None or row[0] is None else row[0].isoformat()


def _check(
    catalogue: Catalogue,
    order: int,
    name: str,
    current: float | None,
    previous: float | None,
    ratio: float | None,
    verdict: str,
    advice: str,
) -> Check:
    metric = catalogue.metrics.get(name)
    return Check(
        order=order,
        metric=name,
        label_en=metric.labels["en"] if metric else name,
        label_ru=metric.labels["ru"] if metric else name,
        current=current,
        previous=previous,
        ratio=ratio,
        verdict=verdict,
        advice=advice,
    )


def _raw_table(
    name: str,
    files: int,
    read: int,
    kept: int,
    quarantined: int,
    loaded_on: date | None,
    event_on: date | None,
) -> RawTable:
    return RawTable(
        table=name,
        files=files,
        rows_read=read,
        rows_kept=kept,
        rows_quarantined=quarantined,
        last_loaded_on=None if loaded_on is None else loaded_on.isoformat(),
        last_event_on=None if event_on is None else event_on.isoformat(),
    )


def _failed(
    name: str, asset: str, severity: str, status: str, failing: int | None, message: str
) -> FailedCheck:
    return FailedCheck(
        check=name,
        asset=asset,
        severity=severity,
        status=status,
        failing_rows=failing,
        message=message,
    )


def _start(grain: str, day: date) -> date:
    if grain == Grain.MONTH:
        return day.replace(day=1)
    return date.fromordinal(day.toordinal() - day.weekday())


def _seen(session: Session, tables: Sequence[str], sql: str) -> list[tuple[Any, ...]] | None:
    """Rows of tables that not everybody sees; None for a viewer who does not."""
    if session.viewer.managers is not None or not session.hidden.isdisjoint(tables):
        return None
    return session.connection.execute(sql).fetchall()
