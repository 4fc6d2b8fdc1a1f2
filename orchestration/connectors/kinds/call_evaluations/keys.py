"""The keys of call evaluations, and what their mapping has beside that of files (10)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from orchestration.connectors.connections import HttpConnection
from orchestration.connectors.evaluations import FLAGS, TOLERANCE, FlagRule, Way
from orchestration.connectors.kinds.files.keys import FilesConnection, at_root
from orchestration.connectors.kinds.files.keys import Mapping as FileMapping
from orchestration.connectors.rest_keys import Rest
from orchestration.connectors.secrets import SecretRef, secret_key
from orchestration.connectors.telephony import seconds_of

CALLS = "telephony.calls"
# Where the parts of a call's name are put until it is found.
_PLACES = {"call_id": "call_id", "linked_id": "linked_id", "recording": "recording_url",
           "phone": "from_number", "started_at": "started_at"}  # fmt: skip
_NEEDED = ("call_id", "started_at", "direction", "disposition", "talk_seconds")
_BLOCKS = ("call", "form", "forms", "criteria")


class CallBlock(BaseModel):
    """How a row names its call: headers (or paths) of its parts, and the ways, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    telephony: str = Field(min_length=1)
    by: list[Way] = Field(min_length=1)
    call_id: str | None = None
    linked_id: str | None = None
    recording: str | None = None
    phone: str | None = None
    started_at: str | None = None
    tolerance_seconds: int = TOLERANCE

    @model_validator(mode="after")
    def _has_its_ways(self) -> Self:
        needed = {"phone_time": ["phone", "started_at"]}
        for way in self.by:
            lacking = [it for it in needed.get(way, [way]) if not getattr(self, it)]
            if lacking:
                raise ValueError(f"by has {way}, which needs {', '.join(lacking)}")
        return self


class Criteria(BaseModel):
    """Where the points of a checklist are.

    With `list`: a list inside the row (JSON), whose items have `name`, `score`, `maximum`, `id`.
    Without it: each row is one criterion, and rows of one evaluation stand together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    within: str | None = Field(default=None, alias="list")
    name: str = Field(min_length=1)
    score: str = Field(min_length=1)
    maximum: str | None = None
    ident: str | None = Field(default=None, alias="id")


class Blocks(BaseModel):
    """What the mapping of evaluations has beside that of files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    call: CallBlock
    form: str | None = None
    forms: list[str] = []
    criteria: Criteria | None = None
    flags: dict[str, FlagRule] = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.forms and not self.form:
            raise ValueError("forms: needs form, the column that names the checklist")
        other = [it for it in self.flags if it not in FLAGS]
        if other:
            raise ValueError(f"criteria make flags ({', '.join(FLAGS)}), not {', '.join(other)}")
        return self


