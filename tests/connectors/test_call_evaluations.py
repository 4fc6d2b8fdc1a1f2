"""Call evaluations from a file, by the specification's mapping."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime
from typing import Any

from orchestration.connectors.evaluations import Criterion, FlagRule
from orchestration.connectors.run import check
from tests.connectors.adapter import SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.test_evaluations import SESSION, put_calls
from tests.connectors.zone import all_rows, current

FOLDER = SAMPLES / "call_evaluations"
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TABLE = "telephony.call_evaluations"


def connect(place: Place) -> None:
    place.root.mkdir(parents=True)
    folder = place.root / "incoming"
    shutil.copytree(FOLDER, folder)
    keys: dict[str, Any] = {"kind": "call_evaluations", "folder": str(folder),
                            "mapping": str(folder / "mapping.yaml")}  # fmt: skip
    place.connect("salesai", keys, {})


def test_the_sample_export_gives_the_rows_of_the_specification(place: Place) -> None:
    connect(place)
    # The sample's conversation, under the leg that the specification names.
    rows = [{**it, "linked_id": "uis:700001"} for it in SESSION]
    put_calls(place.raw, [*rows[:2], {**rows[2], "call_id": "uis:9100003"}])
    place.good(now=NOW)
    with (FOLDER / "expected.csv").open(encoding="utf-8") as file:
        wanted = [{key: it or None for key, it in row.items()} for row in csv.DictReader(file)]
    columns = [name for name in wanted[0] if name not in ("note", "call_id")]
    found = {row["evaluated_at"]: row for row in all_rows(place.raw, TABLE)}
    assert len(found) == len(wanted)
    for row in wanted:
        own = found[row["evaluated_at"]]
        assert {name: own[name] for name in columns} == {name: row[name] for name in columns}
        if row["call_id"] == "unmatched:<16 hex>":
            assert len(own["call_id"]) == len("unmatched:") + 16
        else:
            assert own["call_id"] == row["call_id"]
    assert current(place.raw, TABLE)["uis:9100003",]["evaluator"] == "human"


def test_a_file_is_read_once_and_its_calls_may_come_later(place: Place) -> None:
    connect(place)
    place.good(now=NOW)
    assert ("uis:700001",) in current(place.raw, TABLE)
    assert place.good(now=NOW).report.written == {}
    put_calls(place.raw, [{**it, "linked_id": "uis:700001"} for it in SESSION])
    place.good(now=NOW)
    keys = current(place.raw, TABLE).keys()
    assert ("uis:3",) in keys
    assert ("uis:700001",) not in keys


def test_a_check_says_how_many_calls_are_there_and_who_judges(place: Place) -> None:
    connect(place)
    found = [it.text for it in check(place.settings(NOW), "salesai")]
    assert "0 of 4 evaluations have their call in the raw zone" in found
    assert "Calls may have several evaluations, of which the latest counts" in found


def test_a_mapping_without_the_block_call_is_refused(place: Place) -> None:
    connect(place)
    mapping = place.root / "incoming/mapping.yaml"
    text = mapping.read_text(encoding="utf-8")
    mapping.write_text(text.replace("call:  ", "# call:  ").replace("\n  by:", "\n# by:"))
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2


def test_the_sample_checklist_gives_flags() -> None:
    file = FOLDER / "call_evaluations_checklist_points.json"
    insights = json.loads(file.read_text(encoding="utf-8"))["insights"]
    criteria = [Criterion(it["criterion_name"], str(it["score"])) for it in insights]
    names = ("Выяв*потребност*", "Следующий шаг", "Презентация", "Доля речи*")
    flags = [FlagRule(criteria=[it]).of(criteria) for it in names]
    assert flags == ["true", "false", None, "true"]
