"""The metrics layer of a build: its manifest, its tables, and whether the marts agree with it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.cache import CacheEntry, build_fingerprint, fingerprint_of
from orchestration.base.settings import Settings
from orchestration.base.sql import attach, literal, quote
from orchestration.metrics.answers import Answers
from orchestration.metrics.catalogue import MANIFEST_TABLE, SCHEMA, Catalogue
from orchestration.metrics.engine import Compiler, local_manifest
from orchestration.metrics.exports import (
    Export,
    columns_of,
    exports_of,
    with_running_figures,
    write_export,
)
from orchestration.metrics.needs import Needs, empty_tables
from orchestration.metrics.parity import Agreement, ComparedMart, compare, compared_marts
from orchestration.metrics.russian import read_names, with_both_languages
from orchestration.models.dbt import Manifest, PublishedModel


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

    def write_tables(self) -> Iterator[tuple[Export, int]]:
        """Make the tables in their own file; each with its rows."""
        self._cache.clear()
        compiler = self._compiler
        running = Compiler(
            with_running_figures(self.manifest_text), self._settings.build_dir / "running_sql.json"
        )
        file, marts = self._settings.scorecards_file, self._settings.marts_file
        file.unlink(missing_ok=True)
        with duckdb.connect(str(file), config=self._session()) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"create schema {SCHEMA}")
            self._write_manifest(connection)
            # Answers are of the build's tables; only what is made names this file.
            attach(connection, marts)
            connection.execute(f"use {quote(marts.stem)}")
            into = f"{quote(file.stem)}.{SCHEMA}"
            answers = self._answers(connection, self._settings.scorecard_answers_file)
            ask = partial(answers.table, compiler=compiler)
            needs = Needs(self.catalogue, empty_tables(connection))
            for export in self.exports:
                rows = write_export(
                    connection, into, export, self.catalogue, ask, running.relation, needs
                )
                yield export, rows
            answers.save()
        compiler.save()
        running.save()

    def agreements(self, all_grains: bool = False) -> Iterator[Agreement]:
        """Compare the marts with the layer; at one grain each, or at all that they have."""
        marts = self._settings.marts_file
        with duckdb.connect(config=self._session()) as connection:
            attach(connection, marts)
            connection.execute(f"use {quote(marts.stem)}")
            answers = self._answers(connection, self._settings.mart_answers_file)
            ask = partial(answers.table, compiler=self._compiler)
            differing = 0
            for agreement in compare(connection, ask, self.catalogue, self.compared, all_grains):
                yield agreement
                differing += agreement.differing
            if not differing:
                answers.save()
        self._compiler.save()

    def _answers(self, connection: duckdb.DuckDBPyConnection, file: Path) -> Answers:
        terms = (self.manifest_text, importlib.metadata.version("metricflow"))
        return Answers(connection, self._settings.marts_file.stem, file, self.catalogue, terms)

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

    def _write_manifest(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep the layer's definitions with the data that they describe."""
        table = f"{SCHEMA}.{MANIFEST_TABLE}"
        # As a literal: for parameters DuckDB imports pandas, which takes half a second.
        text = literal(self.manifest_text)
        connection.execute(f"create table {table} as select {text} as manifest")

    @cached_property
    def _compiler(self) -> Compiler:
        return Compiler(self.manifest_text, self._settings.build_dir / "metrics_sql.json")