class CallEvaluationsConnection(FilesConnection, HttpConnection):
    """A folder of exports or a REST API, and the mapping, which has the block `call`."""

    folder: str = Field(
        default="",
        description="where the exports are put; or base_url and rest",
        examples=["data/incoming"],
        json_schema_extra={"shown": True},
    )
    mapping: str = Field(
        description="YAML with the block `call`; docs/connectors/call_evaluations.md",
        examples=["mappings/call_evaluations.yaml"],
    )
    rest: Rest | None = Field(
        default=None,
        description="instead of folder: a REST API; docs/connectors/call_evaluations.md",
        examples=[{
            "path": "evaluations",
            "params": {"since": "{from}", "until": "{to}"},
            "data": "items",
            "paginator": {"type": "offset", "limit": 1000},
        }],
    )  # fmt: skip
    secret: SecretRef | None = secret_key("what rest.auth logs in with")
    reread: int = Field(
        default=14 * 86_400, description="rest: days that are read again each time",
        examples=["14d"],
    )  # fmt: skip
    slice: int = Field(
        default=30 * 86_400, gt=0, description="rest: days that one question asks for",
        examples=["30d"],
    )  # fmt: skip
    start_date: date | None = Field(
        default=None, description="rest: the oldest day to read", examples=["2024-01-01"]
    )

    @field_validator("reread", "slice", mode="before")
    @classmethod
    def _lengths(cls, value: Any) -> int:
        return seconds_of(value)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.folder) == (self.rest is not None):
            raise ValueError("needs either folder, or base_url and rest")
        if self.rest is None:
            return self
        if not self.base_url:
            raise ValueError("rest needs base_url, the address of the API")
        if self.rest.auth.type != "none" and not self.secret:
            raise ValueError(f"rest.auth of type {self.rest.auth.type} needs secret: env:NAME")
        if self.rest.has_range and self.start_date is None:
            raise ValueError("{from} in rest needs start_date, the oldest day to read")
        return self

    @cached_property
    def document(self) -> dict[str, Any]:
        """The mapping's file. Raises ValueError where it is none."""
        file = at_root(self.mapping)
        found = _read(file)
        if not isinstance(found, dict) or not isinstance(found.get("call"), dict):
            raise ValueError(f"{file} has no block `call`, which says how a row names its call")
        return found

    @cached_property
    def blocks(self) -> Blocks:
        """How a row names its call and its checklist, and what its flags are made of."""
        given = {key: self.document[key] for key in _BLOCKS if key in self.document}
        given["flags"] = {
            name: it for name, it in self._given_columns.items() if _is_of_criteria(it)
        }
        try:
            return Blocks.model_validate(given)
        except ValidationError as error:
            raise ValueError(said(self.mapping, error)) from None

    @property
    def _given_columns(self) -> Mapping[str, Any]:
        found = self.document.get("columns")
        return found if isinstance(found, dict) else {}

    @cached_property
    def columns(self) -> FileMapping:
        """The mapping, with the call beside the evaluation."""
        own: dict[str, Any] = {name: {"const": ""} for name in _NEEDED}
        for part, column in _PLACES.items():
            header = getattr(self.blocks.call, part)
            if header:
                how = {"started_at": "timestamp"}.get(part, "text")
                own[column] = {"from": header, "as": how}
        document = {key: it for key, it in self.document.items() if key not in _BLOCKS}
        columns = {name: it for name, it in self._given_columns.items() if not _is_of_criteria(it)}
        # A product that does not say when: the instant at which we first saw it.
        columns = {"evaluated_at": {"const": ""}, **columns, "call_id": {"const": ""}}
        if self.rest is not None:
            document.setdefault("files", ["*"])
        try:
            return FileMapping.model_validate(
                {
                    **document,
                    "connection": self.name,
                    "columns": columns,
                    "extra_tables": [{"table": CALLS, "columns": own}],
                }
            )
        except ValidationError as error:
            raise ValueError(said(self.mapping, error)) from None


class UisEvaluationsConnection(HttpConnection):
    """UIS's analysis of calls by AI."""

    kind: Literal["uis_evaluations"]
    base_url: str = Field(
        min_length=1,
        description="up to /api/v1.0, as UIS tells it to its customers",
        examples=["https://analysis.example/api/v1.0"],
    )
    token: SecretRef = Field(description="Bearer", json_schema_extra={"secret": True})
    telephony: str = Field(
        min_length=1, description="prefix of the connection that reads UIS's calls",
        examples=["uis"],
    )  # fmt: skip
    evaluator: str = Field(default="uis", description="who judges, in the marts")
    forms: list[str] = Field(
        default=[], description="only these scenarios (with *); they should be of one kind",
        examples=[["Входящий звонок"]], json_schema_extra={"shown": True},
    )  # fmt: skip
    flags: dict[str, FlagRule] = Field(
        default={},
        description="what each flag is made of: names of criteria (with *), any or all of them",
        examples=[{"needs_found": {"criteria": ["Выявил потребност*"], "rule": "any"}}],
        json_schema_extra={"shown": True},
    )
    page: int = Field(default=1_000, gt=0, description="rows in one answer")

    @field_validator("flags")
    @classmethod
    def _are_flags(cls, value: Mapping[str, FlagRule]) -> Mapping[str, FlagRule]:
        other = [it for it in value if it not in FLAGS]
        if other:
            raise ValueError(f"{', '.join(other)} is none; there are {', '.join(FLAGS)}")
        return value


def said(where: str, error: ValidationError) -> str:
    """What is wrong in a mapping, in one line."""
    problems = [
        f"{'.'.join(str(part) for part in it['loc'])}: {it['msg'].removeprefix('Value error, ')}"
        for it in error.errors(include_url=False)
    ]
    return f"{where}: {'; '.join(it.removeprefix(': ') for it in problems)}"


def _is_of_criteria(column: Any) -> bool:
    return isinstance(column, dict) and "criteria" in column


def _read(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError(f"{file} is no YAML") from None
