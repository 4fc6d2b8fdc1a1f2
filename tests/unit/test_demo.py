"""The demo company: the committed raw zone, and the generator that wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import correlation

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seeds.demo import company, dirt
from seeds.demo.__main__ import FOLDERS, RAW, SEED, generate, simulate
from seeds.demo.batch import Department
from seeds.demo.clock import Calendar, local_day
from seeds.demo.dealers import CHANCES
from seeds.demo.plan import daily_counts
from seeds.demo.sales import Deal

MAY_2026 = date(2026, 5, 1)
TABLES = {
    "crm/managers",
    "crm/sources",
    "crm/contacts",
    "crm/contact_phones",
    "crm/pipelines",
    "crm/stages",
    "crm/leads",
    "crm/deals",
    "crm/deal_stage_history",
    "crm/meetings",
    "crm/activities",
    "crm/payments",
    "crm/surveys",
    "crm/quotas",
    "telephony/calls",
    "telephony/extensions",
    "telephony/call_evaluations",
    "marketing/ad_spend",
    "finance/sales_costs",
    "finance/exchange_rates",
}


def files(folder: Path) -> dict[str, bytes]:
    """Contents of the Parquet files of a raw zone by path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


def rows(folder: Path, table: str, some: str = "*") -> list[dict[str, object]]:
    """Rows of a table, as text, whatever its files' types; column names in lower case."""
    found: list[dict[str, object]] = []
    for path in sorted((folder / table.replace(".", "/")).glob(f"{some}.parquet")):
        data = pq.read_table(path)
        for row in data.rename_columns([name.lower() for name in data.column_names]).to_pylist():
            found.append({name: None if v is None else str(v) for name, v in row.items()})
    return found


