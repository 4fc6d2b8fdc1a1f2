"""The metrics layer of a build: its manifest, its tables, and whether the marts agree with it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import duckdb

from orchestration.base.cache import CacheEntry, build_fingerprint, fingerprint_of
from orchestration.base.object_store import load_object_store
from orchestration.base.settings import Settings
from orchestration.base.sql import attach, literal, quote
from orchestration.metrics.answers import Answers
from orchestration.metrics.catalogue import MANIFEST_TABLE, SCHEMA, Catalogue
from orchestration.metrics.engine import Compiler, local_manifest
from orchestration.metrics.exports import (
    Export,
    columns_of,
    exports_of,
    questions_of,
    with_running_figures,
    write_export,
)
from orchestration.metrics.needs import Needs, empty_tables
from orchestration.metrics.parity import (
    AS_OF,
    Agreement,
    ComparedMart,
    Side,
    compare,
    compared_marts,
)
from orchestration.metrics.russian import read_names, with_both_languages
from orchestration.models.dbt import Manifest, PublishedModel
from orchestration.models.handover import handed_over


class MetricsLayer:
    """What the refresh does with metrics; compiled questions are cached in the build directory."""

    def __init__(self, settings: Settings, manifest: Manifest) -> None:
        self._settings = settings
        self.compared = compared_marts(manifest)
        self._cache = CacheEntry(settings.scorecards_cache)

    @cached_property
    def manifest_text(self) -> str:
        """Dbt's semantic manifest, for any database that holds the facts."""
        file = self._settings.target_dir / "semantic_manifest.json"
        return local_manifest(file.read_text(encoding="utf-8"))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The metrics."""
        return Catalogue(self.manifest_text)

    @cached_property
    def exports(self) -> list[Export]:
        """The saved queries that become tables."""
        return exports_of(self.catalogue)

    def published(self, models: Sequence[PublishedModel]) -> list[PublishedModel]:
        """All that is published: dbt's models with both languages, and the layer's own tables."""
        return [
            *with_both_languages(models, self.catalogue, read_names(self._settings.root)),
            *self._tables(),
        ]

    def _tables(self) -> list[PublishedModel]:
        about = (
            "What the metrics are, for `voronka query`: dbt's semantic manifest as JSON, one row."
        )
        own = PublishedModel(
            SCHEMA, MANIFEST_TABLE, (), about, {"manifest": "JSON text."}, is_scorecard=True
        )
        return [own] + [
            PublishedModel(
                schema=SCHEMA,
                name=export.name,
                grain=export.grain_columns,
                description=export.description,
                columns=columns_of(export, self.catalogue),
                managers=frozenset({"manager_id"}) & frozenset(export.keys),
                is_scorecard=True,
            )
            for export in self.exports
        ]

    def fingerprint(self) -> str:
        """Fingerprint of all inputs of the tables and of the marts' agreement."""
        terms = [repr(mart) for mart in self.compared]
        tools = importlib.metadata.version("metricflow")
        return fingerprint_of(build_fingerprint(self._settings), self.manifest_text, terms, tools)

    def cached_tables(self) -> list[tuple[Export, int]] | None:
        """The tables with their rows, if they are in the cache."""
        cached = self._cached()
        if cached is None:
            return None
        return [(export, cached["tables"][export.name]) for export in self.exports]

    def cached_agreements(self) -> list[Agreement] | None:
        """That the marts agree, if that is in the cache."""
        cached = self._cached()
        if cached is None:
            return None
        return [Agreement(mart, cached["figures"][mart.full_name], 0, ()) for mart in self.compared]

    def cache_results(
        self, tables: Sequence[tuple[Export, int]], agreements: Sequence[Agreement]
    ) -> None:
        """Cache the tables' rows, and that all marts agree."""
        content = {
            "tables": {export.name: rows for export, rows in tables},
            "figures": {each.mart.full_name: each.figures for each in agreements},
        }
        self._cache.put(self.fingerprint(), [self._settings.scorecards_file], content)

    @contextmanager
    def asking(self) -> Iterator[Asking]:
        """A session that asks the layer about the build; what it found is forgotten before."""
        self._cache.clear()
        compiler = Compiler(self.manifest_text, self._settings.build_dir / "metrics_sql.json")
        running = Compiler(
            with_running_figures(self.manifest_text), self._settings.build_dir / "running_sql.json"
        )
        file, marts = self._settings.scorecards_file, self._settings.marts_file
        file.unlink(missing_ok=True)
        staying = [fact for fact in handed_over(self._settings) if fact.stays]
        with (
            duckdb.connect(config=self._session()) as connection,
            ThreadPoolExecutor(max_workers=1) as worker,
        ):
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"attach {literal(str(file))} as {quote(file.stem)}")
            # Answers are of the build's tables; only what is made names another file.
            for fact in staying:
                load_object_store(connection, fact.location)
            attach(connection, marts)
            connection.execute(f"use {quote(marts.stem)}")
            terms = (self.manifest_text, importlib.metadata.version("metricflow"))
            answers = Answers(
                connection, marts.stem, self._settings.answers_file, self.catalogue, terms
            )
            into = f"{quote(file.stem)}.{SCHEMA}"
            try:
                yield Asking(self, connection, into, answers, (compiler, running), worker)
            finally:
                worker.shutdown(wait=False, cancel_futures=True)
        compiler.save()
        running.save()

    def _cached(self) -> dict[str, Any] | None:
        return self._cache.get(self.fingerprint(), [self._settings.scorecards_file])

    def _session(self) -> dict[str, Any]:
        """Of a small build others read too: one core each."""
        return self._settings.session(**({"threads": 1} if self._settings.has_small_build else {}))

    def sources_of(self, export: Export) -> Sequence[tuple[str, str]]:
        """Schemas and tables that a saved query is measured on."""
        return self.catalogue.relations(export.metrics)

    def mart_metrics(self, mart: ComparedMart) -> int:
        """How many metrics a mart holds."""
        return len(mart.metrics(self.catalogue))


