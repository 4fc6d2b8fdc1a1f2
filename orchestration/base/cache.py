"""What need not be made again because it was made of the same before.

The build's tables carry versions: where a version is the same, so are the rows (docs/decisions/
0009). What later steps make of the tables is remembered with a version of all that it was made
from, and with the files as they were left.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.base.files import read_json, write_json
from orchestration.base.settings import Settings
from orchestration.base.sql import literal, quote

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


@dataclass(frozen=True)
class Memory:
    """A file that says what was made of which version."""

    file: Path

    def recall(self, version: str, files: Iterable[Path]) -> dict[str, Any] | None:
        """What was noted, if it was of this version and the files are as they were left."""
        noted = read_json(self.file)
        if noted.get("version") != version or noted.get("files") != looks_of(files):
            return None
        content: dict[str, Any] = noted["content"]
        return content

    def note(self, version: str, files: Iterable[Path], content: Mapping[str, Any]) -> None:
        """Remember what was made of this version."""
        write_json(
            self.file, {"version": version, "files": looks_of(files), "content": dict(content)}
        )

    def forget(self) -> None:
        """What was made is about to change."""
        self.file.unlink(missing_ok=True)


def version_of(*parts: Any) -> str:
    """One version for several things, made of JSON's types, sets, and what `repr` tells apart."""

    def plain(value: Any) -> Any:
        return sorted(value) if isinstance(value, set | frozenset) else repr(value)

    text = json.dumps(parts, sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()


def build_version(settings: Settings) -> str:
    """Stands for the rows of all the build's tables and for the code that reads them.

    Incremental models have a version; what is built as a whole has one from its rows.
    """
    with duckdb.connect() as connection:
        build = settings.build_file
        connection.execute(f"attach {literal(str(build))} as {quote(build.stem)} (read_only)")
        connection.execute(f"use {quote(build.stem)}")
        versioned = {name for (name,) in connection.execute(_VERSIONED).fetchall()}
        versions = {}
        for schema, name in connection.execute(_RELATIONS).fetchall():
            if name in versioned:
                found = connection.execute(f"select version from state.{quote(f'of__{name}')}")
                versions[f"{schema}.{name}"] = str(found.fetchall())
            else:
                relation = f"{quote(schema)}.{quote(name)}"
                versions[f"{schema}.{name}"] = _content(connection, relation)
    return version_of(versions, duckdb.__version__, code_version())


def zone_version(settings: Settings) -> str:
    """Stands for the rows of all raw tables, as the preflight shows them, and for the code."""
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
    return version_of(listed, duckdb.__version__, code_version())


def is_made_by_these_tools(settings: Settings) -> bool:
    """Whether the private build is of these versions, as noted; others may count otherwise.

    What it was created with stays with a DuckDB file: of other options, too, it is made anew.
    """
    return read_json(settings.made_by_file) == _tools(settings)


def forget_build(settings: Settings) -> None:
    """Remove the private build and note what makes the next; the published set stays."""
    for path in settings.build_dir.glob("voronka_build.duckdb*"):
        path.unlink()
    for memory in settings.memories:
        memory.unlink(missing_ok=True)
    write_json(settings.made_by_file, _tools(settings))


def _tools(settings: Settings) -> dict[str, str]:
    profiles = yaml.safe_load((settings.root / "profiles.yml").read_text(encoding="utf-8"))
    options: dict[str, str] = profiles["voronka"]["outputs"]["duckdb"].get("config_options", {})
    made_by = {name: version(name) for name in ("duckdb", "dbt-core", "dbt-duckdb")} | options
    return made_by | {"project": settings.project_version}


def looks_of(files: Iterable[Path]) -> dict[str, list[int] | None]:
    """Size and time of writing, by path; a folder stands for what lies in it."""
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
def code_version() -> str:
    """The project's own Python, which decides what becomes of the tables."""
    state = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            state.update(f"{file.relative_to(_PACKAGE)}|{file.stat().st_size}|".encode())
            state.update(file.read_bytes())
    return state.hexdigest()
