"""The reference itself, on values computed by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .compare import differences, disagreements
from .contract import TABLES
from .marts import Reference, build
from .phones import phone_identity
from .reading import judge, read_zone
from .values import read
from .variables import Clock, Variables, period_end, period_start
from .zones import generate

LOADED = "2026-03-31T03:00Z"


def at(text: str) -> datetime:
    """An instant from Moscow wall-clock time."""
    return datetime.fromisoformat(text + "+03:00").astimezone(UTC)


def write(raw: Path, table: str, *rows: dict[str, Any]) -> None:
    """Adds one file of texts; required columns that no row names are NULL."""
    names = [column.name for column in TABLES[table].columns]
    folder = raw / table.replace(".", "/")
    folder.mkdir(parents=True, exist_ok=True)
    full = [{"_loaded_at": LOADED} | row for row in rows]
    data = {
        name: pa.array(
            [None if row.get(name) is None else str(row[name]) for row in full], "string"
        )
        for name in names
    }
    pq.write_table(pa.table(data), folder / f"{len(list(folder.iterdir()))}.parquet")


def reference(raw: Path, **variables: Any) -> Reference:
    """The reference of a zone without calendar exceptions."""
    return build(raw, Variables(**variables), {})


def by(rows: list[dict[str, Any]], *key: str) -> dict[Any, dict[str, Any]]:
    """Rows by key."""
    found = {tuple(row[name] for name in key): row for row in rows}
    return {key[0] if len(key) == 1 else key: row for key, row in found.items()}


def stages(raw: Path) -> None:
    """A pipeline A(deleted) B C D(presale, deleted) E W L and another one with X."""
    write(
        raw, "crm.pipelines", {"pipeline_id": "p", "name": "p"}, {"pipeline_id": "q", "name": "q"}
    )
    kinds = {"A": "open", "B": "open", "C": "open", "D": "presale", "E": "open", "W": "won"}
    rows: list[dict[str, Any]] = [
        {"stage_id": key, "pipeline_id": "p", "name": key, "position": number, "kind": kind}
        for number, (key, kind) in enumerate((kinds | {"L": "lost"}).items())
    ]
    for row in rows:
        row["is_deleted"] = row["stage_id"] in "AD"
    other = {"stage_id": "X", "pipeline_id": "q", "name": "X", "position": 1, "kind": "open"}
    write(raw, "crm.stages", *rows, other)


def deal(key: str, stage: str, **values: Any) -> dict[str, Any]:
    """A deal of pipeline p."""
    row = {"deal_id": key, "pipeline_id": "p", "stage_id": stage}
    return row | {"created_at": "2026-03-01 12:00+03"} | values


def history(deal_id: str, *entries: tuple[str, str]) -> list[dict[str, Any]]:
    """Entries (stage, time) of a deal."""
    return [
        {
            "event_id": f"{deal_id}{number}",
            "deal_id": deal_id,
            "stage_id": stage,
            "entered_at": f"2026-03-{when}+03",
        }
        for number, (stage, when) in enumerate(entries)
    ]


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("8 (916) 123-45-67 доб. 12", "+79161234567"),
        ("(+7)916 1234567", "+79161234567"),
        ("9161234567,,5", "+79161234567"),
        ("8 10 49 30 123456", "+4930123456"),
        ("004930123456", "+4930123456"),
        ("x79161234567", "+79161234567"),
        ("тел 123-45-67", "1234567"),
        ("5550100222", "5550100222"),
        ("12125550100", "+12125550100"),
        ("8101234", None),
        ("+1234567890123456", None),
        ("1234567890123456", None),
        ("ext 5, 89161234567", None),
        (None, None),
    ],
)
def test_phone_identity(text: str | None, identity: str | None) -> None:
    """The order of the phone rules."""
    assert phone_identity(text) == identity


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("amount", "1.00005", Decimal("1.0001")),
        ("amount", 1e3, Decimal("1000.0000")),
        ("amount", "99999999999999.99995", "type"),
        ("amount", ".5", "type"),
        ("amount", "1_0", "type"),
        ("amount", float("nan"), "required"),
        ("amount", float("inf"), "type"),
        ("deal_id", 17.0, "17"),
        ("deal_id", "17.0", "17.0"),
        ("deal_id", 2.3851234567890124e16, "23851234567890124"),
        ("deal_id", -0.0, "0"),
        ("deal_id", 0.5, "0.5"),
        ("deal_id", Decimal("17.0000000000"), "17"),
        ("deal_id", Decimal("17.5000"), "17.5000"),
        ("deal_id", " \t\r\n", "required"),
        ("deal_type", "Up-Sell", "enum"),
        ("deal_type", " UPSELL\n", "upsell"),
        ("currency", " usd", "USD"),
        ("is_deleted", "T", True),
        ("is_deleted", 0, False),
        ("is_deleted", 1.0, True),
        ("is_deleted", Decimal("1.0000000000"), True),
        ("is_deleted", "0.0", False),
        ("is_deleted", 1.5, "type"),
        ("is_deleted", "1.00000000000000000001", "type"),
        ("is_deleted", "1e-400", "type"),
        ("is_deleted", "10E-1", True),
        ("is_deleted", "0e99999999999999999999", False),
        ("is_deleted", float("nan"), "required"),
        ("created_at", "2026-03-01T00:30:00.1234569+0530", "2026-02-28T19:00:00.123456"),
        ("created_at", "2026-03-01", "2026-03-01T00:00:00"),
        ("created_at", "2026-03-01 10:00:00 +03", "type"),
        ("created_at", "1970-01-02T02:00+03", "range"),
        ("expected_close_on", "2026-03-01T23:30-05", date(2026, 3, 1)),
        ("expected_close_on", "2026-03-01T25:30", "type"),
        ("expected_close_on", "2100-01-01", "range"),
    ],
)
def test_reading_of_cells(column: str, cell: Any, expected: Any) -> None:
    """Grammars, rounding, trimming; a problem is given by its name."""
    columns = {column.name: column for column in TABLES["crm.deals"].columns}
    reading = read(columns[column], cell, "UTC")
    if isinstance(reading.value, datetime):
        expected = datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert (reading.value if reading.problem is None else reading.problem) == expected


@pytest.mark.parametrize(
    ("wall", "expected"),
    [("2026-10-25 02:30", 1), ("2026-03-29 02:30", 1), ("2026-07-01 02:30", 0)],
)
def test_times_without_offset(wall: str, expected: int) -> None:
    """Berlin: a repeated hour is the later instant, a skipped time moves forward by the gap."""
    column = next(column for column in TABLES["crm.leads"].columns if column.name == "created_at")
    found = read(column, wall, "Europe/Berlin").value
    assert (found.hour, found.minute) == (expected, 30)


def test_judging_a_row() -> None:
    """Sorted reasons, one a column; an out-of-range operand is a missing one."""
    lead = {"_loaded_at": LOADED, "created_at": "1969-01-01", "taken_at": "1960-01-01"}
    row = judge(TABLES["crm.leads"], lead, "UTC")
    assert row.reasons == ("created_at: range", "lead_id: required")
    assert row.bad == ("taken_at",)
    activity = {"_loaded_at": LOADED, "activity_id": "1", "kind": "fax", "direction": "up"}
    row = judge(TABLES["crm.activities"], activity, "UTC")
    assert row.reasons == ("direction: enum", "happened_at: required")
    row = judge(TABLES["crm.activities"], activity | {"is_deleted": "yes"}, "UTC")
    assert (row.reasons, row.bad) == ((), ("direction",))
    quota = {"metric": "x", "manager_id": "m", "period": "Week", "period_start": "2026-03-03"}
    row = judge(TABLES["crm.quotas"], quota | {"_loaded_at": LOADED, "target": "-1"}, "UTC")
    assert row.reasons == ("period_start: period", "target: range")


def test_versions_and_deleted_members(tmp_path: Path) -> None:
    """A deleted member has its greatest complete version; NULL updated_at is oldest."""
    first = {"manager_id": "a", "full_name": "A", "updated_at": "2026-01-01"}
    write(tmp_path, "crm.managers", first, {"manager_id": "a", "full_name": "later load"})
    write(tmp_path, "crm.managers", {"manager_id": "b", "is_deleted": "1"})
    write(
        tmp_path,
        "crm.managers",
        {"manager_id": "a", "is_deleted": "1", "updated_at": "2026-01-02"},
        {"manager_id": "c", "full_name": "C"},
        {"manager_id": "c", "updated_at": "2026-01-02"},
    )
    zone = read_zone(tmp_path, Variables())["crm.managers"]
    members = zone.members()
    assert {key: row["full_name"] for key, row in members.items()} == {"a": "A", "c": "C"}
    assert members["a"]["is_deleted"] and not members["c"]["is_deleted"]
    assert [row.reasons for row in zone.quarantined] == [("full_name: required",)]


def call(key: str, when: str, **values: Any) -> dict[str, Any]:
    """An inbound call that an employee answered, in March 2026."""
    row = {"call_id": key, "direction": "in", "from_number": "89161234567", "extension": "101"}
    row |= {"to_number": "1000000", "started_at": f"2026-03-{when}+03", "disposition": "answered"}
    return row | values


def test_sessions_and_recovery(tmp_path: Path) -> None:
    """A queue's answer does not count beside an extension; 24 hours to the microsecond."""
    out = {"direction": "Outgoing", "to_number": "+79161234567"}
    write(
        tmp_path,
        "telephony.calls",
        call("1", "02 10:00:00", linked_id="s", extension=None),
        call("2", "02 10:00:05", linked_id="s", disposition="NO ANSWER"),
        call("3", "02 10:00:06", linked_id="s", direction="internal"),
        call("4", "03 10:00:00", answered_at="2026-03-03 10:00:07.9+03"),
        call("5", "03 10:00:00", **out),
        call("6", "10 10:00:00", extension=None, disposition="voicemail"),
        call("7", "11 10:00:00.000001"),
        call("8", "31 10:00:00", disposition="busy", from_number="secret"),
    )
    found = by(reference(tmp_path, as_of=date(2026, 3, 31)).facts.sessions, "session_id")
    assert set(found) == {"s", "4", "5", "6", "7", "8"}
    assert not found["s"]["is_answered"] and found["s"]["customer_number"] == "+79161234567"
    assert (found["s"]["recovery"], found["s"]["recovered_at"]) == (
        "by_agent",
        at("2026-03-03T10:00:00"),
    )
    assert found["4"]["wait_seconds"] == 7 and found["4"]["recovery"] is None
    assert found["6"]["recovery"] == "lost"
    assert (found["8"]["recovery"], found["8"]["customer_number"]) == ("open", None)


