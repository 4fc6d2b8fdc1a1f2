"""What holds for every kind of system: each new one gets these tests by its adapter."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.connectors.registry import all_kinds
from orchestration.connectors.run import check
from tests.connectors import child
from tests.connectors.adapter import FIRST, SECOND, Adapter, ErrorCase, all_adapters
from tests.connectors.conftest import Place, processes
from tests.connectors.test_dagster import job_of
from tests.connectors.zone import CONTRACT, all_rows, tables, whole
from tests.standins.clock import LONG
from tests.standins.company import Company, at, small_company
from tests.standins.server import HTML, Reply, Request, StandIn, json_reply

ADAPTERS = all_adapters()


def with_nightly(adapters: Sequence[Adapter]) -> list[Any]:
    """Parameters of these kinds: the first that builds on each frame, and the others each night.

    For what the frame alone does: a call log, advertising, a table of calls, a CRM.
    """
    frames: set[Any] = set()
    found = []
    for it in adapters:
        frame = (it.connector.source, it.connector.__mro__[1])
        marks = [pytest.mark.nightly] if frame in frames else []
        frames.add(frame)
        found.append(pytest.param(it, id=it.kind, marks=marks))
    return found


def with_variants_nightly(adapters: Sequence[Adapter]) -> list[Any]:
    """Parameters of these kinds: each by day with its usual keys, with other ones each night.

    For what does not depend on which rows the keys ask for.
    """
    seen: set[str] = set()
    found = []
    for it in adapters:
        marks = [pytest.mark.nightly] if it.kind in seen else []
        seen.add(it.kind)
        found.append(pytest.param(it, id=it.kind, marks=marks))
    return found


kinds = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda it: it.kind)
framed = pytest.mark.parametrize("adapter", with_nightly(ADAPTERS))
# Those that make no requests cannot be killed at one.
asking = pytest.mark.parametrize(
    "adapter", with_nightly([it for it in ADAPTERS if it.least_requests is not None])
)
HTTP = [it for it in ADAPTERS if it.paged is not None]
over_http = pytest.mark.parametrize("adapter", with_variants_nightly(HTTP))
framed_over_http = pytest.mark.parametrize("adapter", with_nightly(HTTP))
with_errors = pytest.mark.parametrize(
    ("adapter", "case"),
    [pytest.param(it, case, id=f"{it.kind}: {case.name}") for it in ADAPTERS
     for case in it.errors()],
)  # fmt: skip
crms = pytest.mark.parametrize(
    "adapter", with_variants_nightly([it for it in ADAPTERS if it.connector.source == "crm"])
)
NAME = "shop"


@pytest.fixture
def company() -> Company:
    return small_company()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Place]:
    """Places, as many as a test wants."""
    made: list[Place] = []

    def make() -> Place:
        made.append(Place(tmp_path / f"place{len(made)}", monkeypatch))
        return made[-1]

    return make


def connect(adapter: Adapter, standin: StandIn, *places: Place, **more: Any) -> None:
    """Connect places with the system that the stand-in is; `more` are keys."""
    for place in places:
        place.connect(NAME, {**adapter.keys(standin), **more}, adapter.secrets())


def test_every_kind_is_tested_here() -> None:
    assert {it.kind for it in ADAPTERS} == set(all_kinds())


@asking
def test_a_load_that_ends_at_any_request_and_is_repeated_ends_as_an_undisturbed_one(
    adapter: Adapter, company: Company, fresh: Callable[[], Place]
) -> None:
    """What a SIGKILL at a request leaves is what is on the disk while the request is answered."""
    with adapter.standin(company) as standin:
        good = fresh()
        connect(adapter, standin, good, **adapter.short)
        left: dict[str, Path] = {}

        def keep(request: Request) -> None:
            state = _digest(good.root)
            if state not in left:
                left[state] = good.root.with_name(f"left{len(left)}")
                shutil.copytree(good.root, left[state])

        standin.always = keep
        # A long load: every window is a package of its own.
        good.good(now=at(6, 1), tick=LONG)
        standin.always = None
        wanted = whole(good.raw)
        assert wanted
        assert len(left) > 5
        for copy in left.values():
            place = Place(copy, good.monkeypatch)
            place.good(NAME, now=at(6, 1))
            assert whole(place.raw) == wanted, copy.name


@asking
def test_a_load_killed_again_and_again_ends_as_an_undisturbed_one(
    adapter: Adapter, company: Company, fresh: Callable[[], Place]
) -> None:
    """Each time some requests later than the time before, from whatever state that has left."""
    with adapter.standin(company, page_size=2) as standin:
        good, place = fresh(), fresh()
        connect(adapter, standin, good, place, **adapter.short)
        good.good(now=at(6, 1))
        for number in range(1, 500, 6):
            code = child.run_killed_at(place.root, at(6, 1), adapter.secrets(), standin, number)
            if code == 0:
                break
            assert code == -9
        assert number > 1
        assert whole(place.raw) == whole(good.raw)


@kinds
def test_two_incremental_loads_equal_one_full_load(
    adapter: Adapter, company: Company, fresh: Callable[[], Place]
) -> None:
    with adapter.standin(company) as standin:
        twice, once = fresh(), fresh()
        connect(adapter, standin, twice, once)
        twice.good(now=FIRST)
        before = adapter.settled(twice.raw)
        adapter.story().tell(company)
        twice.good(now=SECOND)
        once.good(now=SECOND)
        assert adapter.settled(twice.raw) == adapter.settled(once.raw) != before


@kinds
def test_a_load_with_nothing_new_writes_nothing_and_asks_little(
    adapter: Adapter, company: Company, place: Place
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        place.good(now=FIRST)
        files, asked = sorted(place.raw.rglob("*")), len(standin.requests)
        outcome = place.good(now=FIRST + timedelta(hours=1))
        assert outcome.report.written == {}
        assert sorted(place.raw.rglob("*")) == files
        assert len(standin.requests) - asked == (adapter.least_requests or 0)


@framed
def test_a_lost_state_writes_more_and_nothing_else(
    adapter: Adapter, company: Company, place: Place
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        place.good(now=FIRST)
        wanted = whole(place.raw)
        shutil.rmtree(place.data)
        place.good(now=FIRST + timedelta(hours=1))
        assert whole(place.raw) == wanted


@framed
def test_a_clock_set_back_makes_no_old_version_the_current_one(
    adapter: Adapter, company: Company, fresh: Callable[[], Place]
) -> None:
    with adapter.standin(company) as standin:
        place, straight = fresh(), fresh()
        connect(adapter, standin, place, straight)
        place.good(now=FIRST)
        latest = _latest(place)
        place.good(now=at(2))
        adapter.story().tell(company)
        place.good(now=at(5))
        place.good(now=SECOND)
        straight.good(now=FIRST)
        straight.good(now=SECOND)
        assert adapter.settled(place.raw) == adapter.settled(straight.raw)
        assert _latest(place) > latest


@over_http
def test_rows_that_change_while_pages_are_read_are_there_after_the_next_load(
    adapter: Adapter, company: Company, fresh: Callable[[], Place]
) -> None:
    """One is changed, one comes, one goes, each between two pages of the same list."""
    changes: list[Callable[[], Any]] = [
        lambda: company.reprice(3, 33_333, at(8, 0, 1)),
        lambda: company.add_sale(7, at(8, 0, 2), person=2),
        lambda: company.delete_sale(2, at(8, 0, 3)),
    ]
    with adapter.standin(company, page_size=2) as standin:
        place, once = fresh(), fresh()
        connect(adapter, standin, place, once)
        pages = 0

        def change(request: Request) -> None:
            nonlocal pages
            if adapter.paged is not None and adapter.paged(request):
                pages += 1
                if pages > 1 and changes:
                    changes.pop(0)()

        standin.always = change
        place.good(now=FIRST)
        standin.always = None
        assert not changes
        place.good(now=SECOND)
        once.good(now=SECOND)
        assert adapter.settled(place.raw) == adapter.settled(once.raw)


@with_errors
def test_each_error_of_its_page_ends_as_the_page_says(
    adapter: Adapter, case: ErrorCase, company: Company, place: Place
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        hits = 0

        def fail(request: Request) -> Reply | None:
            nonlocal hits
            if not case.hits(request):
                return None
            hits += 1
            return case.reply if case.times is None or hits <= case.times else None

        standin.always = fail
        outcome = place.run(now=FIRST)
        standin.always = None
        assert outcome.exit_code == case.exit_code, outcome.failure
        if case.requests is not None:
            assert hits == case.requests
        assert place.clock is not None
        for wait in set(case.waits):
            assert place.clock.waits.count(wait) == list(case.waits).count(wait)
        if outcome.failure:
            text = "\n".join([outcome.failure.message, outcome.failure.remedy])
            assert text.startswith(f"{NAME}: ")
            for word in case.words:
                assert word in text
            assert outcome.failure.remedy
        _no_secret_anywhere(adapter, place, outcome.report.as_json())
        # What stood in the way is gone: the load goes on from where it was.
        place.good(now=FIRST)


@framed_over_http
def test_a_page_for_people_is_asked_again_and_never_an_empty_list(
    adapter: Adapter, company: Company, place: Place
) -> None:
    no_list_is_made_of(Reply(200, HTML.body, HTML.headers), adapter, company, place)


@framed_over_http
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(200, b'{"result": [1, 2', {"Content-Type": "application/json"}),
                     id="cut JSON"),
        pytest.param(Reply(200, b'{"result": [1, 2, 3, 4]}', cut=0.5), id="cut body"),
        pytest.param(Reply(200, b"x" * 100, closes=True, cut=0), id="closed connection"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_asked_again_and_never_an_empty_list(
    adapter: Adapter, reply: Reply, company: Company, place: Place
) -> None:
    no_list_is_made_of(reply, adapter, company, place)


def no_list_is_made_of(reply: Reply, adapter: Adapter, company: Company, place: Place) -> None:
    """The first page is asked for five times more; the next run goes on."""
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        hits = 0

        def fail(request: Request) -> Reply | None:
            nonlocal hits
            assert adapter.paged is not None
            hits += adapter.paged(request)
            return reply if adapter.paged(request) else None

        standin.always = fail
        outcome = place.run(now=FIRST)
        assert outcome.exit_code == 75
        assert hits == 6
        assert place.clock is not None
        usual = [wait for wait in place.clock.waits if wait >= 0.8][-5:]
        for waited, wanted in zip(usual, (1, 2, 4, 8, 16), strict=True):
            assert wanted * 0.8 <= waited <= wanted * 1.2
        standin.always = None
        place.good(now=FIRST)


@framed_over_http
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_the_system_names_is_kept(
    adapter: Adapter, status: int, company: Company, place: Place
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        standin.faults[2] = Reply(status, b"busy", {"Retry-After": "37"})
        place.good(now=FIRST)
        assert place.clock is not None
        assert 37.0 in place.clock.waits


@over_http
def test_a_certificate_that_does_not_fit_is_refused_before_anything_is_sent(
    adapter: Adapter, company: Company, place: Place, tmp_path: Path
) -> None:
    with adapter.standin(company).with_certificate(tmp_path) as standin:
        connect(adapter, standin, place)
        outcome = place.run(now=FIRST)
        assert outcome.exit_code == 2
        assert outcome.failure is not None
        assert "certificate" in outcome.failure.message
        assert standin.requests == []


@kinds
def test_no_secret_is_in_any_file_or_message(
    adapter: Adapter, company: Company, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        outcome = place.good(now=FIRST)
    _no_secret_anywhere(adapter, place, outcome.report.as_json())
    # The stand-in is gone: a refused connection is another kind of failure.
    outcome = place.run(now=SECOND)
    said = capfd.readouterr()
    assert outcome.failure is not None or adapter.least_requests is None
    _no_secret_anywhere(adapter, place, [vars(outcome.failure) if outcome.failure else "", said])


@over_http
def test_no_secret_is_said_or_left_after_each_kind_of_failure(
    adapter: Adapter, company: Company, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The system repeats it, in a refusal, an answer, a page, an address; no process has it."""
    caplog.set_level(0)
    secrets = " ".join(adapter.secrets().values())
    said: list[Any] = []
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        standin.always = lambda request: said.append(processes())
        place.good(now=FIRST)
        assert any(b"pytest" in it for it in said[0])
        for reply in (
            json_reply({"error": "no", "message": f"{secrets} is over"}, 401),
            json_reply({"error": {"code": 1, "message": secrets}}, 400),
            json_reply({"result": secrets, "id": secrets}),
            Reply(403, f"<html>{secrets}</html>".encode(), {"Content-Type": "text/html"}),
            Reply(503, secrets.encode()),
            Reply(302, b"", {"Location": f"https://elsewhere.example/?{secrets}"}),
            Reply(200, secrets.encode(), cut=0.9),
        ):
            standin.always = lambda request, reply=reply: reply
            outcome = place.run(now=SECOND)
            assert outcome.failure is not None, reply
            said += [outcome.failure, outcome.report.as_json()]
            said += check(place.settings(SECOND), NAME, clock=place.clock)
        standin.always = lambda request: json_reply({"message": secrets}, 400)
        with dg.DagsterInstance.ephemeral() as instance:
            # As if somebody had asked for it: a failure that a retry cannot mend waits for nothing.
            assert not job_of(place.settings(SECOND), instance).success
            runs = instance.get_runs()
            said += [str(it) for run in runs for it in instance.all_logs(run.run_id)]
    assert len([it for it in said if isinstance(it, str)]) > 5
    found = repr(said) + caplog.text
    assert not [it for it in adapter.hidden() if it in found]
    _no_secret_anywhere(adapter, place, "")


