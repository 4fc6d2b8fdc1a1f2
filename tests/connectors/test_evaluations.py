"""Which leg an evaluation is about, what its score and flags are, and what waits for its call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.base.settings import Settings
from orchestration.connectors.clock import Stamps
from orchestration.connectors.connector import Window, Work
from orchestration.connectors.evaluations import (
    PRIVATE_TABLES,
    SEEN,
    TABLE,
    About,
    Criterion,
    Evaluation,
    FlagRule,
    Legs,
    Placer,
    Way,
    flag_of,
    identity_of,
    mixed,
    score_of,
)
from orchestration.connectors.kinds.amocrm import CONNECTORS
from orchestration.connectors.loading import Loader
from orchestration.connectors.own_rows import OwnRows
from orchestration.connectors.report import Report
from orchestration.connectors.secrets import Mask
from tests.connectors.zone import CONTRACT, all_rows, current
from tests.reference.phones import phone_identity
from tests.standins.clock import TestClock

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEN = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
ALL: Sequence[Way] = ("call_id", "linked_id", "recording", "phone_time")


def leg(call_id: str, linked: str | None, after: int, talk: int, **more: Any) -> dict[str, Any]:
    return {
        "call_id": call_id, "linked_id": linked, "direction": "in", "from_number": "79990000001",
        "to_number": "74990000100", "disposition": "answered" if talk else "no_answer",
        "started_at": (TEN + timedelta(seconds=after)).isoformat(), "talk_seconds": str(talk),
        **more,
    }  # fmt: skip


def put_calls(raw: Path, rows: Sequence[dict[str, Any]], name: str = "uis") -> None:
    """Calls of some telephony, as another connection would write them."""
    columns = [it.name for it in CONTRACT.tables["telephony.calls"].columns]
    arrays = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in columns}
    arrays["_loaded_at"] = pa.array([NOW] * len(rows), pa.timestamp("us", "UTC"))
    folder = raw / "telephony/calls"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays), folder / f"{name}.parquet")


class Judge:
    """A connection that loads evaluations."""

    def __init__(self, root: Path, by: Sequence[Way] = ALL) -> None:
        self.raw, self._root, self._by = root / "raw", root, by
        self.day = 0

    def run(self, *evaluations: Evaluation) -> Report:
        self.day += 1
        now = NOW + timedelta(days=self.day - 1)
        clock = TestClock(now)
        own = OwnRows(str(self.raw), "salesai", CONTRACT, PRIVATE_TABLES)
        report = Report("salesai", "call_evaluations", now)
        loader = Loader(Telephony, "salesai", self._root / "c", str(self.raw), own, report, clock)
        work = Work(Settings(), CONTRACT, clock, Stamps(clock), Mask(), report, own, {})
        placer = Placer(work, Legs(own, "uis", self._by))
        for window in (placer.retry(), Window("all", placer.place(evaluations))):
            for rows in window.rows.values():
                for row in rows:
                    row.setdefault("_loaded_at", work.started_at)
            loader.add(window)
        loader.commit()
        loader.close()
        return report

    def rows(self) -> dict[str, dict[str, Any]]:
        return {key: row for (key,), row in current(self.raw, TABLE).items()}


class Telephony(CONNECTORS[0]):
    source = "telephony"


def evaluation(about: About, score: str = "85.00", source: str = "row", **more: Any) -> Evaluation:
    at = more.pop("at", "2026-11-23T10:20:00+03:00")
    return Evaluation(source, about, {"evaluated_at": at, "score": score, **more})


SESSION = (
    leg("uis:1", "uis:700", 0, 0),
    leg("uis:2", "uis:700", 8, 20),
    leg("uis:3", "uis:700", 30, 170, recording_url="https://media.example/700/a1b2c3"),
)


@pytest.mark.parametrize(
    ("about", "found"),
    [
        (About(call_id="2"), "uis:2"),
        (About(linked_id="700"), "uis:3"),
        (About(recording="a1b2c3"), "uis:3"),
        (About(phone="8 (999) 000-00-01", started_at=TEN), "uis:3"),
        (About(phone="+79990000001", started_at=TEN + timedelta(seconds=210)), "uis:3"),
        (About(phone="+79990000001", started_at=TEN + timedelta(seconds=211)), None),
        (About(phone="+79990000002", started_at=TEN), None),
        (About(linked_id="701", phone="+79990000001", started_at=TEN), "uis:3"),
        (About(linked_id="7"), None),
        (About(), None),
    ],
)
def test_a_leg_is_found_by_id_session_recording_or_phone_and_time(
    tmp_path: Path, about: About, found: str | None
) -> None:
    put_calls(tmp_path, SESSION)
    own = OwnRows(str(tmp_path), "salesai", CONTRACT, {})
    assert Legs(own, "uis", ALL).find([about]) == [found]


def test_the_nearest_answered_conversation_is_the_one(tmp_path: Path) -> None:
    """Nobody judges a call that nobody took, however near it is."""
    put_calls(
        tmp_path,
        [
            leg("uis:1", "uis:700", 0, 0),
            leg("uis:2", "uis:701", 100, 60),
            leg("uis:3", "uis:702", -150, 60),
            leg("pbx:9", "pbx:9", 5, 60),
        ],
    )
    own = OwnRows(str(tmp_path), "salesai", CONTRACT, {})
    about = About(phone="79990000001", started_at=TEN)
    assert Legs(own, "uis", ["phone_time"]).find([about]) == ["uis:2"]


def test_of_legs_with_equal_talk_the_earlier_is_the_conversations(tmp_path: Path) -> None:
    put_calls(tmp_path, [leg("uis:9", "uis:700", 5, 60), leg("uis:1", "uis:700", 6, 60)])
    own = OwnRows(str(tmp_path), "salesai", CONTRACT, {})
    assert Legs(own, "uis", ["linked_id"]).find([About(linked_id="700")]) == ["uis:9"]


def test_without_calls_an_id_makes_the_key_and_a_phone_does_not(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    named, phoned = evaluation(About(linked_id="799"), source="a"), evaluation(
        About(phone="79990000077", started_at=TEN), source="b"
    )  # fmt: skip
    report = judge.run(named, phoned)
    assert judge.rows().keys() == {"uis:799", f"unmatched:{phoned.ident}"}
    assert len(phoned.ident) == 16
    assert report.counted["evaluations without a call"] == 2


def test_an_evaluation_whose_call_comes_later_moves_to_it(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    first = evaluation(About(linked_id="700"), source="a", next_step_agreed="false")
    second = evaluation(
        About(linked_id="700"), "70.00", "b", at="2026-11-24T09:05:00+03:00", evaluator="human"
    )
    by_phone = evaluation(
        About(phone="8 999 000 00 01", started_at=TEN), source="c", at="2026-11-23T10:10:00+03:00"
    )
    judge.run(second, first, by_phone)
    assert judge.rows().keys() == {"uis:700", f"unmatched:{by_phone.ident}"}
    judge.run()
    put_calls(judge.raw, SESSION)
    report = judge.run()
    assert report.counted["evaluations whose call has come"] == 3
    (row,) = judge.rows().items()
    assert row[0] == "uis:3"
    assert (row[1]["score"], row[1]["evaluator"]) == ("70.00", "human")
    assert judge.run().written == {}


def test_an_evaluation_is_tried_again_for_thirty_days(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    judge.run(evaluation(About(linked_id="700"), at="2026-10-27T10:00:00+03:00"))
    put_calls(judge.raw, SESSION)
    judge.run()
    assert judge.rows().keys() == {"uis:3"}
    late = Judge(tmp_path / "late")
    late.run(evaluation(About(linked_id="700"), at="2026-10-24T10:00:00+03:00"))
    put_calls(late.raw, SESSION)
    late.run()
    assert late.rows().keys() == {"uis:700"}


def test_what_was_read_before_is_not_written_again_unless_it_says_something_else(
    tmp_path: Path,
) -> None:
    put_calls(tmp_path / "raw", SESSION)
    judge = Judge(tmp_path)
    old = evaluation(About(linked_id="700"), source="a")
    judge.run(old, evaluation(About(linked_id="700"), "70.00", "b", at="2026-11-24T09:00:00+03:00"))
    report = judge.run(old)
    assert (report.written, report.unchanged[TABLE]) == ({}, 1)
    # The mapping was changed: the same row gives another score.
    assert judge.run(evaluation(About(linked_id="700"), "86.00", "a")).written[TABLE] == 1
    assert judge.rows()["uis:3"]["score"] == "70.00"


def test_an_evaluation_without_a_time_has_that_of_its_first_sight(tmp_path: Path) -> None:
    put_calls(tmp_path / "raw", SESSION)
    judge = Judge(tmp_path)
    once = Evaluation("a", About(linked_id="700"), {"score": "67.00"})
    judge.run(once)
    judge.run(once)
    judge.run(Evaluation("a", About(linked_id="700"), {"score": "68.00"}))
    found = {(it["score"], it["evaluated_at"]) for it in all_rows(judge.raw, TABLE)}
    seen = "2026-11-24T09:00:00+00:00"
    assert found == {("67.00", seen), ("68.00", seen)}
    assert judge.rows()["uis:3"]["score"] == "68.00"


def test_of_two_evaluations_of_one_moment_the_later_read_is_current(tmp_path: Path) -> None:
    put_calls(tmp_path / "raw", SESSION)
    judge = Judge(tmp_path)
    judge.run(*(evaluation(About(linked_id="700"), it, it) for it in ("10.00", "20.00")))
    assert judge.rows()["uis:3"]["score"] == "20.00"
    assert len({it["_loaded_at"] for it in all_rows(judge.raw, TABLE)}) == 2


def test_what_is_remembered_lies_beside_the_contract(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    judge.run(evaluation(About(linked_id="700")))
    assert SEEN.partition(".")[2].startswith("_")
    (row,) = all_rows(judge.raw, SEEN)
    assert row["call_id"] == "uis:700"


@pytest.mark.parametrize(
    ("written", "maximum", "score"),
    [
        ("8,5", "10", "85.00"),
        ("92%", None, "92.00"),
        ("92 %", "5", "92.00"),
        ("67", None, "67.00"),
        ("110", "100", "110.00"),
        ("110", None, "110"),
        ("2", "3", "66.67"),
        ("1", "8", "12.50"),
        ("1,005", None, "1.01"),
        ("good", "10", "good"),
        ("8", "0", "8.00"),
        ("-1", "10", "-10.00"),
        ("", "10", None),
        (None, "10", None),
    ],
)
def test_scores_are_of_a_hundred(
    written: str | None, maximum: str | None, score: str | None
) -> None:
    assert score_of(written, maximum) == score


@pytest.mark.parametrize(
    ("written", "flag"),
    [("да", "true"), ("Нет", "false"), ("YES", "true"), ("1", "true"), ("0", "false"),
     ("н/п", None), ("", None), (None, None), ("maybe", "maybe")],
)  # fmt: skip
def test_flags_are_yes_or_no(written: str | None, flag: str | None) -> None:
    assert flag_of(written) == flag


@pytest.mark.parametrize(
    ("rule", "flag"),
    [
        ({"criteria": ["Выяв*потребност*"]}, "true"),
        ({"criteria": ["следующий  ШАГ"]}, "false"),
        ({"criteria": ["Выяв*", "Следующий шаг"]}, "true"),
        ({"criteria": ["Выяв*", "Следующий шаг"], "rule": "all"}, "false"),
        ({"criteria": ["Презентация"]}, None),
        ({"criteria": ["Презентация", "Выяв*"], "rule": "all"}, "true"),
        ({"criteria": ["Доля речи*"]}, "true"),
        ({"criteria": [12]}, "false"),
        ({"criteria": ["Приветствие"]}, None),
    ],
)
def test_flags_come_from_criteria(rule: dict[str, Any], flag: str | None) -> None:
    criteria = [
        Criterion("Выявление потребностей", "1"),
        Criterion("Следующий шаг", "0"),
        Criterion("Доля речи продавца", "67%"),
        Criterion("Презентация", ""),
        Criterion("Возражения", "5", "10", "12"),
    ]
    assert FlagRule(**rule).of(criteria) == flag


def test_several_checklists_and_kinds_of_judges_are_noticed() -> None:
    one = Evaluation("a", About(), {"evaluator": "ai"}, "Входящий")
    assert mixed([one, one]) is None
    finding = mixed([one, Evaluation("b", About(), {"evaluator": "human"}, "Исходящий")])
    assert finding is not None
    assert finding.details == [
        "checklists: Входящий, Исходящий",
        "evaluators: people and machines",
    ]


@pytest.mark.parametrize(
    "phone",
    ["+7 (999) 000-00-01", "8 999 000 00 55", "79990000001", "9990000001", "8-10-44 20 7946 0000",
     "0044 20 7946 0000", "8 (499) 000-00-01 доб. 12", "000-00-01", "12", "", "доб. 5 999",
     "4990000001x2", "+1,2345678", "x 79990000001", "1234567890123456"],
)  # fmt: skip
def test_a_phone_is_who_the_contract_says(phone: str) -> None:
    assert identity_of(phone) == phone_identity(phone)
