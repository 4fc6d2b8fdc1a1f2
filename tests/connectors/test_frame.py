"""The frame without a system: loading, waiting, locking, reporting, progress, stopping."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.base.errors import VoronkaError
from orchestration.connectors.clock import Clock, Stamps
from orchestration.connectors.connector import ALWAYS, Window
from orchestration.connectors.errors import Refused, TryLater
from orchestration.connectors.http import Again, Answer, Http, Pace, later, refuse
from orchestration.connectors.loading import Loader
from orchestration.connectors.lock import only_run
from orchestration.connectors.own_rows import OwnRows
from orchestration.connectors.registry import all_kinds
from orchestration.connectors.report import Report
from orchestration.connectors.run import Progress, run, statuses
from orchestration.connectors.secrets import Mask
from orchestration.connectors.zone_files import file_name, loaded_at
from tests.connectors import child
from tests.connectors.adapter import FIRST
from tests.connectors.adapters.amocrm import Amocrm
from tests.connectors.conftest import Place
from tests.connectors.zone import CONTRACT, all_rows, current
from tests.standins.clock import LONG, TestClock
from tests.standins.company import at, small_company
from tests.standins.server import Reply, Request, StandIn, json_reply

# Every eleventh change of a file; all of them take two minutes.
KILL_STEP = 11
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def lead(number: int, stamp: datetime = NOW, **values: str) -> dict[str, Any]:
    return {"lead_id": str(number), "created_at": "2026-01-01", "_loaded_at": stamp, **values}


def open_loader(root: Path, clock: Clock | None = None, report: Report | None = None) -> Loader:
    kind = all_kinds()["amocrm"]
    raw = str(root / "raw")
    own = OwnRows(raw, "toy", CONTRACT, kind.private_tables)
    report = report or Report("toy", "amocrm", NOW)
    return Loader(kind, "toy", root / "data/connections/toy", raw, own, report,
                  clock or TestClock(NOW))  # fmt: skip


def toy_load(root: Path) -> None:
    """A load of three packages, going on from the state; in a process of its own it is killed."""
    loader = open_loader(root, TestClock(NOW, tick=LONG))
    for number in range(int(loader.state.get("next", 0)), 3):
        rows = [lead(number * 2 + it) for it in range(2)]
        loader.add(Window("toy", {"crm.leads": rows}, {"next": number + 1}))
    loader.commit()
    loader.close()


def test_a_load_killed_at_any_change_of_a_file_loses_nothing(tmp_path: Path) -> None:
    wanted = {(str(number),) for number in range(6)}
    number, step, killed = 1, KILL_STEP, 0
    while True:
        root = tmp_path / str(number)
        code = child.call_killed_at_file(root, number, "tests.connectors.test_frame", "toy_load")
        toy_load(root)
        assert current(root / "raw", "crm.leads").keys() == wanted, f"killed at change {number}"
        assert not [it for it in (root / "raw").rglob("*") if it.name.endswith(".tmp")]
        if code == 0:
            break
        assert code == -9
        killed += 1
        number += step
    assert killed > 10


def test_a_zone_that_cannot_be_written_keeps_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/crm").write_text("in the way")
    loader = open_loader(tmp_path)
    loader.add(Window("toy", {"crm.leads": [lead(1)]}, {"next": 1}))
    with pytest.raises(TryLater, match="toy: the raw zone could not be written") as caught:
        loader.commit()
    assert "was read waits" in caught.value.remedy
    (tmp_path / "raw/crm").unlink()
    loader = open_loader(tmp_path)
    assert loader.state == {"next": 1}
    assert current(tmp_path / "raw", "crm.leads").keys() == {("1",)}


def test_files_have_the_contracts_columns_as_text_and_no_others(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    loader = open_loader(tmp_path)
    loader.add(Window("toy", {"crm.leads": [lead(1, no_column="x")]}))
    loader.commit()
    (file,) = (tmp_path / "raw/crm/leads").iterdir()
    assert file.name.startswith("toy-20260301T000000.000000Z-")
    schema = pq.read_schema(file)
    assert set(schema.names) == {it.name for it in CONTRACT.tables["crm.leads"].columns}
    types = {str(it.type) for it in schema if it.name != "_loaded_at"}
    assert types == {"string"}
    assert str(schema.field("_loaded_at").type) == "timestamp[us, tz=UTC]"
    assert sorted(it.name for it in (tmp_path / "raw").iterdir()) == ["crm"]


def test_rows_that_have_not_changed_are_not_written_again(tmp_path: Path) -> None:
    for rows, since, written in (
        ([lead(1), lead(2)], ALWAYS, 2),
        ([lead(1), lead(2, source_id="x")], ALWAYS, 1),
        ([lead(1), lead(2)], ALWAYS, 1),
        ([lead(1)], None, 1),
    ):
        stamp = NOW + timedelta(seconds=len(all_rows(tmp_path / "raw", "crm.leads")))
        loader = open_loader(tmp_path)
        stamped = [{**it, "_loaded_at": stamp} for it in rows]
        before = len(all_rows(tmp_path / "raw", "crm.leads"))
        loader.add(Window("toy", {"crm.leads": stamped}, known_since=since))
        loader.commit()
        assert len(all_rows(tmp_path / "raw", "crm.leads")) - before == written


ODD = (
    "it's",
    'a "word"',
    "back\\slash",
    "a\nb\tc",
    "\0",
    "😀",
    "\u2028",
    "{}",
    "[null]",
    "nan",
    "",
)


@pytest.mark.parametrize("since", [None, ALWAYS])
def test_any_text_is_written_as_it_came_and_known_again(
    tmp_path: Path, since: datetime | None
) -> None:
    rows = [lead(number, rejection_reason=text) for number, text in enumerate(ODD)]
    for written in (len(ODD), 0 if since else len(ODD)):
        report = Report("toy", "amocrm", NOW)
        loader = open_loader(tmp_path, report=report)
        loader.add(Window("toy", {"crm.leads": rows}, known_since=since))
        loader.commit()
        found = current(tmp_path / "raw", "crm.leads")
        assert [found[str(it),]["rejection_reason"] for it in range(len(ODD))] == list(ODD)
        assert report.written["crm.leads"] == written


@pytest.mark.parametrize("since", [None, ALWAYS])
def test_half_a_character_is_replaced_and_counted(tmp_path: Path, since: datetime | None) -> None:
    half = [lead(1, rejection_reason="cut \ud83d"), lead(2, rejection_reason="whole 😀")]
    for rows in ([lead(1, NOW - timedelta(days=1))], half):
        report = Report("toy", "amocrm", NOW)
        loader = open_loader(tmp_path, report=report)
        loader.add(Window("toy", {"crm.leads": rows}, known_since=since))
        loader.commit()
    found = current(tmp_path / "raw", "crm.leads")
    assert found["1",]["rejection_reason"] == "cut ?"
    assert found["2",]["rejection_reason"] == "whole 😀"
    assert report.counted == {"crm.leads: halves of characters, replaced": 1}
    assert report.written["crm.leads"] == 2


def test_a_large_window_knows_its_rows_too(tmp_path: Path) -> None:
    rows = [lead(number) for number in range(6_000)]
    report = Report("toy", "amocrm", NOW)
    loader = open_loader(tmp_path, report=report)
    loader.add(Window("toy", {"crm.leads": rows}))
    loader.commit()
    loader.add(Window("toy", {"crm.leads": [*rows, lead(6_000)]}, known_since=ALWAYS))
    loader.commit()
    assert report.unchanged["crm.leads"] == 6_000
    assert report.written["crm.leads"] == 6_001


def test_a_row_that_comes_back_is_newer_than_its_deletion(tmp_path: Path) -> None:
    loader = open_loader(tmp_path)
    times = ("2026-02-01T00:00:00Z", "2026-02-03T00:00:00Z")
    grave = {"lead_id": "1", "is_deleted": "true", "updated_at": times[1], "_loaded_at": NOW}
    loader.add(Window("toy", {"crm.leads": [lead(1, updated_at=times[0]), grave]}))
    loader.commit()
    assert current(tmp_path / "raw", "crm.leads") == {}
    loader = open_loader(tmp_path)
    loader.add(Window("toy", {"crm.leads": [lead(1, updated_at=times[0])]}))
    loader.commit()
    found = current(tmp_path / "raw", "crm.leads")["1",]
    assert found["updated_at"] == "2026-02-03T00:00:00.000001Z"


def test_another_connections_files_are_not_ours(tmp_path: Path) -> None:
    folder = tmp_path / "raw/crm/leads"
    loader = open_loader(tmp_path)
    loader.add(Window("toy", {"crm.leads": [lead(1)]}))
    loader.commit()
    (own,) = folder.iterdir()
    own.rename(folder / own.name.replace("toy-", "toys-"))
    assert OwnRows(str(tmp_path / "raw"), "toy", CONTRACT, {}).files("crm.leads") == []


@pytest.mark.parametrize("name", ["toy-x.parquet", "toy.parquet", "toy-20260301T000000Z-a.parquet"])
def test_a_name_that_is_not_of_our_making_is_no_file_of_ours(name: str) -> None:
    assert loaded_at(name, "toy") is None
    assert loaded_at(file_name("toy", NOW, "a"), "toy") == NOW


def test_stamps_only_grow() -> None:
    clock = TestClock(NOW)
    stamps = Stamps(clock)
    first, second = stamps.next(), stamps.next()
    clock.fixed = NOW - timedelta(days=1)
    third = stamps.next()
    assert first == NOW < second < third


def test_a_pace_allows_so_many_requests_in_any_second() -> None:
    clock = TestClock(NOW)
    pace = Pace(5, clock)
    times = []
    for _ in range(12):
        pace.wait()
        times.append(clock.monotonic())
    assert times == [0] * 5 + [1] * 5 + [2] * 2
    pace.halve()
    pace.halve()
    begin = clock.monotonic()
    for _ in range(3):
        pace.wait()
    assert clock.monotonic() - begin >= 2


def test_a_burst_comes_at_once_and_again_only_after_the_time_it_stands_for() -> None:
    clock = TestClock(NOW)
    pace = Pace(2, clock, burst=10)
    times = []
    for _ in range(21):
        pace.wait()
        times.append(clock.monotonic())
    assert times == [0] * 10 + [5] * 10 + [10]


class Judged(StandIn):
    """Answers what it was given, in order; the last for ever."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.replies = list(replies)

    def answer(self, request: Request) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def http(standin: StandIn, clock: Clock, judge: Any = lambda answer: None) -> Http:
    mask = Mask()
    mask.hide("a-secret-word")
    return Http("toy", "Toy", standin.address, clock, mask, Report("toy", "toy", NOW),
                Pace(1_000, clock), judge)  # fmt: skip