def test_parts_of_employees(tmp_path: Path) -> None:
    """Talk time by employee; an extension's latest holder that does not exist is unknown."""
    write(tmp_path, "crm.managers", {"manager_id": "m", "full_name": "M"})
    since = {"valid_from": "2026-01-01", "manager_id": "m"}
    write(
        tmp_path,
        "telephony.extensions",
        {"extension": "101"} | since,
        {"extension": "102"} | since,
        {"extension": "102", "valid_from": "2026-02-01", "manager_id": "ghost"},
    )
    write(
        tmp_path,
        "telephony.calls",
        call("2", "02 10:00:05", linked_id="s", talk_seconds=50),
        call("1", "02 10:00:05", linked_id="s", answered_at="2026-03-02 10:00:10+03"),
        call("3", "02 10:00:09", linked_id="s", extension=102, talk_seconds=70),
        call("4", "02 10:00:00", linked_id="s", extension=None, disposition="answered"),
    )
    found = by(reference(tmp_path).facts.calls, "manager_id")
    assert {key: (row["call_id"], row["talk_seconds"]) for key, row in found.items()} == {
        "m": ("1", 50),
        "unknown": ("3", 70),
    }
    assert [found[key]["is_meaningful"] for key in ("m", "unknown")] == [False, True]


def test_contact_and_lead_of_a_call(tmp_path: Path) -> None:
    """Of several owners the latest created by then; a lead made 300 s later still matches."""
    write(
        tmp_path,
        "crm.contacts",
        {"contact_id": "old", "created_at": "2026-01-01"},
        {"contact_id": "b", "created_at": "2026-02-01"},
        {"contact_id": "a", "created_at": "2026-02-01"},
        {"contact_id": "new", "created_at": "2026-04-01"},
    )
    phones = [{"contact_id": key, "phone": "+7 916 123 45 67"} for key in ("old", "a", "b", "new")]
    write(tmp_path, "crm.contact_phones", *phones)
    lead = {"contact_id": "a", "created_at": "2026-03-02 10:05:00+03"}
    late = {"contact_id": "a", "created_at": "2026-03-02 10:05:00.000001+03"}
    write(tmp_path, "crm.leads", {"lead_id": "l1"} | lead, {"lead_id": "l2"} | late)
    write(tmp_path, "telephony.calls", call("1", "02 10:00"), call("2", "02 11:00"))
    result = reference(tmp_path)
    found = by(result.facts.sessions, "session_id")
    assert [found[key]["contact_id"] for key in "12"] == ["a", "a"]
    assert [found[key]["lead_id"] for key in "12"] == ["l1", "l2"]
    assert [found[key]["is_first_contact"] for key in "12"] == [True, False]
    leads = by(result.facts.leads, "lead_id")
    assert [leads[key]["response_seconds"] for key in ("l1", "l2")] == [0, 3299]