class Asking:
    """One session of the layer: its tables, then the comparison of the marts."""

    def __init__(
        self,
        layer: MetricsLayer,
        connection: duckdb.DuckDBPyConnection,
        into: str,
        answers: Answers,
        compilers: tuple[Compiler, Compiler],
        worker: Executor,
    ) -> None:
        self._layer, self._connection, self._into = layer, connection, into
        self._answers = answers
        self._compiler, self._running = compilers
        self._asked = questions_of(layer.exports, layer.catalogue)
        # Planning takes one core, and longer than most answers do.
        for export in layer.exports:
            asked = self._asked[export.name]
            self._compiler.ahead(filter(None, (asked.current, asked.daily)), worker)
            self._running.ahead(filter(None, (asked.running,)), worker)
        questions = (mart.question(layer.catalogue, mart.usual_grain) for mart in layer.compared)
        self._compiler.ahead(questions, worker)

    def tables(self) -> Iterator[tuple[Export, int]]:
        """Make the tables in their own file; each with its rows."""
        self._connection.execute(f"create schema {self._into}")
        self._write_manifest()
        needs = Needs(self._layer.catalogue, empty_tables(self._connection))
        for export in self._layer.exports:
            rows = write_export(
                self._connection,
                self._into,
                export,
                self._layer.catalogue,
                self._asked[export.name],
                lambda question: self._answers.answer(question, self._compiler).table,
                self._running.relation,
                needs,
            )
            yield export, rows

    def agreements(self) -> Iterator[Agreement]:
        """Compare the marts with the layer, each at one grain.

        Compared are all periods where the tools, the code or the metrics changed, and those of
        which the layer's facts or a mart have other rows than when all agreed. Where all agree
        that is noted, after the tables were made.
        """
        differing = 0
        for agreement in compare(
            self._connection, self._side, self._layer.catalogue, self._layer.compared
        ):
            yield agreement
            differing += agreement.differing
        if not differing:
            self._answers.save()

    def _side(self, mart: ComparedMart, grain: str) -> Side:
        answer = self._answers.answer(mart.question(self._layer.catalogue, grain), self._compiler)
        rows = mart.rows(self._layer.catalogue, grain, answer.entity)
        cells = self._answers.compared(answer, rows)
        # What is compared depends on the as-of date and on a mart's first period, too.
        as_of = self._value(AS_OF)
        compared_until = self._answers.mark("as of", "" if as_of is None else str(as_of))
        begin = str(self._value(f"(select min({rows.day}) from {rows.name})"))
        is_as_before = self._answers.mark(f"{mart.full_name} begins", begin) == begin
        if cells is None or not compared_until or not is_as_before:
            return Side(answer.table)
        return Side(answer.table, cells, answer.entity, compared_until)

    def _value(self, sql: str) -> object:
        found = self._connection.execute(f"select {sql}").fetchone()
        return found and found[0]

    def _write_manifest(self) -> None:
        """Keep the layer's definitions with the data that they describe."""
        # As a literal: for parameters DuckDB imports pandas, which takes half a second.
        text = literal(self._layer.manifest_text)
        self._connection.execute(
            f"create table {self._into}.{MANIFEST_TABLE} as select {text} as manifest"
        )
