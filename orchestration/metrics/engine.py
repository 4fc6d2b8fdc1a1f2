"""MetricFlow as a compiler: a semantic manifest and a question in, DuckDB's SQL out.

No dbt is imported and nothing is parsed but the manifest. Answers to the same question about the
same manifest are the same text, so they are cached in a file: planning takes seconds, asking
milliseconds.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from orchestration.base.errors import WrongUse
from orchestration.base.files import read_json, write_json

if TYPE_CHECKING:
    from metricflow.engine.metricflow_engine import MetricFlowEngine

METRIC_TIME = "metric_time"
_NAME_IN_FILTER = re.compile(r"(?:Dimension|Entity)\(\s*['\"](\w+)")


@dataclass(frozen=True)
class Question:
    """Metrics by dimensions and entities, as MetricFlow names them; `where` in its templates.

    `by` may hold `metric_time__<grain>`; the answer's columns are `by`, then `metrics`.
    """

    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()


def local_manifest(text: str) -> str:
    """A semantic manifest whose tables are those of whatever database is asked.

    dbt writes the build file's name into every relation; the published file has another one.
    """
    manifest = json.loads(text)
    spines = manifest["project_configuration"]["time_spines"]
    for item in [*manifest["semantic_models"], *spines]:
        relation = item["node_relation"]
        relation["database"] = None
        relation["relation_name"] = f'"{relation["schema_name"]}"."{relation["alias"]}"'
    return json.dumps(manifest, ensure_ascii=False, sort_keys=True)


class Compiler:
    """Compiles questions about one manifest (`local_manifest`), from its cache where it can.

    Of more questions than `most` the oldest are forgotten.
    """

    def __init__(
        self, manifest_text: str, cache: Path | None = None, most: int | None = None
    ) -> None:
        self._text = manifest_text
        self._cache = cache
        version = importlib.metadata.version("metricflow")
        self._fingerprint = hashlib.sha256(f"{version}|{manifest_text}".encode()).hexdigest()
        known = read_json(cache) if cache else {}
        self._known: dict[str, str] = (
            known["questions"] if known.get("fingerprint") == self._fingerprint else {}
        )
        self._group_bys: dict[tuple[str, ...], list[str]] = {}
        self._most = most
        # Seconds that each thread has spent planning, by its number; infinite while it plans. A
        # question's time is its statement's: planning is done once, and cannot be interrupted.
        self.planned: dict[int, float] = {}
        self._is_changed = False
        self._ahead: dict[str, Future[str]] = {}
        self._lock = threading.Lock()

    def ahead(self, questions: Iterable[Question], worker: Executor) -> None:
        """Let a worker compile questions that will come, in this order, while others are asked."""
        for key, question in {_key(question): question for question in questions}.items():
            if key not in self._known and key not in self._ahead:
                self._ahead[key] = worker.submit(self._compiled, key, question)

    def sql(self, question: Question) -> str:
        """One select statement. Raises WrongUse where the question cannot be answered."""
        key = _key(question)
        known = self._known.get(key)
        if known is not None:
            return known
        pending = self._ahead.get(key)
        return pending.result() if pending else self._compiled(key, question)

    def _compiled(self, key: str, question: Question) -> str:
        with self._planning(), self._lock:
            if key not in self._known:
                compiled = self._compile(question)
                _forget_oldest(self._known, self._most)
                self._known[key] = compiled
                self._is_changed = True
            return self._known[key]

    def relation(self, question: Question) -> str:
        """The select in brackets, to be read from."""
        return f"({self.sql(question)})"

    def save(self) -> None:
        """Keep what was compiled for the next time."""
        with self._lock:
            if self._cache and self._is_changed:
                state = {"fingerprint": self._fingerprint, "questions": self._known}
                write_json(self._cache, state)
                self._is_changed = False

    def group_bys(self, metrics: Sequence[str]) -> list[str]:
        """What the metrics can be asked by, all of them together."""
        key = tuple(metrics)
        known = self._group_bys.get(key)
        if known is None:
            with self._planning(), self._lock:
                found = self._engine.list_group_bys(metric_names=list(metrics))
                known = sorted({item.default_search_and_sort_attribute for item in found})
                _forget_oldest(self._group_bys, self._most)
                self._group_bys[key] = known
        return list(known)

    @contextmanager
    def _planning(self) -> Iterator[None]:
        thread, start = threading.get_ident(), time.monotonic()
        before = self.planned.get(thread, 0.0)
        self.planned[thread] = math.inf
        try:
            yield
        finally:
            self.planned[thread] = before + time.monotonic() - start

    def _compile(self, question: Question) -> str:
        from metricflow.engine.metricflow_engine import MetricFlowQueryRequest
        from metricflow_semantics.errors.error_classes import MetricFlowException

        request = MetricFlowQueryRequest.create(
            metric_names=list(question.metrics),
            group_by_names=list(question.by),
            where_constraints=list(question.where),
        )
        try:
            return str(self._engine.explain(request).sql_statement.without_descriptions.sql)
        except MetricFlowException as error:
            raise WrongUse(_first_reason(str(error)), _REMEDY) from error

    @cached_property
    def _engine(self) -> MetricFlowEngine:
        from metricflow.engine.metricflow_engine import MetricFlowEngine
        from metricflow_semantics.model.dbt_manifest_parser import (
            parse_manifest_from_dbt_generated_manifest,
        )
        from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

        manifest = parse_manifest_from_dbt_generated_manifest(self._text)
        return MetricFlowEngine(SemanticManifestLookup(manifest), _dialect())


def _forget_oldest(known: dict[Any, Any], most: int | None) -> None:
    """Leave room for one more."""
    if most is not None and len(known) >= most:
        del known[next(iter(known))]


def _key(question: Question) -> str:
    return json.dumps(asdict(question), ensure_ascii=False, sort_keys=True)


def _dialect() -> Any:
    """DuckDB's dialect as MetricFlow wants it: a client that is never asked to run anything."""
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer

    class Dialect:
        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

        def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
            return f"${bind_parameter_key}"

        def query(self, *arguments: object) -> NoReturn:
            raise NotImplementedError("questions are compiled here and asked elsewhere")

        execute = dry_run = close = query

    return Dialect()


def _first_reason(text: str) -> str:
    """What MetricFlow's long report comes to: the part of the question that it does not know."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if "Query Input:" in lines[:-1]:
        asked = lines[lines.index("Query Input:") + 1]
        if asked.startswith("WhereFilter("):
            named = _NAME_IN_FILTER.search(text, text.index(asked))
            asked = named[1] if named else "what --where names"
        return (
            f"The metrics cannot be asked by {asked}: it is unknown, or nothing joins it to them."
        )
    return " ".join(lines[:6])


_REMEDY = "`voronka metrics` lists the metrics, `voronka metrics NAME` what one can be asked by."