def test_numbers_are_read_as_they_are_written() -> None:
    answer = Answer(200, {}, '{"price": 0.10, "id": 12345678901234567890}')
    assert str(answer.data["price"]) == "0.10"
    assert answer.data["id"] == 12345678901234567890


def test_an_answer_names_connection_system_endpoint_words_and_no_secret() -> None:
    reply = json_reply({"detail": "key a-secret-word is bad"}, 400)
    with Judged(reply) as standin, pytest.raises(Refused) as caught:
        http(standin, TestClock(NOW)).request("GET", "/things", {"token": "a-secret-word"})
    assert str(caught.value.message) == 'toy: Toy, /things: 400 {"detail": "key *** is bad"}'
    assert caught.value.remedy


def test_the_budget_of_a_request_ends_its_waits() -> None:
    clock = TestClock(NOW)
    with Judged(Reply(503, b"", {"Retry-After": "200"})) as standin, pytest.raises(TryLater):
        http(standin, clock).request("GET", "/")
    assert clock.waits == [200.0]


def test_a_judge_can_ask_again_refuse_or_give_up() -> None:
    def judge(answer: Answer) -> Again | None:
        if answer.text == "1":
            return Again("one", after=3)
        if answer.text == "2":
            raise refuse("Mend it.", "two")
        if answer.text == "3":
            raise later("Wait.")
        return None

    clock = TestClock(NOW)
    with Judged(json_reply(1), json_reply(2)) as standin, pytest.raises(Refused, match="two"):
        http(standin, clock, judge).request("GET", "/")
    assert clock.waits == [3]
    with Judged(json_reply(3)) as standin, pytest.raises(TryLater):
        http(standin, clock, judge).request("GET", "/")
    with Judged(json_reply(1), json_reply(4)) as standin:
        assert http(standin, clock, judge).request("GET", "/").data == 4