def test_movements(tmp_path: Path) -> None:
    """Deleted stages are never skipped; a repeat is no stay; won to lost is a reopening."""
    stages(tmp_path)
    write(tmp_path, "crm.deals", deal("d", "L", closed_at="2026-03-02 12:00+03"))
    path = ["B", "B", "C", "E", "B", "E", "W", "L", "B", "X", "C", "ghost", "gone"]
    entries = [(stage, f"0{2 + n // 9} 1{n % 9}:00") for n, stage in enumerate(path)]
    write(tmp_path, "crm.deal_stage_history", *history("d", *entries))
    found = reference(tmp_path).facts.stage_entries
    assert [(row["stage_id"], row["movement"]) for row in found] == [
        ("B", "first"),
        ("C", "forward"),
        ("E", "forward"),
        ("B", "back"),
        ("E", "skip"),
        ("W", "forward"),
        ("L", "reopen"),
        ("B", "reopen"),
        ("X", "pipeline_change"),
        ("C", "pipeline_change"),
        ("unknown", "pipeline_change"),
        ("L", "pipeline_change"),
    ]
    last = found[-1]
    assert last["is_inferred"] and last["entered_at"] == at("2026-03-03T12:00")


def test_funnel_and_pipeline(tmp_path: Path) -> None:
    """The first stage is B; whoever reached it has reached the deleted A before it."""
    stages(tmp_path)
    write(tmp_path, "crm.deals", deal("d", "E"), deal("e", "L", closed_at="2026-03-05 12:00+03"))
    write(tmp_path, "crm.deal_stage_history", *history("d", ("C", "02 10:00"), ("E", "02 23:00")))
    result = reference(tmp_path, as_of=date(2026, 3, 4))
    funnel = by(result.tables["funnel_conversion"], "stage_id")
    assert {key: (row["entered"], row["reached"]) for key, row in funnel.items()} == {
        "A": (0, 2),
        "B": (0, 2),
        "C": (1, 1),
        "D": (0, 1),
        "E": (1, 1),
    }
    assert funnel["B"]["lost_here"] == 1 and funnel["E"]["still_here"] == 1
    assert funnel["C"]["median_stay_hours"] == 13.0
    pipeline = by(result.tables["pipeline_daily"], "date_day", "stage_id")
    assert {key: tuple(row.values())[4:] for key, row in pipeline.items()} == {
        (date(2026, 3, 2), "C"): (0, 0, 1, 1),
        (date(2026, 3, 2), "E"): (1, 0, 1, 0),
        (date(2026, 3, 3), "E"): (1, 0, 0, 0),
        (date(2026, 3, 4), "E"): (1, 0, 0, 0),
    }


