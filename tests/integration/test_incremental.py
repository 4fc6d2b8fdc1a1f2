"""A refresh that follows new files gives what a build from all of them gives, row by row."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builds import UNCHANGED, Build, differing_tables
from tests.conftest import Zone, examples, write_zone
from tests.reference.planted import FIRST_DAY, write_planted
from tests.reference.zones import generate, split


def test_batches_give_what_one_build_gives(tmp_path: Path) -> None:
    compare_batches(tmp_path, 31, "hostile", 2)


@pytest.mark.nightly
@settings(
    max_examples=examples(1),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["mild", "hostile", "extreme"]),
    batches=st.integers(2, 3),
)
def test_batches_in_any_split_and_order_give_what_one_build_gives(
    tmp_path: Path, seed: int, kind: str, batches: int
) -> None:
    build = compare_batches(tmp_path, seed, kind, batches)
    assert set(build.refresh().values()) == {UNCHANGED}
    shutil.rmtree(tmp_path / f"{seed}-{kind}-{batches}")


def compare_batches(tmp_path: Path, seed: int, kind: str, batches: int) -> Build:
    """A zone that comes in batches, against a build of all of it; the build of the batches."""
    home = tmp_path / f"{seed}-{kind}-{batches}"
    generate(home / "all", seed, kind, "UTC")
    build = Build(home / "incremental", home / "raw")
    for batch in range(batches):
        split(home / "all", home / "raw", batch, batches, seed)
        build.refresh()
        followed = build.measure()
    whole = Build(home / "whole", home / "raw")
    whole.refresh()
    assert differing_tables(build.files, whole.files) == {}
    assert differing_tables(followed, whole.measure()) == {}
    return build


PHONE, OTHER_PHONE = "+79991234567", "+79997654321"


def at(day: int, hour: int = 12) -> datetime:
    """An hour of a day of March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def call(key: str, day: int, number: str = PHONE, **values: Any) -> dict[str, Any]:
    """An answered outbound call of two minutes by extension 101."""
    return {
        "call_id": key,
        "direction": "out",
        "from_number": "100",
        "to_number": number,
        "extension": "101",
        "started_at": at(day),
        "answered_at": at(day),
        "ended_at": at(day) + timedelta(minutes=2),
        "disposition": "answered",
        "talk_seconds": 110,
        **values,
    }


def deal(**values: Any) -> dict[str, Any]:
    """The company's one deal."""
    return {
        "deal_id": "deal",
        "lead_id": "lead",
        "manager_id": "anna",
        "pipeline_id": "sales",
        "stage_id": "new",
        "amount": 100,
        "currency": "USD",
        "created_at": at(2),
        "updated_at": at(2),
        **values,
    }


def stage(key: str, position: int, kind: str = "open", **values: Any) -> dict[str, Any]:
    """A stage of the sales pipeline."""
    place = {"stage_id": key, "pipeline_id": "sales", "name": key, "position": position}
    return {**place, "kind": kind, **values}


COMPANY: Zone = {
    "crm.managers": [{"manager_id": key, "full_name": key} for key in ("anna", "boris")],
    "crm.sources": [{"source_id": "ads", "name": "Ads"}],
    "crm.contacts": [
        {"contact_id": "vera", "created_at": at(1), "source_id": "ads"},
        {"contact_id": "gleb", "created_at": at(1), "source_id": None},
    ],
    "crm.contact_phones": [
        {"contact_id": "vera", "phone": PHONE},
        {"contact_id": "gleb", "phone": OTHER_PHONE},
    ],
    "crm.pipelines": [{"pipeline_id": "sales", "name": "Sales"}],
    "crm.stages": [stage("new", 1), stage("offer", 2), stage("won", 9, "won")],
    "crm.leads": [
        {"lead_id": "lead", "contact_id": "vera", "manager_id": "anna", "created_at": at(1)}
    ],
    "crm.deals": [deal()],
    "crm.deal_stage_history": [
        {"event_id": "1", "deal_id": "deal", "stage_id": "new", "entered_at": at(2)}
    ],
    "crm.payments": [
        {
            "payment_id": "paid",
            "deal_id": "deal",
            "paid_at": at(9),
            "amount": 100,
            "currency": "USD",
            "kind": "payment",
        }
    ],
    "telephony.extensions": [
        {"extension": "101", "valid_from": at(1, 0), "manager_id": "anna", "valid_to": None}
    ],
    "telephony.calls": [
        call("a", 3),
        call("b", 4),
        call("c", 5, OTHER_PHONE),
        call("missed", 9, direction="in", from_number=PHONE, disposition="no_answer"),
    ],
    "finance.exchange_rates": [{"rate_date": at(1).date(), "currency": "USD", "rate": 80}],
}

