"""Evaluations of calls from files that a product or a supervisor exports (10, 11).

A file is read as every other one, by a mapping; its block `call` says how a row names its call.
That call is mapped beside the evaluation, as a row of `telephony.calls` that is never written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row, Window
from orchestration.connectors.evaluations import (
    PRIVATE_TABLES,
    TABLE,
    TOLERANCE,
    About,
    Evaluation,
    Legs,
    Placer,
    Way,
    mixed,
)
from orchestration.connectors.kinds.files.connector import Files, Read
from orchestration.connectors.kinds.files.keys import FilesConnection, at_root
from orchestration.connectors.kinds.files.keys import Mapping as FileMapping

_CALLS = "telephony.calls"
_FILES = "files"
# Where the parts of a call's name are put until it is found.
_PLACES = {"call_id": "call_id", "linked_id": "linked_id", "recording": "recording_url",
           "phone": "from_number", "started_at": "started_at"}  # fmt: skip
_NEEDED = ("call_id", "started_at", "direction", "disposition", "talk_seconds")


class CallBlock(BaseModel):
    """How a row names its call: headers of the columns, and the ways, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    telephony: str = Field(min_length=1)
    by: list[Way] = Field(min_length=1)
    call_id: str | None = None
    linked_id: str | None = None
    recording: str | None = None
    phone: str | None = None
    started_at: str | None = None
    tolerance_seconds: int = TOLERANCE


class CallEvaluationsConnection(FilesConnection):
    """A folder of exports, whose mapping has the block `call`."""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The mapping's file. Raises ValueError where it is none."""
        file = at_root(self.mapping)
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{file} cannot be read: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise ValueError(f"{file} is no YAML") from None
        if not isinstance(found, dict) or not isinstance(found.get("call"), dict):
            raise ValueError(f"{file} has no block `call`, which says how a row names its call")
        return found

    @cached_property
    def call(self) -> CallBlock:
        """How a row names its call."""
        try:
            return CallBlock.model_validate(self.document["call"])
        except ValidationError as error:
            raise ValueError(_said("call", error)) from None

    @cached_property
    def columns(self) -> FileMapping:
        """The mapping, with the call beside the evaluation."""
        call: dict[str, Any] = {name: {"const": ""} for name in _NEEDED}
        for part, column in _PLACES.items():
            header = getattr(self.call, part)
            if header:
                how = {"started_at": "timestamp"}.get(part, "text")
                call[column] = {"from": header, "as": how}
        document = {key: it for key, it in self.document.items() if key != "call"}
        columns = {**(document.get("columns") or {}), "call_id": {"const": ""}}
        try:
            return FileMapping.model_validate(
                {
                    **document,
                    "connection": self.name,
                    "columns": columns,
                    "extra_tables": [{"table": _CALLS, "columns": call}],
                }
            )
        except ValidationError as error:
            raise ValueError(_said(self.mapping, error)) from None


class CallEvaluations(Files):
    """Files of call evaluations."""

    kind: ClassVar[str] = "call_evaluations"
    title: ClassVar[str] = "Call evaluations (files)"
    page: ClassVar[str] = "call_evaluations.md"
    source: ClassVar[str] = "telephony"
    tables: ClassVar[Sequence[str]] = (TABLE,)
    private_tables: ClassVar[Mapping[str, Sequence[str]]] = PRIVATE_TABLES
    config: ClassVar[type[Connection]] = CallEvaluationsConnection

    def read(self) -> Iterator[Window]:
        """Evaluations whose call has come since, then each file that was never loaded."""
        self.folder_of(self.connection)
        placer = Placer(self.work, self._legs())
        yield placer.retry()
        known = dict(self.work.state.get(_FILES) or {})
        files = self._files()
        for number, file in enumerate(files, 1):
            digest = hashlib.sha256(self._content(file)).hexdigest()
            if digest in known and not self.work.slice.is_named:
                continue
            found = self._read_file(file)
            self._rejected(file, digest, found)
            self._account(file, found)
            known[digest] = file.name
            rows = placer.place(self._evaluations(found))
            yield Window(file.name, rows, {_FILES: dict(known)}, number / len(files))

    def check(self) -> Iterator[Finding]:
        """The preview of the newest file, and how many of its calls are there."""
        yield from super().check()
        files = self._files()
        if not files:
            return
        evaluations = self._evaluations(self._read_file(files[-1]))
        legs = self._legs().find([it.about for it in evaluations])
        count = sum(it is not None for it in legs)
        yield Finding(
            "good" if count == len(legs) else "note",
            f"{count} of {len(legs)} evaluations have their call in the raw zone",
            "" if count == len(legs) else "They are tried again for 30 days.",
        )
        several = mixed(evaluations)
        if several:
            yield several

    def _legs(self) -> Legs:
        connection = self.connection
        assert isinstance(connection, CallEvaluationsConnection)
        call = connection.call
        return Legs(self.work.own, call.telephony, call.by, call.tolerance_seconds)

    def _evaluations(self, found: Read) -> list[Evaluation]:
        """Rows of the file, each with the call beside it."""
        pairs = zip(found.result.rows[TABLE], found.result.rows[_CALLS], strict=True)
        return [
            Evaluation(
                json.dumps([values, call], ensure_ascii=False, sort_keys=True),
                _about(call),
                {name: it for name, it in values.items() if name != "call_id" and it is not None},
            )
            for values, call in pairs
        ]


def _about(call: Row) -> About:
    return About(
        call.get("call_id") or None,
        call.get("linked_id") or None,
        call.get("recording_url") or None,
        call.get("from_number") or None,
        _moment(call.get("started_at")),
    )


def _moment(written: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return found if found.tzinfo else None


def _said(where: str, error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in it['loc'])}: {it['msg'].removeprefix('Value error, ')}"
        for it in error.errors(include_url=False)
    ]
    return f"{where}: {'; '.join(problems)}"


CONNECTORS = (CallEvaluations,)
