"""The API: the catalogue of metrics, questions, the rows behind a figure, and what is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from orchestration.base.errors import WrongUse
from orchestration.connectors.links import CrmLinks
from orchestration.metrics.catalogue import Catalogue, Metric
from orchestration.metrics.choices import Comparison, Grain, Group, Language
from orchestration.metrics.query import Answer, Request
from orchestration.metrics.rows import RowsRequest, parts_of, rows_behind
from orchestration.metrics.sheets import headings
from orchestration.serving.endpoints import Endpoint, Listed, Parameters, Reply, Word
from orchestration.serving.formats import ARROW, MEDIA_TYPES, json_bytes, refuse_long, table_reply
from orchestration.serving.limits import Limits
from orchestration.serving.session import Session

Format = Literal["json", "arrow", "csv", "xlsx"]
_FORMAT = "How the answer leaves; without it, by the header Accept."
_WHERE = (
    "One condition over dimensions, as `manager__team = 'North'` or `metric_time >= '2026-07-01'`; "
    "again for more."
)
_LANG = "Language of the headings of CSV and XLSX."


class Nothing(Parameters):
    """No parameters."""


class MetricsParameters(Parameters):
    """Which metrics."""

    metrics: Annotated[
        Listed, Field(description="These, with the dimensions that all of them have in common.")
    ] = ()
    words: Annotated[
        Listed, Field(description="Those that hold all these words, in either language.")
    ] = ()
    group: Annotated[Group | None, Field(description="Those of one group.")] = None


class QueryParameters(Parameters):
    """A question, in the words of `voronka query`."""

    metrics: Annotated[
        Listed,
        Field(min_length=1, max_length=20, description="Metrics; `/api/metrics` lists them."),
    ]
    by: Annotated[
        Listed,
        Field(max_length=10, description="Dimensions: manager, team, source, channel, stage …"),
    ] = ()
    grain: Annotated[Grain | None, Field(description="A row for each such period.")] = None
    where: Annotated[tuple[str, ...], Field(max_length=20, description=_WHERE)] = ()
    compare: Annotated[
        Comparison | None,
        Field(description="The figure of the period before, or of a year ago, beside it."),
    ] = None
    order: Annotated[Listed, Field(description="Columns; `-revenue`: the greatest first.")] = ()
    limit: Annotated[int | None, Field(ge=0, description="Rows at most.")] = None
    format: Annotated[Format | None, Field(description=_FORMAT)] = None
    lang: Annotated[Language, Field(description=_LANG)] = Language.ENGLISH


class RowsParameters(Parameters):
    """Which rows behind which figure."""

    metric: Annotated[Word, Field(description="The metric.")]
    part: Annotated[
        Word | None,
        Field(description="Of a rate: the metric above or below its line, by `/api/metrics`."),
    ] = None
    grain: Annotated[Grain | None, Field(description="How long the period is.")] = None
    period: Annotated[date | None, Field(description="First day of the period; else all.")] = None
    where: Annotated[tuple[str, ...], Field(max_length=20, description=_WHERE)] = ()
    limit: Annotated[int | None, Field(ge=0, description="Rows at most.")] = None
    offset: Annotated[int, Field(ge=0, description="Rows to pass over; their order stays.")] = 0
    brief: Annotated[bool, Field(description="Only key, day, value and names.")] = False
    format: Annotated[Format | None, Field(description=_FORMAT)] = None
    lang: Annotated[Language, Field(description=_LANG)] = Language.ENGLISH


class Api:
    """The addresses under `/api`, within the limits of one server."""

    def __init__(
        self,
        limits: Limits,
        links: Callable[[], CrmLinks] = CrmLinks,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """`links` says where people see a row in the CRM, `names` what columns are in Russian."""
        self._most = limits.rows
        self._links = links
        self._names = names or {}

    def endpoints(self) -> list[Endpoint[Any]]:
        """All of them."""
        return [
            Endpoint(
                "/api/publication",
                publication,
                Nothing,
                "What is published, how fresh it is, and what you may see of it.",
                schema=_object("publication_id", "as_of_date", "published_at", "viewer"),
            ),
            Endpoint(
                "/api/metrics",
                self.metrics,
                MetricsParameters,
                "The catalogue of metrics in both languages.",
                schema=_object("publication_id", "metrics"),
            ),
            Endpoint(
                "/api/query",
                self.query,
                QueryParameters,
                "Metrics by period and dimension.",
                "An answer has all its rows, or is refused: give `limit` to have some of them.",
                MEDIA_TYPES,
                _object("publication_id", "columns", "rows", "not_loaded"),
            ),
            Endpoint(
                "/api/rows",
                self.rows,
                RowsParameters,
                "The rows behind a figure: deals, calls, meetings, payments, with names.",
                "`count` and `total` are of all rows, whatever page is asked for. The total is the "
                "figure; `rule` says how it comes from the rows: sum, count distinct, median or "
                "mean. `crm_url` leads to the CRM.",
                MEDIA_TYPES,
                _object("publication_id", "columns", "rows", "count", "total", "figure"),
            ),
        ]

    def metrics(self, session: Session, asked: MetricsParameters) -> Reply:
        """The catalogue, or a part of it."""
        catalogue = session.metrics.catalogue
        about: dict[str, object] = {"publication_id": session.publication_id}
        if asked.metrics:
            for name in asked.metrics:
                parts_of(catalogue, name)
            found = [catalogue.metrics[name] for name in asked.metrics]
            about["dimensions"] = session.metrics.dimensions(asked.metrics)
        else:
            found = catalogue.search(asked.words, asked.group)
        about["metrics"] = [_described(catalogue, metric, session.hidden) for metric in found]
        return Reply(json_bytes(about), MEDIA_TYPES["json"])

    def query(self, session: Session, asked: QueryParameters) -> Reply:
        """An answer in one of the formats."""
        request = Request(
            metrics=asked.metrics,
            by=asked.by,
            where=asked.where,
            grain=asked.grain,
            compare=asked.compare,
            order=asked.order,
            limit=self._limit(asked.limit),
        )
        arrow = None
        if asked.format == ARROW:
            arrow = session.metrics.table(request)
            answer = Answer(tuple(arrow.column_names), [], {})
            self._refuse_long(asked.limit, arrow.num_rows)
        else:
            answer = session.metrics.answer(request)
            self._refuse_long(asked.limit, len(answer.rows))
        return table_reply(
            asked.format or "json",
            answer.columns,
            answer.rows,
            name=(*asked.metrics[:3], asked.grain or ""),
            headings=self._headings(session, answer, asked.lang, asked.format),
            about={
                "publication_id": session.publication_id,
                "columns": _columns(answer),
                "not_loaded": answer.not_loaded,
            },
            arrow=arrow,
        )

    def rows(self, session: Session, asked: RowsParameters) -> Reply:
        """The rows behind a figure, in one of the formats."""
        catalogue = session.metrics.catalogue
        parts = parts_of(catalogue, asked.metric)
        if asked.part is not None and asked.part not in parts:
            raise WrongUse(
                f"{asked.part[:80]} is no part of {asked.metric}.",
                f"One of {', '.join(parts) or 'none'}.",
            )
        found = rows_behind(
            session.metrics,
            RowsRequest(
                metric=asked.part or asked.metric,
                is_brief=asked.brief,
                grain=asked.grain,
                period_start=asked.period,
                where=asked.where,
                limit=self._limit(asked.limit),
                offset=asked.offset,
            ),
            self._links(),
        )
        answer = found.answer
        self._refuse_long(asked.limit, len(answer.rows))
        return table_reply(
            asked.format or "json",
            answer.columns,
            answer.rows,
            name=(found.metric.name, str(asked.period or "")),
            headings=self._headings(session, answer, asked.lang, asked.format),
            about={
                "publication_id": session.publication_id,
                "metric": found.metric.name,
                "table": found.table,
                "keys": found.keys,
                "counted": found.counted,
                "count": found.count,
                "total": found.total,
                "figure": found.figure,
                "is_sum": found.is_sum,
                "rule": found.rule,
                "offset": found.offset,
                "columns": _columns(answer),
            },
        )

    def _headings(
        self, session: Session, answer: Answer, language: Language, format_: str | None
    ) -> Sequence[str]:
        if format_ not in ("csv", "xlsx"):
            return answer.columns
        catalogue = session.metrics.catalogue
        return headings(answer.columns, language, catalogue, self._names, answer.metrics)

    def _limit(self, asked: int | None) -> int:
        """How many rows to read: one more than there may be tells that there are too many."""
        return self._most + 1 if asked is None else min(asked, self._most + 1)

    def _refuse_long(self, asked: int | None, rows: int) -> None:
        if asked is None or asked > self._most:
            refuse_long(rows, self._most)


def publication(session: Session, asked: Nothing) -> Reply:
    """What is published, and who asks."""
    row = session.connection.execute("select * from quality.publication").fetchone()
    columns = [item[0] for item in session.connection.description or ()]
    assert row is not None
    about = dict(zip(columns, row, strict=True))
    if not session.viewer.is_personal:
        # A path of this machine.
        about.pop("raw_dir", None)
    viewer = session.viewer
    about["viewer"] = {
        "name": viewer.name,
        "sees_all_rows": viewer.managers is None,
        "sees_personal_data": viewer.is_personal,
        "managers": None if viewer.managers is None else sorted(viewer.managers),
    }
    return Reply(json_bytes(about), MEDIA_TYPES["json"])


def _described(catalogue: Catalogue, metric: Metric, hidden: frozenset[str]) -> dict[str, object]:
    tables = [".".join(relation) for relation in catalogue.relations([metric.name])]
    return {
        "name": metric.name,
        "label": metric.labels,
        "description": metric.descriptions,
        "unit": metric.unit,
        "good_direction": metric.good_direction,
        "group": metric.group,
        "grains": metric.all_grains,
        "over_time": metric.over_time,
        "formula": catalogue.formula(metric.name),
        "parts": parts_of(catalogue, metric.name),
        "is_shown": hidden.isdisjoint(tables),
    }


def _columns(answer: Answer) -> list[dict[str, object]]:
    """What each column is; figures say of which metric."""
    types: Sequence[str] = answer.types or [""] * len(answer.columns)
    found = []
    for name, kind in zip(answer.columns, types, strict=True):
        column: dict[str, object] = {"name": name}
        if kind:
            column["type"] = kind
        metric = answer.metrics.get(name)
        if metric is not None:
            column |= {"metric": metric.name, "unit": metric.unit, "label": metric.labels}
        found.append(column)
    return found


def _object(*names: str) -> Mapping[str, Any]:
    return {"type": "object", "required": list(names), "properties": {name: {} for name in names}}
