"""Call evaluations from a file, by the specification's mapping."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

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


def change_mapping(place: Place, **more: Any) -> None:
    file = place.root / "incoming/mapping.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    columns = {**document["columns"], **more.pop("columns", {})}
    document = {**document, "columns": columns, **more}
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def test_forms_limit_a_file_to_one_checklist(place: Place) -> None:
    connect(place)
    change_mapping(place, form="Чек-лист", forms=["входящий *"])
    report = place.good(now=NOW).report
    found = all_rows(place.raw, TABLE)
    assert {(it["call_id"], it["score"]) for it in found} == {
        ("uis:700001", "85.00"), ("uis:700001", "70.00")
    }  # fmt: skip
    assert report.counted["evaluations by another checklist: Исходящий звонок"] == 2
    assert report.fetched["call_evaluations_export.csv"] == 4
    notes = [it.details for it in check(place.settings(NOW), "salesai") if "several" in it.text]
    assert notes == [["evaluators: people and machines"]]


def test_without_forms_a_check_names_the_checklists_of_a_file(place: Place) -> None:
    connect(place)
    change_mapping(place, form="Чек-лист")
    (found,) = [it for it in check(place.settings(NOW), "salesai") if "several" in it.text]
    assert found.details[0] == "checklists: Входящий звонок, Исходящий звонок"


def test_columns_of_a_file_are_criteria_of_flags(place: Place) -> None:
    """By name with `*`, or by the number of the column; `all` needs each that says something."""
    connect(place)
    change_mapping(place, columns={
        "needs_found": {"criteria": ["Выявил*", "Отработал*"], "rule": "all"},
        "presentation_made": {"criteria": [11]},
        "next_step_agreed": {"criteria": ["договорился *", "Выявил*"]},
    })  # fmt: skip
    place.good(now=NOW)
    names = ("score", "needs_found", "presentation_made", "next_step_agreed")
    found = {tuple(it[name] for name in names) for it in all_rows(place.raw, TABLE)}
    assert found == {
        ("85.00", "true", "true", "true"),
        ("70.00", "true", "false", "true"),
        ("92.00", "false", "true", "true"),
        ("110.00", "true", "true", "true"),
    }


def test_rows_that_are_criteria_of_one_evaluation_are_one(place: Place) -> None:
    lines = ["ID;Оценено;Балл;Критерий;Очки;Макс",
             "700001;23.11.2026 10:20;80;Выявил потребность;2;3",
             "700001;23.11.2026 10:20;80;Следующий шаг;1;3",
             "700002;23.11.2026 11:20;40;Выявил потребность;1;2"]  # fmt: skip
    connect(place)
    folder = place.root / "incoming"
    (folder / "points.csv").write_text("\n".join(lines), encoding="utf-8")
    document = {
        "table": TABLE, "files": ["points.csv"],
        "values": {"timezone": "Europe/Moscow", "date_order": "dmy"},
        "call": {"telephony": "uis", "by": ["linked_id"], "linked_id": "ID"},
        "criteria": {"name": "Критерий", "score": "Очки", "maximum": "Макс"},
        "columns": {
            "evaluated_at": {"from": "Оценено", "as": "timestamp"},
            "score": {"from": "Балл", "as": "score"},
            "needs_found": {"criteria": ["Выявил*"]},
            "next_step_agreed": {"criteria": ["Следующий шаг"]},
        },
    }  # fmt: skip
    mapping = folder / "mapping.yaml"
    mapping.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    place.good(now=NOW)
    found = {
        it["call_id"]: (it["needs_found"], it["next_step_agreed"])
        for it in all_rows(place.raw, TABLE)
    }
    assert found == {"uis:700001": ("true", "false"), "uis:700002": ("false", None)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"forms": ["Входящий"]}, "forms: needs form"),
        ({"form": "Анкета"}, "form: there is no Анкета"),
        ({"columns": {"score": {"criteria": ["x"]}}}, "criteria make flags"),
        ({"columns": {"needs_found": {"criteria": ["x"], "rule": "most"}}}, "any"),
        ({"call": {"telephony": "uis", "by": ["recording"]}}, "by has recording, which needs"),
        ({"table": "crm.deals"}, "crm.deals"),
    ],
)
def test_what_does_not_fit_in_a_mapping_is_said_in_one_line(
    place: Place, change: dict[str, Any], said: str
) -> None:
    connect(place)
    change_mapping(place, **change)
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert said in outcome.failure.message
    assert "\n" not in outcome.failure.message
    assert all_rows(place.raw, TABLE) == []


def test_points_without_a_maximum_above_a_hundred_stay_as_typed(place: Place) -> None:
    connect(place)
    change_mapping(place, columns={"score": {"from": "Максимум", "as": "score", "map": None}})
    file = place.root / "incoming/call_evaluations_export.csv"
    text = file.read_text(encoding="utf-8-sig").replace(";110;100;", ";1;110;")
    file.write_text(text, encoding="utf-8")
    place.good(now=NOW)
    assert {it["score"] for it in all_rows(place.raw, TABLE)} == {"10.00", None, "110"}


def test_the_sample_checklist_gives_flags() -> None:
    file = FOLDER / "call_evaluations_checklist_points.json"
    insights = json.loads(file.read_text(encoding="utf-8"))["insights"]
    criteria = [Criterion(it["criterion_name"], str(it["score"])) for it in insights]
    names = ("Выяв*потребност*", "Следующий шаг", "Презентация", "Доля речи*")
    flags = [FlagRule(criteria=[it]).of(criteria) for it in names]
    assert flags == ["true", "false", None, "true"]