def meeting(key: str, set_by: str, held_at: str) -> dict[str, Any]:
    """A held meeting of lead l."""
    row = {"meeting_id": key, "lead_id": "l", "set_by": set_by, "set_at": "2026-03-01 09:00+03"}
    return row | {"held_at": f"2026-03-{held_at}+03"}


def test_paid_meetings_and_customers(tmp_path: Path) -> None:
    """The latest meeting held by the first payment gets the credit; refunds make no customer."""
    stages(tmp_path)
    names = [{"manager_id": key, "full_name": key} for key in "abc"]
    write(tmp_path, "crm.managers", *names)
    write(tmp_path, "crm.contacts", {"contact_id": "c", "created_at": "2026-01-01"})
    write(tmp_path, "crm.leads", {"lead_id": "l", "contact_id": "c", "created_at": "2026-03-01"})
    write(tmp_path, "crm.deals", deal("d", "B", lead_id="l", manager_id="c", deal_type="repeat"))
    meetings = [("1", "a", "03 10:00"), ("2", "b", "03 10:00"), ("3", "c", "03 10:00:01")]
    write(tmp_path, "crm.meetings", *(meeting(*values) for values in meetings))
    paid = {"deal_id": "d", "paid_at": "2026-03-03 10:00+03", "amount": "10", "currency": "usd"}
    write(
        tmp_path,
        "crm.payments",
        {"payment_id": "1", "kind": "refund"} | paid | {"paid_at": "2026-03-01 01:00+03"},
        {"payment_id": "2", "kind": "Payment"} | paid,
        {"payment_id": "3", "kind": "refund"} | paid | {"amount": "0.3335"},
    )
    rate = {"rate_date": "2026-03-02", "currency": "USD", "rate": "30"}
    write(tmp_path, "finance.exchange_rates", rate)
    result = reference(tmp_path, as_of=date(2026, 6, 1), churn_days=90)
    daily = by(result.tables["kpi_daily"], "date_day", "manager_id")
    third = {key: daily[date(2026, 3, 3), key] for key in "ac"}
    assert third["a"]["set_meetings_paid"] == 1
    assert (date(2026, 3, 3), "b") in daily and third["c"]["set_meetings_paid"] == 0
    assert third["c"]["revenue"] == third["c"]["revenue_repeat"] == Decimal("289.99")
    assert third["c"]["refunds"] == Decimal("10.01") and third["c"]["new_customers"] == 1
    assert (date(2026, 3, 1), "c") in daily and daily[date(2026, 3, 1), "c"]["refunds"] == 0
    (value,) = result.tables["customer_value"]
    assert (value["is_active"], value["churned_on"]) == (False, date(2026, 6, 1))
    months = by(result.tables["kpi_company_period"], "period_grain", "period_start")
    june = months["month", date(2026, 6, 1)]
    assert (june["active_customers"], june["churned_customers"], june["churn_rate"]) == (0, 1, 1.0)
    quality = by(result.tables["data_quality_daily"], "table_name", "check_name")
    assert quality["crm.payments", "no_rate"]["date_day"] == date(2026, 3, 1)


