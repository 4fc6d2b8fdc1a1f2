"""A cache of what the steps after the build produce, keyed by a fingerprint of their inputs.

The build's tables carry versions: where a version is the same, so are the rows (docs/decisions/
0009). A later step's result is cached with a fingerprint of all its inputs and with the state of
the files that it wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.base.files import read_json, write_json
from orchestration.base.settings import SPARK, Settings
from orchestration.base.sql import attach, literal, quote

# Of a build by Spark: relations, and versions of the files that they were made from.
HANDED_OVER = "state.from_cluster"
_PACKAGE = Path(__file__).resolve().parents[1]
_RELATIONS = """
    select schema_name, table_name as name from duckdb_tables()
    where database_name = current_database() and schema_name != 'state'
    union all
    select schema_name, view_name from duckdb_views()
    where database_name = current_database() and not internal
    order by all
"""
# Incremental models: a version of their rows.
_VERSIONED = """
    select table_name[5:] from duckdb_tables()
    where database_name = current_database()
        and schema_name = 'state' and starts_with(table_name, 'of__')
"""


# What lies on the cluster: its rows are not read to tell whether they are the same.
_OUTSIDE = f"select schema_name || '.' || table_name, version from {HANDED_OVER} where not is_table"


@dataclass(frozen=True)
class CacheEntry:
    """One step's cached result, in a JSON file; it holds for one fingerprint only."""

    file: Path

    def get(self, fingerprint: str, files: Iterable[Path]) -> dict[str, Any] | None:
        """The result, if it is of this fingerprint and the files are unchanged; else None."""
        entry = read_json(self.file)
        if entry.get("fingerprint") != fingerprint or entry.get("files") != file_states(files):
            return None
        content: dict[str, Any] = entry["content"]
        return content

    def put(self, fingerprint: str, files: Iterable[Path], content: Mapping[str, Any]) -> None:
        """Cache a result, with the present state of the files that belong to it."""
        entry = {"fingerprint": fingerprint, "files": file_states(files), "content": dict(content)}
        write_json(self.file, entry)

    def clear(self) -> None:
        """Drop the result; called before its files change."""
        self.file.unlink(missing_ok=True)


def fingerprint_of(*parts: Any) -> str:
    """One fingerprint for several values: JSON's types, sets, and whatever `repr` tells apart."""

    def plain(value: Any) -> Any:
        return sorted(value) if isinstance(value, set | frozenset) else repr(value)

    text = json.dumps(parts, sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()


def build_fingerprint(settings: Settings) -> str:
    """Fingerprint of the rows of all the build's tables and of the code that reads them.

    Incremental models carry a version; for other tables the rows are hashed.
    """
    logs = [file.with_name(f"{file.name}.wal") for file in settings.build_files]
    states = file_states([*settings.build_files, *logs])
    versions = table_versions(settings.build_files, json.dumps(states))
    return fingerprint_of(versions, duckdb.__version__, code_fingerprint())


# Several steps of a refresh ask, and hashing the rows of a large build takes seconds.
@lru_cache(maxsize=1)
def table_versions(build_files: tuple[Path, ...], _states: str) -> dict[str, str]:
    """Versions of the tables in files of these states, by table."""
    with duckdb.connect() as connection:
        attach(connection, *build_files)
        versions = {}
        for file in build_files:
            connection.execute(f"use {quote(file.stem)}")
            versioned = {name for (name,) in connection.execute(_VERSIONED).fetchall()}
            outside = _versions_outside(connection)
            for schema, name in connection.execute(_RELATIONS).fetchall():
                if f"{schema}.{name}" in outside:
                    versions[f"{schema}.{name}"] = outside[f"{schema}.{name}"]
                elif name in versioned:
                    found = connection.execute(f"select version from state.{quote(f'of__{name}')}")
                    versions[f"{schema}.{name}"] = str(found.fetchall())
                else:
                    relation = f"{quote(schema)}.{quote(name)}"
                    versions[f"{schema}.{name}"] = _content(connection, relation)
    return versions


def _versions_outside(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(connection.execute(_OUTSIDE).fetchall()) if is_of_spark(connection) else {}


def is_of_spark(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the session's database is of a build by Spark."""
    found = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() "
        f"and schema_name || '.' || table_name = {literal(HANDED_OVER)}"
    ).fetchone()
    return bool(found and found[0])


def zone_fingerprint(settings: Settings) -> str:
    """Fingerprint of the rows of all raw tables, as the preflight shows them, and of the code."""
    with duckdb.connect() as connection:
        zone = settings.raw_zone_file
        connection.execute(f"attach {literal(str(zone))} as raw_zone (read_only)")
        listed = [
            connection.execute(f"select {what} from raw_zone.zone.{table} order by all").fetchall()
            for table, what in (("files", "* exclude (is_new)"), ("tables", "*"), ("origin", "*"))
        ]
        # Their columns are the contract's.
        listed.append(
            connection.execute(
                "select schema_name, view_name, sql from duckdb_views() "
                "where database_name = 'raw_zone' and not ends_with(schema_name, '_new') "
                "order by all"
            ).fetchall()
        )
    return fingerprint_of(listed, duckdb.__version__, code_fingerprint())


def is_built_by_these_tools(settings: Settings) -> bool:
    """Whether the private build was written by the tools of this environment.

    Another version may count otherwise, and a DuckDB file keeps the options it was created with:
    after a change of either, the build is rebuilt from scratch.
    """
    return read_json(settings.tools_file) == _tools(settings)


def remove_build(settings: Settings) -> None:
    """Remove the private build and all cache entries; the published set stays."""
    for file in settings.build_files:
        for path in settings.build_dir.glob(f"{file.name}*"):
            path.unlink()
    for file in settings.cache_files:
        file.unlink(missing_ok=True)
    write_json(settings.tools_file, _tools(settings))


def _tools(settings: Settings) -> dict[str, str]:
    profiles = yaml.safe_load((settings.root / "profiles.yml").read_text(encoding="utf-8"))
    options: dict[str, str] = profiles["voronka"]["outputs"]["duckdb"].get("config_options", {})
    tools = {name: version(name) for name in ("duckdb", "dbt-core", "dbt-duckdb")} | options
    # A build by another engine has views where this one has tables.
    tools |= {"engine": settings.engine}
    if settings.engine == SPARK:
        tools |= {"spark": settings.spark, "prefix": settings.spark_prefix}
        tools |= {"dbt-spark": version("dbt-spark")}
    return tools | {"project": settings.project_version}


def file_states(files: Iterable[Path]) -> dict[str, list[int] | None]:
    """Size and time of writing by path, of files and of those in folders; None where missing."""
    found: dict[str, list[int] | None] = {}
    for path in files:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            state = file.stat() if file.exists() else None
            found[str(file)] = [state.st_size, state.st_mtime_ns] if state else None
    return found


def _content(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    found = connection.execute(
        f"select count(*) || ' ' || coalesce(sum(hash(_row)), 0) from {relation} as _row"
    ).fetchone()
    return str(found and found[0])


@cache
def code_fingerprint() -> str:
    """Fingerprint of the project's own Python."""
    state = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            state.update(f"{file.relative_to(_PACKAGE)}|{file.stat().st_size}|".encode())
            state.update(file.read_bytes())
    return state.hexdigest()
