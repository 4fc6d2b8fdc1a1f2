"""What the tests of telephony kinds share: expected rows, and what people talked in the end."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.connectors.zone import current


def expected(file: Path) -> dict[str, dict[str, str | None]]:
    """The rows that the specification gives for a sample; an empty field is NULL."""
    with file.open(encoding="utf-8") as lines:
        rows = [{name: value or None for name, value in it.items()} for it in csv.DictReader(lines)]
    return {str(row["call_id"]): row for row in rows}


def calls(raw: Path) -> dict[str, dict[str, Any]]:
    return {str(row["call_id"]): row for row in current(raw, "telephony.calls").values()}


def manager_rows(raw: Path) -> dict[str, str]:
    return {
        row["extension"]: row["manager_id"] for row in current(raw, "telephony.extensions").values()
    }


def talked(raw: Path) -> dict[tuple[str, str], tuple[bool, int]]:
    """By direction and customer: whether somebody answered, and the seconds.

    As the contract counts: legs without an extension count only where a conversation has no other.
    """
    sessions: dict[str, list[dict[str, Any]]] = {}
    for row in calls(raw).values():
        if row["direction"] != "internal":
            sessions.setdefault(row["linked_id"], []).append(row)
    found: dict[tuple[str, str], tuple[bool, int]] = {}
    for legs in sessions.values():
        legs.sort(key=lambda it: (it["started_at"], it["call_id"]))
        with_person = [it for it in legs if it["extension"]] or legs
        first = legs[0]
        way = first["direction"]
        customer = str(first["from_number" if way == "in" else "to_number"]).lstrip("+")
        answered = any(it["disposition"] == "answered" for it in with_person)
        seconds = sum(int(it["talk_seconds"]) for it in with_person)
        assert (way, customer) not in found
        found[way, customer] = (answered, seconds)
    return found


def write_managers(raw: Path, rows: Iterable[tuple[str, str | None, str | None]]) -> None:
    """A file of crm.managers, as a CRM's connection or an exporter leaves it."""
    folder = raw / "crm/managers"
    folder.mkdir(parents=True, exist_ok=True)
    ids, emails, deleted = zip(*rows, strict=True)
    stamps = pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * len(ids), pa.timestamp("us", "UTC"))
    gone = pa.array(deleted, pa.string())
    table = pa.table({"manager_id": ids, "email": emails, "is_deleted": gone, "_loaded_at": stamps})
    pq.write_table(table, folder / "crm.parquet")


def met(found: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether these calls are there, no others, and every field that is wanted is as wanted."""
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert {name: found[key][name] for name in row} == row
    return True


# What `talked` finds of the calls of the small company, whichever exchange they went through.
COMPANY_TALK = {
    ("in", "79990000001"): (True, 171),
    ("in", "79990000002"): (False, 0),
    ("out", "79990000002"): (True, 95),
    ("out", "79990000003"): (False, 0),
    ("in", "79990000003"): (True, 60),
    ("in", "79990000004"): (False, 0),
}