def test_as_of_date(tmp_path: Path) -> None:
    """The latest local event, but never after the last load."""
    write(tmp_path, "crm.contacts", {"contact_id": "c", "created_at": "2026-03-10 21:00Z"})
    assert reference(tmp_path).world.as_of == date(2026, 3, 11)
    write(tmp_path, "crm.contacts", {"contact_id": "d", "created_at": "2027-01-01"})
    assert reference(tmp_path).world.as_of == date(2026, 3, 31)


def test_working_time() -> None:
    """Friday evening to Monday morning is two hours; a short day ends earlier."""
    short = {date(2026, 3, 6): (time(9), time(17)), date(2026, 3, 9): None}
    plain, clock = Clock(Variables(), {}), Clock(Variables(), short)
    start, end = at("2026-03-06T17:00"), at("2026-03-09T10:00:00.9")
    assert plain.working_seconds(start, end) == 2 * 3600
    assert clock.working_seconds(start, end) == 0
    assert clock.working_minutes(date(2026, 3, 6), date(2026, 3, 9)) == 480


def test_quotas(tmp_path: Path) -> None:
    """The target to date by working minutes; a quota of nobody is left out."""
    write(tmp_path, "crm.managers", {"manager_id": "m", "full_name": "M"})
    week = {"metric": "Calls 60s", "period": "week", "period_start": "2026-03-09", "target": "10"}
    names = ("m", "ghost", "unknown")
    write(tmp_path, "crm.quotas", *({"manager_id": name} | week for name in names))
    write(tmp_path, "crm.quotas", {"manager_id": "m"} | week | {"metric": "win-rate"})
    result = reference(tmp_path, as_of=date(2026, 3, 11))
    found = by(result.tables["quota_attainment"], "manager_id", "metric")
    assert set(found) == {("m", "calls_60s"), ("m", "win_rate")}
    calls = found["m", "calls_60s"]
    assert (calls["actual"], calls["target_to_date"], calls["pace"]) == (0, 6.0, 0.0)
    rate = found["m", "win_rate"]
    assert (rate["actual"], rate["target_to_date"], rate["pace"]) == (None, 10, None)


