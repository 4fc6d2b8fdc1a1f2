"""The raw contract as data: which tables and columns the warehouse accepts.

The one source is the `sources:` part of the staging YAML files, which dbt reads too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from orchestration.base.errors import WrongUse

STAGING_DIR = Path("dbt_project/models/staging")
DATA_TYPES = frozenset({"text", "timestamp", "date", "integer", "decimal", "boolean"})
LOADED_AT = "_loaded_at"

_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Column:
    """A column of the contract; `data_type` is one of DATA_TYPES.

    A decimal has `precision` digits in all and `scale` of them after the point.
    """

    name: str
    data_type: str
    precision: int = 18
    scale: int = 4
    description: str = ""
    is_key: bool = False
    is_required: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @property
    def must_be_there(self) -> bool:
        """Whether every file of the table has to have the column."""
        return self.is_key or self.is_required or self.name == LOADED_AT


@dataclass(frozen=True)
class Table:
    """A table of the contract; its columns are in the contract's order."""

    source: str
    name: str
    columns: tuple[Column, ...]
    description: str = ""

    @property
    def full_name(self) -> str:
        """The name in messages and in the raw zone's lists: `crm.leads`."""
        return f"{self.source}.{self.name}"

    @cached_property
    def required_columns(self) -> tuple[str, ...]:
        """Names of the columns that every file has to have."""
        return tuple(column.name for column in self.columns if column.must_be_there)


@dataclass(frozen=True)
class Contract:
    """All tables, by full name, in order of source and name."""

    tables: Mapping[str, Table]

    @property
    def sources(self) -> list[str]:
        """The folders that a raw zone may have, sorted."""
        return sorted({table.source for table in self.tables.values()})


def load_contract(project_dir: Path) -> Contract:
    """Read the contract of the project in `project_dir`.

    Raises WrongUse where a YAML file cannot be read or says what the contract cannot mean.
    """
    tables: dict[str, Table] = {}
    for path in sorted((project_dir / STAGING_DIR).glob("*/*.yml")):
        for table in _tables_of(path):
            if table.full_name in tables:
                raise WrongUse(
                    f"{path.relative_to(project_dir)} describes {table.full_name} again.",
                    "Keep one description of each raw table.",
                )
            tables[table.full_name] = table
    if not tables:
        raise WrongUse(
            f"No raw table is described in {project_dir / STAGING_DIR}.",
            "Run the command in a complete checkout of the project.",
        )
    return Contract(dict(sorted(tables.items())))


def _tables_of(path: Path) -> list[Table]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}
    except yaml.YAMLError as error:
        raise WrongUse(f"{path} is not YAML: {error}", "Correct the file.") from error
    return [
        Table(
            source=source["name"],
            name=table["name"],
            description=str(table.get("description", "")).strip(),
            columns=tuple(_column(column, path) for column in table.get("columns", [])),
        )
        for source in document.get("sources", [])
        for table in source.get("tables", [])
    ]


def _column(spec: Mapping[str, Any], path: Path) -> Column:
    meta = (spec.get("config") or {}).get("meta") or {}
    written = str(spec.get("data_type", "")).lower()
    decimal = _DECIMAL.fullmatch(written)
    data_type = "decimal" if decimal else written
    if data_type not in DATA_TYPES:
        raise WrongUse(
            f"{path}: column {spec['name']} has the type {written or 'none'}.",
            f"Give it one of {', '.join(sorted(DATA_TYPES))}, decimal(p, s).",
        )
    return Column(
        name=spec["name"],
        data_type=data_type,
        precision=int(decimal[1]) if decimal else 18,
        scale=int(decimal[2]) if decimal else 4,
        description=str(spec.get("description", "")).strip(),
        is_key=bool(meta.get("key", False)),
        is_required=bool(meta.get("required", False)),
        meta=meta,
    )


# libyaml's loader is ten times as fast; some builds of PyYAML come without it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