CONTACTS = "select session_id, contact_id from marts.fct_call_sessions order by all"
CALLERS = "select call_id, manager_id from marts.fct_calls order by all"
REVENUE = "select sum(revenue)::int from marts.kpi_daily"
MOVES = "select stage_id, movement from marts.fct_stage_entries order by entry_no"
NAMES = (
    "select distinct manager_name, source_name from marts.kpi_daily "
    "where manager_id = 'anna' and source_id = 'ads'"
)
LOST = "select recovery from marts.fct_call_sessions where recovery is not null"

CALLS = {"int_calls__legs", "int_calls__sessions", "fct_call_sessions", "fct_calls"}
DEALS = {"stg_crm__deals", "stg_crm__deal_stage_history", "stg_crm__payments"}


class Step(NamedTuple):
    """What comes, a question, its answers before and after, and models that it must not touch."""

    what: str
    news: Zone
    question: str
    before: list[Any]
    after: list[Any]
    untouched: set[str]


STEPS = [
    Step(
        "a call of an old day",
        {"telephony.calls": [call("late", 2)]},
        "select session_id from marts.fct_call_sessions where is_first_contact order by all",
        [("a",), ("c",)],
        [("c",), ("late",)],
        DEALS,
    ),
    Step(
        "a new version of an old call",
        {"telephony.calls": [call("b", 4, to_number=OTHER_PHONE, updated_at=at(20))]},
        CONTACTS,
        [("a", "vera"), ("b", "vera"), ("c", "gleb"), ("late", "vera"), ("missed", "vera")],
        [("a", "vera"), ("b", "gleb"), ("c", "gleb"), ("late", "vera"), ("missed", "vera")],
        DEALS,
    ),
    Step(
        "a deletion",
        {"telephony.calls": [{"call_id": "c", "is_deleted": True, "updated_at": at(21)}]},
        CALLERS,
        [(key, "anna") for key in ("a", "b", "c", "late", "missed")],
        [(key, "anna") for key in ("a", "b", "late", "missed")],
        DEALS,
    ),
    Step(
        "a phone that changes its owner",
        {
            "crm.contact_phones": [
                {"contact_id": "vera", "phone": PHONE, "is_deleted": True, "updated_at": at(22)},
                {"contact_id": "gleb", "phone": PHONE, "is_deleted": False, "updated_at": at(22)},
            ]
        },
        CONTACTS,
        [("a", "vera"), ("b", "gleb"), ("late", "vera"), ("missed", "vera")],
        [("a", "gleb"), ("b", "gleb"), ("late", "gleb"), ("missed", "gleb")],
        {"int_calls__legs", "int_calls__sessions", "int_calls__recovery"},
    ),
    Step(
        "an extension that had another holder",
        {
            "telephony.extensions": [
                {"extension": "101", "valid_from": at(4, 0), "manager_id": "boris"},
            ]
        },
        CALLERS,
        [(key, "anna") for key in ("a", "b", "late", "missed")],
        [("a", "anna"), ("b", "boris"), ("late", "anna"), ("missed", "boris")],
        {"int_calls__session_identity", "fct_call_sessions", *DEALS},
    ),
    Step(
        "a rate that comes late",
        {"finance.exchange_rates": [{"rate_date": at(5).date(), "currency": "USD", "rate": 90}]},
        REVENUE,
        [(8000,)],
        [(9000,)],
        CALLS,
    ),
    Step(
        "a deal that moved on",
        {
            "crm.deals": [deal(stage_id="won", closed_at=at(9), updated_at=at(9))],
            "crm.deal_stage_history": [
                {"event_id": "2", "deal_id": "deal", "stage_id": "won", "entered_at": at(9)}
            ],
        },
        MOVES,
        [("new", "first")],
        [("new", "first"), ("won", "skip")],
        CALLS,
    ),
    Step(
        "a stage that changes its place",
        {"crm.stages": [stage("offer", 0, updated_at=at(23))]},
        MOVES,
        [("new", "first"), ("won", "skip")],
        [("new", "first"), ("won", "forward")],
        CALLS | {"stg_crm__payments"},
    ),
    Step(
        "a manager who changes her name, and a source",
        {
            "crm.managers": [
                {"manager_id": "anna", "full_name": "Anna K", "updated_at": at(24)},
            ],
            "crm.sources": [{"source_id": "ads", "name": "Adverts", "updated_at": at(24)}],
        },
        NAMES,
        [("anna", "Ads")],
        [("Anna K", "Adverts")],
        {"int_calls__legs", "int_calls__sessions", *DEALS},
    ),
    Step(
        "an event of a later day, which closes windows",
        {
            "crm.payments": [
                {"payment_id": "later", "paid_at": at(25), "amount": 1, "kind": "refund"}
            ]
        },
        LOST,
        [("open",)],
        [("lost",)],
        {"int_calls__legs", "int_calls__sessions", "stg_crm__deals"},
    ),
]