def test_evaluators_against_people(tmp_path: Path) -> None:
    """Each one's latest evaluation counts; a deletion ends what was said before it."""
    said = [("a", "human", 60), ("a", "M", 50), ("b", "Human", 70), ("b", "M", 99), ("b", "M", 90)]
    said += [("c", "M", 0), ("c", None, 1), ("d", "human", 5)]
    table = "telephony.call_evaluations"
    for load, (call, evaluator, score) in enumerate(said):
        row = {"call_id": call, "evaluator": evaluator, "score": score, "needs_found": score > 50}
        loaded = {"evaluated_at": "2026-03-01", "_loaded_at": f"2026-03-02T00:00:0{load}Z"}
        write(tmp_path, table, row | loaded)
    gone = {"call_id": "d", "evaluated_at": "2026-03-01", "is_deleted": "true", "score": None}
    write(tmp_path, table, gone | {"_loaded_at": "2026-03-03"})
    write(tmp_path, table, gone | {"_loaded_at": "2026-03-04", "evaluator": "M", "score": 7}
          | {"is_deleted": None})  # fmt: skip
    found = by(reference(tmp_path).tables["evaluator_agreement"], "evaluator", "criterion")
    assert len(found) == 5
    score, needs = found["M", "score"], found["M", "needs_found"]
    assert (score["judged_calls"], score["compared_calls"]) == (4, 2)
    assert (score["score_difference"], score["score_distance"]) == (10, 30)
    assert score["mean_score_difference"] == 5
    assert score["score_correlation"] == pytest.approx(1.0)
    assert (needs["agreed_calls"], needs["met_by_person_only"], needs["agreement"]) == (1, 1, 0.5)
    assert needs["kappa"] == 0.0 and needs["score_difference"] is None