def test_a_redirect_is_not_followed_with_the_token() -> None:
    moved = Reply(302, b"", {"Location": "https://elsewhere.example/"})
    with Judged(moved) as standin, pytest.raises(Refused, match="it has moved to https://elsewh"):
        http(standin, TestClock(NOW)).request("GET", "/")


def test_a_report_refuses_rows_that_are_not_accounted_for() -> None:
    report = Report("toy", "toy", NOW)
    report.account("calls", fetched=3, mapped=1, pending=1, rejected=1)
    with pytest.raises(VoronkaError, match="of 3 rows of calls 1 were mapped"):
        report.account("calls", fetched=3, mapped=1)


def test_who_holds_a_connection_is_named(tmp_path: Path) -> None:
    with only_run("toy", tmp_path), pytest.raises(TryLater, match="toy is being read already"):
        only_run("toy", tmp_path).__enter__()
    with only_run("toy", tmp_path):
        assert (tmp_path / "holder.json").exists()
    assert not (tmp_path / "holder.json").exists()


def test_a_changed_prefix_is_refused(place: Place) -> None:
    adapter = Amocrm()
    with adapter.standin(small_company()) as standin:
        place.connect("shop", adapter.keys(standin), adapter.secrets())
        place.good(now=FIRST)
        place.connect("shop", {**adapter.keys(standin), "prefix": "b-"}, adapter.secrets())
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "every row would come again" in outcome.failure.message