@pytest.fixture(scope="module")
def may(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One month of one department."""
    folder = tmp_path_factory.mktemp("may")
    generate(folder, MAY_2026, months=1, seed=7, departments=1)
    return folder


@pytest.fixture(scope="module")
def department() -> Department:
    """The department whose exports are committed."""
    return simulate(date(2026, 4, 1), 6, SEED)


# The committed raw zone -------------------------------------------------------------------


def test_every_table_is_committed_in_several_files() -> None:
    found = Counter(
        "/".join(path.relative_to(RAW).parts[:2])
        for folder in FOLDERS
        for path in (RAW / folder).rglob("*.parquet")
    )
    assert set(found) == TABLES
    assert min(found.values()) >= 2


def test_the_committed_zone_is_under_three_megabytes() -> None:
    size = sum(len(content) for folder in FOLDERS for content in files(RAW / folder).values())
    assert 1_000_000 < size < 3_000_000


def test_the_committed_calls_are_those_the_generator_makes(department: Department) -> None:
    paths = sorted((RAW / "telephony/calls").glob("*.parquet"))
    committed = {
        key
        for path in paths
        for key in pq.read_table(path, columns=["call_id"])["call_id"].to_pylist()
    }
    made = {f"call-{leg.key:08d}" for leg in department.calls.legs}
    assert made <= committed
    assert {str(key)[:2] for key in committed - made} == {"X-"}


def test_a_later_file_repeats_rows_and_brings_newer_versions() -> None:
    paths = sorted((RAW / "crm/leads").glob("*T0300.parquet"))
    leads = pa.concat_tables(
        pq.read_table(path, columns=["lead_id", "updated_at"]) for path in paths
    )
    versions = Counter(leads["lead_id"].to_pylist())
    repeated = Counter(
        zip(
            leads["lead_id"].to_pylist(), leads["updated_at"].cast("int64").to_pylist(), strict=True
        )
    )
    assert sum(count > 1 for count in versions.values()) > 50
    assert 0 < sum(count > 1 for count in repeated.values()) < len(repeated) // 20


def test_one_export_has_a_column_of_its_own() -> None:
    schemas = [set(pq.read_schema(p).names) for p in sorted((RAW / "crm/leads").glob("*.parquet"))]
    assert [("utm_content" in names) for names in schemas].count(True) == 2


# Dirt -------------------------------------------------------------------------------------

DIRT: list[tuple[str, str, str, str, str | None]] = [
    # rule, table, key, column, the raw value that breaks it
    ("required", "crm.contacts", "X-4", "created_at", None),
    ("required", "crm.leads", "X-9", "_loaded_at", None),
    ("required", "crm.managers", "m-94", "full_name", "  \t "),
    ("type", "crm.contacts", "X-5", "created_at", "вчера"),
    ("type", "crm.payments", "X-7", "amount", "12 500,00"),
    ("type", "telephony.call_evaluations", "X-2", "score", "inf"),
    ("enum", "crm.payments", "X-8", "kind", "бонус"),
    ("enum", "telephony.calls", "X-9", "disposition", "ringing"),
    ("enum", "crm.activities", "X-5", "direction", "sideways"),
    ("range", "crm.surveys", "X-3", "score", "6"),
    ("range", "crm.deals", "X-7", "amount", "-1"),
    ("range", "crm.contacts", "X-7", "created_at", "2100-01-01 00:00:00"),
    ("period", "crm.quotas", "m-05", "period_start", "2026-04-02"),
    ("period", "finance.sales_costs", "2026-04-02", "month", "2026-04-02"),
]
ORDERS = [
    ("crm.managers", "hired_on", "dismissed_on"),
    ("crm.leads", "created_at", "taken_at"),
    ("crm.leads", "created_at", "qualified_at"),
    ("crm.deals", "created_at", "closed_at"),
    ("crm.meetings", "set_at", "confirmed_at"),
    ("crm.meetings", "set_at", "held_at"),
    ("telephony.calls", "started_at", "ended_at"),
    ("telephony.calls", "started_at", "answered_at"),
]


@pytest.mark.parametrize(("rule", "table", "key", "column", "value"), DIRT)
def test_the_raw_rows_break_each_rule(
    rule: str, table: str, key: str, column: str, value: str | None
) -> None:
    found = rows(RAW, table, "*-by-hand") + rows(RAW, table, "*-from-frame")
    assert value in [row.get(column) for row in found if key in row.values()], rule


@pytest.mark.parametrize(("table", "earlier", "later"), ORDERS)
def test_the_raw_rows_break_each_order(table: str, earlier: str, later: str) -> None:
    by_hand = dirt.by_hand(dirt.Days(Calendar(date(2026, 4, 1), 6)))[table]
    pairs = [(str(row[earlier]), str(row[later])) for row in by_hand if row.get(later)]
    dated = [(a, b) for a, b in pairs if a[:2] == b[:2] == "20"]
    assert any(b < a for a, b in dated)


def test_a_retired_source_comes_as_a_bare_deletion() -> None:
    partners = [row for row in rows(RAW, "crm.sources") if row["source_id"] == "partners"]
    assert [(row["name"], row["is_deleted"]) for row in partners] == [
        ("Партнёры (закрыт)", "False"),
        (None, "True"),
    ]


def test_whole_numbers_come_as_floating_ones_and_nothing_as_nan() -> None:
    frames = [pq.read_table(p) for p in sorted((RAW / "crm/deals").glob("*from-frame.parquet"))]
    assert frames[0]["deal_id"].to_pylist() == [900001.0, 900002.0]
    assert [str(v) for v in frames[0]["amount"].to_pylist()] == ["150000.0", "nan"]


# The generator ----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(may: Path, tmp_path: Path) -> None:
    generate(tmp_path, MAY_2026, months=1, seed=7, departments=1)
    assert files(tmp_path) == files(may)


def test_another_seed_gives_other_calls() -> None:
    seven, eight = (
        [leg.started for leg in simulate(MAY_2026, 1, seed).calls.legs] for seed in (7, 8)
    )
    assert len(seven) == pytest.approx(len(eight), rel=0.03)
    assert seven != eight


def test_departments_share_no_keys_and_no_telephones(may: Path, tmp_path: Path) -> None:
    generate(tmp_path, MAY_2026, months=1, seed=7, departments=3)
    name = "2026-06-01T0300.parquet"
    for table, column in (
        ("crm/leads", "lead_id"),
        ("crm/contact_phones", "phone"),
        ("crm/meetings", "meeting_id"),
        ("telephony/calls", "call_id"),
    ):
        one = pq.read_table(may / table / name)[column]
        three = pq.read_table(tmp_path / table / name)[column]
        assert len(three) == 3 * len(one)
        assert len(set(three.to_pylist())) == 3 * len(set(one.to_pylist()))
    names = pq.read_table(tmp_path / "crm/managers" / "2026-05-15T0300.parquet")["full_name"]
    assert pa.compute.count_distinct(names).as_py() == len(names)


def test_a_week_has_its_planned_number_of_events() -> None:
    calendar = Calendar(date(2026, 4, 1), 6)
    counts = daily_counts(calendar, Random(3), lambda _: 1.0)
    weeks = Counter(day.isocalendar().week for day, n in counts.items() for _ in range(n))
    assert [weeks[week] for week in range(14, 27)] == [3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]


# Orders of dealers -------------------------------------------------------------------------


def orders(department: Department) -> list[Deal]:
    """Deals whose chances the generator knows."""
    return [deal for deal in department.sales.deals if deal.key in department.dealers.chances]


def test_dealers_take_the_keys_after_all_others(department: Department) -> None:
    """So nothing of the rest of the department changes with them."""
    mine = orders(department)
    assert [deal.key for deal in mine] == [d.key for d in department.sales.deals[-len(mine) :]]
    people = department.dealers.people
    assert people == department.sales.contacts[-len(people) :]
    known = department.dealers.chances
    paid = [payment.deal.key in known for payment in department.sales.payments]
    written = [
        touch.deal is not None and touch.deal.key in known
        for touch in department.touches.activities
    ]
    assert (paid, written) == (sorted(paid), sorted(written))
    called = {end for leg in department.calls.legs for end in (leg.from_number, leg.to_number)}
    assert not called & {phone for person in people for phone in person.phones}


def test_questions_of_the_first_day_tell_the_chance(department: Department) -> None:
    asked: Counter[int] = Counter()
    for touch in department.touches.activities:
        if touch.deal and touch.deal.source == "dealers" and touch.direction == "in":
            assert local_day(touch.at) == local_day(touch.deal.created)
            assert touch.at > touch.deal.created
            asked[touch.deal.key] += 1
    chances = department.dealers.chances
    assert {key: CHANCES[asked[key]] for key in chances} == chances
    closed = [deal for deal in orders(department) if deal.is_closed]
    for chance in CHANCES.values():
        won = [deal.moves[-1][1] == "d_won" for deal in closed if chances[deal.key] == chance]
        assert len(won) > 80
        assert sum(won) / len(won) == pytest.approx(chance, abs=0.01)


def test_nothing_else_of_an_order_tells_how_it_ends(department: Department) -> None:
    """Age, stage, amount, owner and what the farmer writes are as usual where it is won."""
    mine = orders(department)
    written = Counter(
        touch.deal.key
        for touch in department.touches.activities
        if touch.deal and touch.direction == "out"
    )
    figures: dict[str, Callable[[Deal], float]] = {
        "age": lambda deal: deal.moves[-1][0] - deal.created,
        "stage": lambda deal: len(deal.moves),
        "amount": lambda deal: deal.amount,
        "owner": lambda deal: deal.owner,
        "contact": lambda deal: deal.contact.key,
        "written": lambda deal: written[deal.key],
    }
    closed = [deal for deal in mine if deal.is_closed]
    chance = [department.dealers.chances[deal.key] for deal in closed]
    left = [(deal.moves[-1][1] == "d_won") - p for deal, p in zip(closed, chance, strict=True)]
    for name, figure in figures.items():
        assert abs(correlation([figure(deal) for deal in closed], left)) < 0.1, name
    assert len(mine) - len(closed) >= 150


# The stories ------------------------------------------------------------------------------


def by_month(person: int, items: Iterable[tuple[int, int | None]]) -> list[int]:
    """Events of a person from April to September, from (person, moment)."""
    counts = Counter(local_day(at).month for who, at in items if who == person and at)
    return [counts[month] for month in range(4, 10)]


def ratios(numbers: list[int]) -> list[float]:
    """Each number after the first as a share of the one before."""
    return [now / before for before, now in pairwise(numbers)]


MEETING_FIGURES: dict[str, Callable[[Department], list[tuple[int, int | None]]]] = {
    "set": lambda d: [(m.set_by, m.set_at) for m in d.sales.meetings],
    "held": lambda d: [(m.set_by, m.held) for m in d.sales.meetings],
    "paid": lambda d: [
        (m.set_by, m.deal.first_paid)
        for m in d.sales.meetings
        if m.held and m.deal.first_paid and m.held < m.deal.first_paid
    ],
}
# The only months, as distances from April, in which a lead generator's figure falls.
FALLS = {
    (company.SLACKER, "set"): [2],
    (company.SLACKER, "held"): [2],
    (company.SLACKER, "paid"): [2],
    (company.UNHEARING, "paid"): [3],
    (company.DECAYED, "held"): [5],
    (company.DECAYED, "paid"): [4, 5],
}


@pytest.mark.parametrize("figure", MEETING_FIGURES)
@pytest.mark.parametrize("person", company.LEAD_GENERATORS)
def test_figures_fall_in_the_stories_and_nowhere_else(
    department: Department, person: int, figure: str
) -> None:
    counts = by_month(person, MEETING_FIGURES[figure](department))
    fallen = [month for month, ratio in enumerate(ratios(counts), start=1) if ratio < 0.8]
    assert fallen == FALLS.get((person, figure), [])


def test_the_source_decays_from_august_on(department: Department) -> None:
    leads = [
        (local_day(lead.qualified).month, lead.is_target)
        for lead in department.sales.leads
        if lead.qualified and lead.source == company.DECAYING_SOURCE
    ]
    shares = [
        sum(bool(t) for month, t in leads if month == m) / sum(month == m for month, _ in leads)
        for m in (7, 8, 9)
    ]
    assert shares == pytest.approx([0.62, 0.32, 0.12], abs=0.02)