def test_diagnostics(tmp_path: Path) -> None:
    """Three meetings set after four did fall; a source that was not there before is new."""
    write(tmp_path, "crm.managers", {"manager_id": "m", "full_name": "M"})
    write(tmp_path, "crm.sources", *({"source_id": key, "name": key} for key in "st"))
    leads = [{"lead_id": f"l{key}", "source_id": key, "created_at": "2026-01-01"} for key in "st"]
    write(tmp_path, "crm.leads", *leads)
    days = [("s", "02", "03"), ("s", "02", "03"), ("s", "02", ""), ("s", "02", "")]
    days += [("s", "09", "10"), ("t", "09", ""), ("s", "10", ""), ("s", "10", "")]
    rows = [
        {
            "meeting_id": str(number),
            "lead_id": f"l{source}",
            "set_by": "m",
            "set_at": f"2026-03-{set_on}T12:00Z",
            "held_at": f"2026-03-{held_on}T12:00Z" if held_on else None,
        }
        for number, (source, set_on, held_on) in enumerate(days)
    ]
    write(tmp_path, "crm.meetings", *rows)
    result = reference(tmp_path, as_of=date(2026, 3, 15))
    weeks = [row for row in result.tables["kpi_diagnostics"] if row["period_grain"] == "week"]
    found = by(weeks, "period_start", "situation", "check_no")
    first, second = date(2026, 3, 2), date(2026, 3, 9)
    assert {key[:2] for key in found} == {
        (first, "meetings_without_payments"),
        (second, "meetings_not_held"),
    }
    share = found[second, "meetings_not_held", 2]
    assert (share["current_value"], share["verdict"]) == (0.25, "ok")
    assert found[first, "meetings_without_payments", 2]["current_value"] is None
    assert found[second, "meetings_not_held", 1]["verdict"] == "no_data"


def test_manager_profile(tmp_path: Path) -> None:
    """Four hunters' win rates of a month: the interval, the even median, the gap in money."""
    stages(tmp_path)
    people = [{"manager_id": key, "full_name": key, "role": "hunter"} for key in "abcd"]
    write(tmp_path, "crm.managers", *people, {"manager_id": "e", "full_name": "e"})
    closed = {"a": (8, 2), "b": (5, 5), "c": (1, 3), "d": (0, 10), "e": (1, 1)}
    rows = [
        deal(f"{who}{stage}{number}", stage, manager_id=who, amount=100, closed_at="2026-03-05")
        for who, counts in closed.items()
        for stage, count in zip("WL", counts, strict=True)
        for number in range(count)
    ]
    write(tmp_path, "crm.deals", *rows)
    result = reference(tmp_path, as_of=date(2026, 3, 15))
    profile = by(result.tables["manager_profile"], "manager_id", "metric")
    found = {who: profile[who, "win_rate"] for who in "abcde"}
    # Of 0.8, 0.5, 0.25 and 0 the middle is 0.375.
    assert [found[who]["team_median"] for who in "abcde"] == [0.375] * 4 + [0.5]
    assert (found["a"]["low"], found["a"]["high"]) == (
        pytest.approx(0.4902, abs=5e-5),
        pytest.approx(0.9433, abs=5e-5),
    )
    assert (found["d"]["low"], found["d"]["high"]) == (0, pytest.approx(0.2775, abs=5e-5))
    verdicts = ["strength", None, None, "weakness", None]
    assert [found[who]["verdict"] for who in "abcde"] == verdicts
    assert [found[who]["gap_in_deals"] for who in "abcde"] == [-4.25, -1.25, 0.5, 3.75, 0]
    assert [found[who]["gap_in_money"] for who in "abcde"] == [-425, -125, 50, 375, 0]
    assert all(row["is_small_sample"] for row in found.values())
    # A hunter has rates with nothing to divide by, who has no role has not.
    assert profile["a", "answer_rate"]["value"] is None and ("e", "answer_rate") not in profile
    # 10, 10, 4 and 10 deals in work, nobody did anything for them.
    assert [found[who]["deals_in_work"] for who in "abc"] == [10, 10, 4]
    assert {row["depth_or_breadth"] for row in found.values()} == {None}


