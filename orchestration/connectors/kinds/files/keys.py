"""The block of people's files in connections.yml, and the mapping that it names (11.2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from orchestration.base.settings import Settings
from orchestration.connectors.connections import Connection
from orchestration.connectors.links import EXAMPLE, Templates
from orchestration.raw_zone.contract import load_contract


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Header(_Strict):
    """Where the headers are: rows from 1, or the first row that has these texts."""

    rows: list[int] = []
    find: list[str] = []
    merge: Literal["fill", "none"] = "fill"
    join: str = " / "


class Read(_Strict):
    """How the file is read."""

    format: Literal["auto", "csv", "xlsx", "xls", "xlsb", "ods", "preset"] = "auto"
    encoding: str = "auto"
    delimiter: str = "auto"
    sheets: list[str] = []
    header: Header = Header()
    fill_down: list[str] = []
    skip_rows_where: dict[str, str] = {}
    stop_row_where: dict[str, str] = {}


class Values(_Strict):
    """How values are read."""

    timezone: str | None = None
    date_order: Literal["dmy", "mdy"] | None = None
    date_formats: list[str] = []
    decimal: Literal["auto", ",", "."] = "auto"
    nulls: list[str] = [""]
    strip_units: bool = False
    excel_serial_dates: bool = False

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        try:
            return value and ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value} is not a time zone, as Europe/Moscow is one") from None


As = Literal[
    "text", "timestamp", "date", "decimal", "money", "integer", "boolean", "percent", "score",
    "flag", "phone", "month_ru", "unix",
]  # fmt: skip


class Column(_Strict):
    """Where a column of the contract comes from, and what is done to it."""

    source: str | list[str] | None = Field(default=None, alias="from")
    const: Any = None
    template: str | None = None
    key: str | None = Field(default=None, description="hash of [headers]")
    kind: As = Field(default="text", alias="as")
    time_of: str | None = None
    currency: str | None = None
    max: str | None = None
    year: int | None = None
    lookup: str | None = None
    map: dict[Any, Any] | None = None
    prefix: str = ""
    abs: bool = False
    split: str | None = None
    regex: str | None = None
    required: bool = False

    @property
    def headers(self) -> list[str]:
        """The headers that it may come from, in order."""
        return [self.source] if isinstance(self.source, str) else self.source or []

    @model_validator(mode="after")
    def _has_an_origin(self) -> Column:
        given = [self.source, self.const, self.template, self.key]
        if sum(it is not None for it in given) != 1:
            raise ValueError("needs one of from, const, template, key")
        return self


class Lookup(_Strict):
    """Names to ids: a map, or a table of the raw zone."""

    map: dict[Any, Any] | None = None
    source: str | None = Field(default=None, alias="from")
    key: str | None = None
    value: str | None = None
    unknown: Literal["text", "null", "error"] = "text"

    @model_validator(mode="after")
    def _has_an_origin(self) -> Lookup:
        if (self.map is None) == (self.source is None) or (
            self.source and not (self.key and self.value)
        ):
            raise ValueError("needs map, or from with key and value")
        return self


class Unpivot(_Strict):
    """One row for each column that fits; what `*` stood for, and the cell, become columns."""

    columns: str
    into: dict[Literal["name", "value"], str]


class Extra(_Strict):
    """Another table filled from the same rows."""

    table: str
    columns: dict[str, Column]


class Mapping(_Strict):
    """One kind of file."""

    connection: str | None = None
    table: str
    files: list[str] = Field(min_length=1)
    read: Read = Read()
    values: Values = Values()
    mode: Literal["append", "snapshot"] = "append"
    columns: dict[str, Column]
    lookups: dict[str, Lookup] = {}
    extra_tables: list[Extra] = []
    unpivot: Unpivot | None = None
    skip_empty: list[str] = []
    skip_rows_where: dict[str, str] = {}
    stop_row_where: dict[str, str] = {}
    max_reject_share: float = Field(default=0, ge=0, le=1)
    max_deleted_share: float = Field(default=0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _fits_the_contract(self) -> Mapping:
        contract = load_contract(Settings().root)
        named = [(self.table, self.columns), *((it.table, it.columns) for it in self.extra_tables)]
        for table, columns in named:
            if table not in contract.tables:
                raise ValueError(f"{table} is no table of the contract")
            if table.partition(".")[0] != self.table.partition(".")[0]:
                raise ValueError(f"extra table {table}: has to be of the same source")
            known = {column.name: column for column in contract.tables[table].columns}
            for name, column in columns.items():
                if name not in known:
                    raise ValueError(f"{table} has no column {name}; it has {', '.join(known)}")
                if column.lookup and column.lookup not in self.lookups:
                    raise ValueError(f"{name}: there is no lookup {column.lookup}")
                if column.kind == "timestamp" and not self.values.timezone:
                    raise ValueError(f"{name}: values.timezone is required for timestamps")
            lacking = [
                name
                for name, column in known.items()
                if (column.is_key or column.is_required)
                and name not in columns
                and name != "_loaded_at"
                and not (table == "marketing.ad_spend" and name == "campaign")
            ]
            if lacking:
                raise ValueError(f"{table} needs {', '.join(lacking)}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the times in the file."""
        return ZoneInfo(self.values.timezone or "UTC")


class FilesConnection(Connection):
    """A folder where somebody puts exports of one kind, and the mapping of that kind."""

    default_prefix: ClassVar[str | None] = ""

    folder: str = Field(
        description="where the files are put; the mapping's `files` are patterns in it",
        examples=["data/incoming"],
    )
    mapping: str = Field(
        description="YAML: `voronka connect check NAME FILE --draft` writes one to begin with",
        examples=["mappings/payments.yaml"],
    )

    same_ids_as: str | None = Field(
        default=None,
        description="another connection: both read the same system, so that equal ids are one row",
        examples=["amocrm"],
    )

    crm_url_template: Templates = Field(
        default={},
        description="where people see a lead, deal, contact, company, meeting or payment",
        examples=[EXAMPLE],
    )

    @property
    def page_urls(self) -> dict[str, str]:
        """The addresses that somebody wrote down."""
        return dict(self.crm_url_template.items())

    @property
    def partners(self) -> Sequence[str]:
        """The connection whose ids are these."""
        return [self.same_ids_as] if self.same_ids_as else []

    @cached_property
    def columns(self) -> Mapping:
        """The mapping. Raises ValueError with all that is wrong in it."""
        return load_mapping(at_root(self.mapping), self.name)


def at_root(path: str) -> Path:
    """A path of the connections file: relative ones begin at the project's root."""
    return Settings().root / path


def load_mapping(file: Path, connection: str) -> Mapping:
    """A mapping of a file. Raises ValueError with all that is wrong in it."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{file}, line {mark.line + 1 if mark else '?'}: no YAML") from None
    try:
        return Mapping.model_validate({**(document or {}), "connection": connection})
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in it['loc'])}: "
            f"{it['msg'].removeprefix('Value error, ')}".removeprefix(": ")
            for it in error.errors(include_url=False)
        ]
        raise ValueError(f"{file}: {'; '.join(problems)}") from None