@kinds
def test_every_mapped_column_is_filled_and_every_other_is_null(
    adapter: Adapter, company: Company, place: Place
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        place.good(now=FIRST)
        adapter.story().tell(company)
        place.good(now=SECOND)
    for table in adapter.connector.tables:
        rows = all_rows(place.raw, table)
        if table in adapter.empty:
            assert rows == [], table
            continue
        assert rows, table
        columns = {column.name for column in CONTRACT.tables[table].columns}
        assert set(rows[0]) == columns
        filled = {name for name in columns if any(row[name] is not None for row in rows)}
        assert columns - filled == set(adapter.nulls.get(table, ())), table


@framed
def test_a_second_process_on_a_connection_is_told_to_wait(
    adapter: Adapter, company: Company, place: Place
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        from orchestration.connectors.lock import only_run

        with only_run(NAME, place.data / "connections" / NAME):
            process = child.start(place.root, FIRST, adapter.secrets())
            process.join(60)
        assert process.exitcode == 75
        assert standin.requests == []
        place.good(now=FIRST)


@framed
def test_a_range_is_read_again_without_moving_the_cursor(
    adapter: Adapter, company: Company, place: Place
) -> None:
    from orchestration.connectors.connector import Slice

    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        first = place.good(now=FIRST).report
        wanted = whole(place.raw)
        again = place.good(now=FIRST, asked=Slice(at(1), at(4))).report
        assert again.reached == first.reached
        assert whole(place.raw) == wanted


@kinds
def test_a_check_writes_nothing(adapter: Adapter, company: Company, place: Place) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        found = list(check(place.settings(FIRST), NAME))
        assert found
        assert [it.text for it in found if it.grade == "bad"] == []
    assert not place.raw.exists()
    assert not place.data.exists()


@crms
def test_a_deleted_sale_that_comes_back_is_there_again(
    adapter: Adapter, company: Company, place: Place
) -> None:
    with adapter.standin(company) as standin:
        connect(adapter, standin, place)
        place.good(now=FIRST)
        wanted = whole(place.raw)["crm.deals"]
        company.delete_sale(3, at(8, 1))
        later = adapter.deletions_after
        place.good(now=at(8, 2) + later)
        assert len(whole(place.raw)["crm.deals"]) == len(wanted) - 1
        company.restore_sale(3, at(8, 3))
        place.good(now=at(8, 4) + 2 * later)
        place.good(now=at(8, 5) + 2 * later)
        found = whole(place.raw)["crm.deals"]
        assert found.keys() == wanted.keys()


@crms
def test_what_vanishes_without_a_word_is_found_by_the_sweep_unless_it_is_too_much(
    adapter: Adapter, company: Company, place: Place
) -> None:
    for number in range(10, 40):
        company.add_sale(number, at(4, number), person=2)
    with adapter.standin(company) as standin:
        keys = {**adapter.keys(standin), "sweep_every_days": 7, "max_vanished_share": 0.5}
        place.connect(NAME, keys, adapter.secrets())
        place.good(now=FIRST)
        count = len(whole(place.raw)["crm.deals"])
        company.hide_sale(10)
        place.good(now=FIRST + timedelta(days=3))
        assert len(whole(place.raw)["crm.deals"]) == count
        place.good(now=FIRST + timedelta(days=8))
        assert len(whole(place.raw)["crm.deals"]) == count - 1
        for number in range(11, 40):
            company.hide_sale(number)
        outcome = place.good(now=FIRST + timedelta(days=16))
        assert len(whole(place.raw)["crm.deals"]) == count - 1
        assert any("lost rights" in it for it in outcome.report.warnings)


def _latest(place: Place) -> Any:
    return max(row["_loaded_at"] for it in tables(place.raw) for row in all_rows(place.raw, it))


def _no_secret_anywhere(adapter: Adapter, place: Place, said: Any) -> None:
    secrets = adapter.hidden()
    text = json.dumps(said, ensure_ascii=False, default=str)
    assert not [it for it in secrets if it in text]
    for file in place.root.rglob("*"):
        if not file.is_file():
            continue
        content = file.read_bytes()
        if file.parent.name == "secrets":
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or not content
            continue
        assert not [it for it in secrets if it.encode() in content], file


def _digest(root: Path) -> str:
    """What is on the disk, in one word."""
    whole = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        whole.update(str(file.relative_to(root)).encode())
        if file.is_file() and file.name != "holder.json":
            whole.update(file.read_bytes())
    return whole.hexdigest()