def test_quality_of_references(tmp_path: Path) -> None:
    """The raw key `unknown` is broken only where no such row exists."""
    sources = ("unknown", "ghost", None)
    rows = [{"contact_id": str(n), "source_id": key} for n, key in enumerate(sources)]
    write(tmp_path, "crm.contacts", *(row | {"created_at": "2026-03-01"} for row in rows))
    assert _broken(tmp_path) == 2
    write(tmp_path, "crm.sources", {"source_id": "unknown", "name": "?"})
    assert _broken(tmp_path) == 1


def _broken(raw: Path) -> Any:
    found = by(reference(raw).tables["data_quality_daily"], "table_name", "check_name")
    return found["crm.contacts", "broken_ref:source_id"]["rows"]


def test_periods() -> None:
    """Ends of periods."""
    assert period_start(date(2026, 1, 1), "week") == date(2025, 12, 29)
    assert period_end(date(2025, 10, 1), "quarter") == date(2025, 12, 31)
    assert period_end(date(2028, 1, 1), "year") == date(2028, 12, 31)


@pytest.mark.parametrize("kind", ["mild", "hostile"])
def test_zones_leave_nothing_open(tmp_path: Path, kind: str) -> None:
    """Versions of a key that tie in both times are the same; a seed gives the same zone."""
    rows = [read_zone(generate(tmp_path / n, 7, kind), Variables()) for n in ("a", "b")]
    for name, table in rows[0].items():
        again = rows[1][name]
        assert sorted(row.rank() for row in table.kept) == sorted(row.rank() for row in again.kept)
        for versions in table.versions().values():
            for newer, older in pairwise(versions):
                assert newer.rank()[:2] != older.rank()[:2] or newer.values == older.values


def test_comparison(tmp_path: Path) -> None:
    """A warehouse that agrees, and what is said of one that does not."""
    raw = generate(tmp_path / "raw", 3, "mild")
    result = reference(raw)
    published = tmp_path / "published.duckdb"
    publish(result, published)
    assert differences(published, raw, Variables(), {}) == []
    with duckdb.connect(str(published)) as connection:
        connection.execute("update marts.fct_leads set is_target = not is_target")
        connection.execute("delete from marts.customer_value")
        connection.execute("alter table marts.kpi_daily drop calls_60s")
    broken = ("fct_leads", "customer_value", "kpi_daily")
    result = replace(result, tables={name: result.tables[name] for name in broken}, quarantine={})
    found = disagreements(published, result)
    assert any("marts.fct_leads (lead_id=" in line and "is_target" in line for line in found)
    assert any("marts.customer_value" in line and "published 0" in line for line in found)
    assert "marts.kpi_daily: no column calls_60s" in found
    passed_over = disagreements(published, result, only_existing=True)
    assert "marts.kpi_daily: no column calls_60s" not in passed_over


_ARROW_TYPES = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    Decimal: pa.decimal128(38, 4),
    datetime: pa.timestamp("us", "UTC"),
    date: pa.date32(),
    str: pa.string(),
}


def publish(result: Reference, path: Path) -> None:
    """Writes the reference as if it were the warehouse."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts; create schema quarantine")
        for name, rows in result.tables.items():
            _create(connection, f"marts.{name}", rows)
        for name, reasons in result.quarantine.items():
            table = f"quarantine.{name.replace('.', '_')}"
            connection.execute(f"create table {table} (reasons varchar[])")
            for row in reasons:
                connection.execute(f"insert into {table} values (?)", [list(row)])


def _create(connection: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    arrays = {}
    for column in rows[0]:
        values = [row[column] for row in rows]
        kinds = {type(value) for value in values if value is not None}
        kind = next(iter(kinds), str) if len(kinds) < 2 else float
        if kind is float:
            values = [None if value is None else float(value) for value in values]
        arrays[column] = pa.array(values, _ARROW_TYPES[kind])
    connection.register("arriving", pa.table(arrays))
    connection.execute(f"create table {name} as from arriving")
    connection.unregister("arriving")
