"""What was paid for: each evaluation is on the disk before the next call is sent.

A line in the data directory for each, and Parquet files of many in the raw zone. The lines become
the same file under the same name however often they are written, so that a run which was killed
between the two repeats nothing and loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.base.errors import WrongUse, disk_full, is_disk_full
from orchestration.base.files import sync
from orchestration.call_evaluations.answers import Evaluation
from orchestration.call_evaluations.prompt import FLAGS
from orchestration.call_evaluations.selection import FOLDER, WRITER, Candidate
from orchestration.connectors.clock import TICK
from orchestration.connectors.errors import TryLater
from orchestration.connectors.zone_files import file_name, put_file

# A folder that the raw zone does not look into.
QUOTES = f"{FOLDER}/_quotes"


@dataclass(frozen=True)
class Journal:
    """The lines of one data directory, and the raw zone that they go to."""

    file: Path
    raw_zone: str

    @classmethod
    def of(cls, directory: Path, raw_zone: str) -> Journal:
        """The journal of one raw zone: what is meant for another stays where it is."""
        zone = hashlib.sha256(raw_zone.encode()).hexdigest()[:8]
        return cls(directory / f"journal-{zone}.jsonl", raw_zone)

    def add(
        self, candidate: Candidate, evaluator: str, evaluation: Evaluation, at: datetime
    ) -> None:
        """Write one evaluation down; it is on the disk when this returns."""
        line = {
            "call_id": candidate.call_id,
            "evaluator": evaluator,
            "at": at.isoformat(),
            "updated_at": _written(candidate.updated_at),
            "score": str(evaluation.score),
            "evidence": [
                {"flag": it.flag, "said": it.said, "quote": it.quote, "is_found": it.is_found,
                 "value": it.value}
                for it in evaluation.evidence
            ],
            "stays": _plain(candidate.stays) if candidate.stays else None,
        }  # fmt: skip
        self.file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(line, ensure_ascii=False) + "\n"
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def flush(self) -> int:
        """Bring the lines into the raw zone; how many there were. Raises where it is not writable.

        The lines stay where that fails: the next run brings them.
        """
        lines = list(self._lines())
        if not lines:
            self.file.unlink(missing_ok=True)
            return 0
        last = max(_instant(line["at"]) for line in lines)
        name = file_name(WRITER, last + TICK, "0")
        try:
            self._put(QUOTES, name, _quotes(lines))
            self._put(FOLDER, name, _rows(lines))
            self.file.unlink()
            sync(self.file.parent)
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(error, self.file.parent) from error
            raise TryLater(
                f"The raw zone {self.raw_zone} cannot be written: {error.strerror or error}.",
                f"Let this user write there; {len(lines)} evaluations wait in {self.file}.",
            ) from error
        return len(lines)

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            written = self.file.read_bytes()
        except FileNotFoundError:
            return
        # The last line of a machine that stopped may be cut; it was never acted upon.
        for line in written.split(b"\n")[:-1]:
            try:
                yield json.loads(line)
            except ValueError as error:
                raise WrongUse(
                    f"{self.file} is damaged.",
                    "Move it away; the calls whose lines it has are evaluated again.",
                ) from error

    def _put(self, folder: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _quote_schema(pa) if folder == QUOTES else _row_schema(pa)
        with tempfile.TemporaryDirectory(dir=self.file.parent) as directory:
            draft = f"{directory}/{name}"
            pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), draft)
            put_file(draft, self.raw_zone, folder, name)


def _rows(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in lines:
        at = _instant(line["at"])
        found.append(
            {
                "call_id": line["call_id"],
                "evaluated_at": at,
                "evaluator": line["evaluator"],
                "score": Decimal(line["score"]),
                **{it["flag"]: it["value"] for it in line["evidence"]},
                "updated_at": _optional_instant(line["updated_at"]),
                "_loaded_at": at,
            }
        )
        stays = line["stays"]
        if stays:
            # The same row again, later than ours: what a person said stays the current version.
            found.append(
                {
                    **stays,
                    "score": Decimal(stays["score"]),
                    "evaluated_at": _instant(stays["evaluated_at"]),
                    "updated_at": None,
                    "_loaded_at": at + TICK,
                }
            )
    return found


def _quotes(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "call_id": line["call_id"],
            "evaluator": line["evaluator"],
            "evaluated_at": _instant(line["at"]),
            **evidence,
        }
        for line in lines
        for evidence in line["evidence"]
    ]


def _row_schema(pa: Any) -> Any:
    instant = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("call_id", pa.string()),
            ("evaluated_at", instant),
            ("evaluator", pa.string()),
            ("score", pa.decimal128(18, 4)),
            *((flag, pa.bool_()) for flag in FLAGS),
            ("updated_at", instant),
            ("_loaded_at", instant),
        ]
    )


def _quote_schema(pa: Any) -> Any:
    return pa.schema(
        [
            ("call_id", pa.string()),
            ("evaluator", pa.string()),
            ("evaluated_at", pa.timestamp("us", tz="UTC")),
            ("flag", pa.string()),
            ("value", pa.bool_()),
            ("said", pa.bool_()),
            ("quote", pa.string()),
            ("is_found", pa.bool_()),
        ]
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Decimals and instants as texts, for a line of JSON."""
    return {
        name: value if value is None or isinstance(value, (bool, str)) else _written(value)
        for name, value in row.items()
    }


def _written(value: Any) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _optional_instant(text: str | None) -> datetime | None:
    return _instant(text) if text else None
