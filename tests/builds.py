"""Private builds without the rest of a refresh: dbt's models on a raw zone, compared row by row."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from filelock import FileLock

from orchestration.base.settings import Settings
from orchestration.base.sql import attach, quote
from orchestration.metrics.catalogue import Catalogue
from orchestration.metrics.engine import Compiler
from orchestration.metrics.layer import MetricsLayer
from orchestration.metrics.parity import Agreement, ComparedMart, Side, compare
from orchestration.models.run import AFTER_OUTLOOK, BEFORE_OUTLOOK
from orchestration.outlook.step import learn
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.views import files_read, register
from tests.conftest import ROOT

UNCHANGED = "UNCHANGED"
_INCREMENTAL = ("new_files", "touched_keys")
# What MetricFlow compiled for a build of this process does not depend on where it lies.
_COMPILED: dict[str, bytes] = {}
_SEARCH_PATH = (
    "voronka_build.main",
    "voronka_marts.main",
    "voronka_marts.marts",
    "voronka_marts.quarantine",
)


class Build:
    """A data directory and the raw zone that it is built from."""

    def __init__(self, data: Path, raw: Path) -> None:
        self._settings = Settings(data_dir=data, raw_dir=str(raw))
        self.files = self._settings.build_files

    def refresh(self, *, only: str = "", learns: bool = False, **variables: Any) -> dict[str, str]:
        """Register the zone and build every model; what dbt says of each incremental one.

        `only` is dbt's selection where some models are enough. Where it `learns`, the outlook is
        learned between two runs of dbt, as a refresh does, which costs seconds; else it is empty.
        """
        settings = self._settings.model_copy(update={"dbt_vars": variables})
        zone = scan(settings.raw_zone, load_contract(ROOT))
        register(zone, settings.raw_zone_file, files_read(self._settings.build_file))
        # The as-of date is read when the models run, other variables also when dbt parses them.
        manifest = _manifest() if variables.keys() <= {"as_of"} else None
        # Nobody reads the artifacts and the log that dbt would write, which take it two seconds.
        arguments = ["--quiet", "--no-write-json", "--log-level-file", "none", "build"]
        arguments += ["--exclude-resource-type", "test", "unit_test"]
        arguments += settings.dbt_arguments()
        selected = ["--select", only] if only else []
        if not learns:
            return _run(settings, manifest, [*arguments, *selected])
        said = _run(settings, manifest, [*arguments, *selected, *BEFORE_OUTLOOK])
        learn(settings)
        option, after = AFTER_OUTLOOK
        # With a comma dbt takes what is in both.
        after = f"{only},{after}" if only else after
        return said | _run(settings, manifest, [*arguments, option, after])

    def measure(self) -> tuple[Path, Path]:
        """Ask the metrics layer and compare the marts; files of the scorecards and the answers."""
        settings, manifest = self._settings, _manifest()
        settings.target_dir.mkdir(parents=True, exist_ok=True)
        semantic = Settings(data_dir=ROOT / "data").target_dir / "semantic_manifest.json"
        shutil.copy(semantic, settings.target_dir)
        layer = MetricsLayer(settings, manifest.to_dict())
        for name, content in _COMPILED.items():
            (settings.build_dir / name).write_bytes(content)
        with layer.asking() as asking:
            assert list(asking.tables())
            agreements = list(asking.agreements())
        for file in settings.build_dir.glob("*_sql.json"):
            _COMPILED[file.name] = file.read_bytes()
        assert [str(it) for agreement in agreements for it in agreement.examples] == []
        return settings.scorecards_file, settings.answers_file

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A query on what was built."""
        with duckdb.connect() as connection:
            attach(connection, *self.files)
            connection.execute("set TimeZone = 'UTC'")
            schemas = connection.execute(
                "select database_name || '.' || schema_name from duckdb_schemas()"
            ).fetchall()
            found = [schema for schema in _SEARCH_PATH if (schema,) in schemas]
            connection.execute(f"set search_path = '{','.join(found)}'")
            return connection.execute(sql).fetchall()


def _run(settings: Settings, manifest: Manifest | None, arguments: list[str]) -> dict[str, str]:
    """Run dbt in this process; what it says of each incremental model."""
    with patch.dict(os.environ, settings.dbt_environment()):
        try:
            done = dbtRunner(manifest).invoke(arguments)
        finally:
            DuckDBConnectionManager.close_all_connections()
    assert done.success, [(r.node.name, r.message) for r in done.result or [] if r.message]
    return {
        it.node.name: it.message
        for it in done.result
        if it.node.resource_type == "model" and it.node.config.materialized in _INCREMENTAL
    }


def compare_file(
    file: Path,
    compiler: Compiler,
    catalogue: Catalogue,
    marts: Sequence[ComparedMart],
    all_grains: bool = False,
) -> list[Agreement]:
    """How the marts of a DuckDB file compare with what the metrics layer says of its facts."""

    def ask(mart: ComparedMart, grain: str) -> Side:
        return Side(compiler.relation(mart.question(catalogue, grain)))

    with duckdb.connect(str(file), read_only=True) as connection:
        return list(compare(connection, ask, catalogue, marts, all_grains))


@cache
def _manifest() -> Manifest:
    settings = Settings(data_dir=ROOT / "data")
    settings.target_dir.mkdir(parents=True, exist_ok=True)
    # What one worker has parsed another one reads.
    with FileLock(settings.target_dir / "tests.lock"):
        done = dbtRunner().invoke(["--quiet", "parse", *settings.dbt_arguments()])
    assert done.success, done.exception
    assert isinstance(done.result, Manifest)
    return done.result


def differing_tables(one: Sequence[Path], other: Sequence[Path]) -> Mapping[str, int]:
    """Tables of two builds that do not hold the same rows, with how many differ."""
    found: dict[str, int] = {}
    for left, right in zip(one, other, strict=True):
        found.update(_differing_tables(left, right))
    return found


def _differing_tables(one: Path, other: Path) -> Mapping[str, int]:
    with duckdb.connect() as connection:
        for name, file in (("one", one), ("other", other)):
            connection.execute(f"attach '{file}' as {quote(name)} (read_only)")
        names = [
            {
                f"{quote(schema)}.{quote(table)}"
                for schema, table in connection.execute(
                    "select schema_name, table_name from duckdb_tables() "
                    f"where database_name = '{name}' and schema_name != 'state'"
                ).fetchall()
            }
            for name in ("one", "other")
        ]
        assert names[0] == names[1]
        found = {}
        for table in sorted(names[0]):
            rows = connection.execute(
                f"select count(*) from ((from one.{table} except all from other.{table}) "
                f"union all (from other.{table} except all from one.{table}))"
            ).fetchone()
            if rows and rows[0]:
                found[table] = rows[0]
        return found