@pytest.mark.parametrize(
    "at_once", [3, pytest.param(1, marks=pytest.mark.nightly)], ids=["several", "one"]
)
def test_each_kind_of_news_is_followed_and_nothing_else_is_rebuilt(
    tmp_path: Path, at_once: int
) -> None:
    raw = tmp_path / "raw"
    write_zone(raw, loaded(COMPANY, at(9, 20)))
    build = Build(tmp_path / "incremental", raw)
    build.refresh()
    build.measure()
    for first in range(0, len(STEPS), at_once):
        steps = STEPS[first : first + at_once]
        for number, step in enumerate(steps, first):
            write_zone(raw, loaded(step.news, at(26, number)), str(number))
        assert build.rows(steps[0].question) == steps[0].before, steps[0].what
        done = build.refresh()
        assert build.rows(steps[-1].question) == steps[-1].after, steps[-1].what
        untouched = set.intersection(*(step.untouched for step in steps))
        assert {name for name in untouched if done[name] != UNCHANGED} == set(), steps
        # Of several kinds of news at once, too.
        if first % 3 == 0:
            build.measure()
    followed = build.measure()

    whole = Build(tmp_path / "whole", raw)
    whole.refresh()
    assert differing_tables(build.files, whole.files) == {}
    assert differing_tables(followed, whole.measure()) == {}
    assert set(build.refresh().values()) == {UNCHANGED}
    # Another variable is another project: no model reads this one.
    others = build.refresh(only="+stg_crm__deals", churn_days=2)
    assert others and UNCHANGED not in others.values()


def loaded(zone: Zone, at: datetime) -> Zone:
    """The rows as an export of a moment holds them, with all columns of the company's tables."""
    return {
        table: [
            {**dict.fromkeys(name for it in COMPANY[table] for name in it), **row, "_loaded_at": at}
            for row in rows
        ]
        for table, rows in zone.items()
    }


OUTLOOK = "+path:dbt_project/models/outlook"
LATE = """
    select deal_id, count(*) filter (where conversations > 0)
    from voronka_build.intermediate.int_outlook__features
    where deal_id in ('d0002', 'd0150', 'd0410') group by all order by all
"""


def test_a_day_with_late_phones_gives_the_outlook_of_one_build(tmp_path: Path) -> None:
    """Old calls become those of deals that closed long ago, closed lately, and are open."""
    raw = write_planted(tmp_path / "raw", 5)
    numbers = {deal: f"+7999765{deal[1:]}" for deal in ("d0002", "d0150", "d0410")}
    calls, today = [], datetime.combine(FIRST_DAY + timedelta(days=420), time(17), UTC)
    for deal, number in numbers.items():
        began = today - timedelta(days=420 - int(deal[1:]) - 2)
        moments = {"started_at": began, "answered_at": began, "ended_at": began}
        calls.append(call(deal, 1, number, **moments))
    write_zone(raw, loaded({"telephony.calls": calls}, at(1)), "calls")
    build = Build(tmp_path / "incremental", raw)
    build.refresh(only=OUTLOOK, learns=True)
    assert [seen for _, seen in build.rows(LATE)] == [0, 0, 0]

    phones = [{"contact_id": deal, "phone": number} for deal, number in numbers.items()]
    tomorrow = today + timedelta(days=1)
    moments = {"started_at": tomorrow, "answered_at": tomorrow, "ended_at": tomorrow}
    news = {"telephony.calls": [call("new", 1, **moments)], "crm.contact_phones": phones}
    write_zone(raw, loaded(news, tomorrow), "day")
    build.refresh(only=OUTLOOK, learns=True)
    assert min(seen for _, seen in build.rows(LATE)) > 0

    whole = Build(tmp_path / "whole", raw)
    whole.refresh(only=OUTLOOK, learns=True)
    assert differing_tables(build.files, whole.files) == {}
    assert whole.rows("select count(*) > 300 from voronka_build.outlook.curves") == [(True,)]