def test_a_connection_that_fails_does_not_stop_the_others(place: Place) -> None:
    adapter = Amocrm()
    with adapter.standin(small_company()) as standin:
        keys = adapter.keys(standin)
        place.connect("bad", {**keys, "prefix": "b-", "long_lived_token": "env:NOT_SET"}, {})
        place.connect("good", keys, adapter.secrets())
        outcomes = run(place.settings(FIRST), clock=TestClock(FIRST))
    assert [it.exit_code for it in outcomes] == [2, 0]
    assert current(place.raw, "crm.deals")


def test_a_stop_keeps_what_was_read_and_the_next_run_goes_on(place: Place) -> None:
    adapter = Amocrm()
    with adapter.standin(small_company()) as standin:
        place.connect("shop", adapter.keys(standin), adapter.secrets())
        seen: list[Progress] = []

        def stop(progress: Progress) -> None:
            seen.append(progress)
            if progress.what.startswith("/contacts"):
                raise KeyboardInterrupt

        (outcome,) = run(place.settings(FIRST), clock=TestClock(FIRST), watch=stop)
        assert outcome.exit_code == 130
        assert len(current(place.raw, "crm.contacts")) == 4
        asked = len(standin.requests)
        place.good(now=FIRST)
        again = [it.query for it in standin.requests[asked:] if it.path == "/api/v4/contacts"]
        # Only from where it was: the window after the one that was read, and the deleted ones.
        assert len(again) == 2
    assert seen[-1].rows > 0
    assert 0 < seen[-1].done < 1


def test_progress_says_when_about_it_is_done() -> None:
    assert Progress("toy", "x", 10, 1, 0.25, 30).seconds_left == 90
    assert Progress("toy", "x", 10, 1, 0.0, 30).seconds_left is None


def test_the_report_of_a_run_is_one_file_beside_those_before(place: Place) -> None:
    adapter = Amocrm()
    with adapter.standin(small_company()) as standin:
        place.connect("shop", adapter.keys(standin), adapter.secrets())
        place.good(now=FIRST)
        place.good(now=at(8, 1))
    directory = place.data / "connections/shop"
    assert len(list((directory / "runs").iterdir())) == 2
    first = json.loads(sorted((directory / "runs").iterdir())[0].read_text())
    assert first["written"]["crm.deals"] == 5
    assert first["requests"]["/account"] == 1
    assert json.loads((directory / "last.json").read_text())["written"] == {}


@pytest.mark.parametrize(
    ("last", "reached"),
    [
        ({}, ""),
        ({"reached": {}, "window": "a.csv"}, "a.csv"),
        ({"reached": {"deals": "2026-03-10T09:00:00+03:00", "leads": "2026-03-11T00:00:00+00:00"},
          "window": "leads"}, "2026-03-10 06:00"),
        # Unix seconds, and an id that is no time.
        ({"reached": {"/leads": "1773122400", "crm.stagehistory.list 2": "51840001"}},
         "2026-03-10 06:00"),
    ],
)  # fmt: skip
def test_a_list_says_how_far_a_connection_got(
    place: Place, last: dict[str, Any], reached: str
) -> None:
    place.connect("sheet", {"kind": "files", "folder": "in", "mapping": "m.yaml"}, {})
    (status,) = statuses(place.settings(FIRST))
    assert replace(status, last=last).reached == reached
