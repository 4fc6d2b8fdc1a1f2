"""What a model may know of a deal on a day does not change with what happens afterwards.

A random zone is cut at the end of a day: what has not happened by then goes. What the features
say of that day and of the days before it must be the same from both zones.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builds import Build
from tests.conftest import examples
from tests.reference.company import MOSCOW, Company, Row
from tests.reference.contract import TABLES, Table
from tests.reference.zones import KINDS, Dirtier, TableWriter

Versions = dict[str, list[Row]]
WANTED = "+int_outlook__features"

# Before its first entry a deal is in an unknown stage. The cut zone infers one stay there, which is
# its first; the whole zone has its first entry still to come.
FEATURES = """
    select * exclude (is_as_of) replace (greatest(entry_no, 1) as entry_no)
    from voronka_build.intermediate.int_outlook__features
    where observed_on <= '{until}'
"""
LAST_STAGES = """
    select fct_deals.deal_id, arg_max(entries.stage_id, entries.entry_no)
    from fct_deals
    left join fct_stage_entries as entries
        on fct_deals.deal_id = entries.deal_id and entries.entered_on <= '{until}'
    group by all
"""
# Whatever its history: what is there and not closed is looked at.
UNSEEN = """
    select deals.deal_id
    from fct_deals as deals
    cross join voronka_build.intermediate.int_refresh__as_of as today
    left join voronka_build.intermediate.int_outlook__observations as seen
        on deals.deal_id = seen.deal_id and seen.is_as_of
    left join voronka_build.intermediate.int_outlook__stays as closed
        on deals.deal_id = closed.deal_id
        and closed.stage_kind in ('won', 'lost')
        and today.as_of_date >= closed.from_on
        and (closed.until_on is null or today.as_of_date < closed.until_on)
    where deals.created_on <= today.as_of_date
        and seen.deal_id is null and closed.deal_id is null
"""
DAYS = """
    select distinct observed_on
    from voronka_build.intermediate.int_outlook__features
    where is_week_end
    order by all
"""


@pytest.mark.parametrize(
    ("seed", "kind"), [pytest.param(7, "mild", marks=pytest.mark.nightly), (11, "hostile")]
)
def test_a_day_does_not_know_what_came_later(tmp_path: Path, seed: int, kind: str) -> None:
    compare_cuts(tmp_path, seed, kind, 2)


@pytest.mark.nightly
@settings(
    max_examples=examples(1),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["mild", "hostile", "filthy"]))
def test_no_day_of_any_zone_knows_what_came_later(tmp_path: Path, seed: int, kind: str) -> None:
    compare_cuts(tmp_path, seed, kind, 3)


def compare_cuts(tmp_path: Path, seed: int, kind: str, cuts: int) -> None:
    """Cut a random zone at some week ends, and compare the features up to each."""
    home = tmp_path / f"{seed}-{kind}"
    versions = random_versions(seed, kind)
    whole = written(versions, home / "whole", seed, kind)
    whole.refresh(only=WANTED)
    assert whole.rows(UNSEEN) == []
    days = [day for (day,) in whole.rows(DAYS)]
    assert days
    for day in random.Random(seed).sample(days, min(cuts, len(days))):
        stages = dict(whole.rows(LAST_STAGES.format(until=day)))
        cut = written(cut_at(versions, day, stages), home / str(day), seed, kind)
        cut.refresh(only=WANTED, as_of=day.isoformat())
        assert (day, cut.rows(UNSEEN)) == (day, [])
        expected, found = features(cut, day), features(whole, day)
        assert (day, sorted((found - expected).items(), key=str)) == (day, [])
        assert (day, sorted((expected - found).items(), key=str)) == (day, [])


def features(build: Build, until: date) -> Counter[tuple[Any, ...]]:
    """The features of all days up to one."""
    return Counter(build.rows(FEATURES.format(until=until)))


def random_versions(seed: int, kind: str) -> Versions:
    """All versions of all rows of a random zone, by table."""
    rng, dirt = random.Random(f"{kind} {seed}"), KINDS[kind]
    company = Company(rng, dirt.mess)
    rows = company.make()
    since = datetime.combine(company.start, time(), UTC)
    last_load = since + timedelta(days=rng.randrange(20, 150), hours=3)
    return {
        name: Dirtier(rng, dirt, table, since, last_load).versions(rows[name])
        for name, table in TABLES.items()
    }


def written(versions: Versions, home: Path, seed: int, kind: str) -> Build:
    """A build of these rows; every file has every column."""
    rng, dirt = random.Random(seed), replace(KINDS[kind], no_column=0.0)
    for name, table in TABLES.items():
        TableWriter(rng, dirt, table, ZoneInfo("UTC")).write(home / "raw", versions[name])
    return Build(home / "data", home / "raw")


def cut_at(versions: Versions, day: date, stages: dict[str, str | None]) -> Versions:
    """What had happened by the end of a day, with the stages in which the deals were then."""
    end = datetime.combine(day + timedelta(days=1), time(), MOSCOW)
    cut = {name: cut_table(TABLES[name], rows, end) for name, rows in versions.items()}
    for row in cut["crm.deals"]:
        if row["stage_id"] and row["stage_id"].strip():
            row["stage_id"] = stages.get(row["deal_id"]) or "unknown"
    return cut


def cut_table(table: Table, rows: list[Row], end: datetime) -> list[Row]:
    """Rows that had begun by then, without later times. Versions of a row stay together."""
    times = [
        column
        for column in table.columns
        if column.type == "timestamp" and column.name not in ("_loaded_at", "updated_at")
    ]
    first = next((it.name for it in times if it.is_required or it.is_key), None)

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(row[column.name] for column in table.key)

    later = {key(row) for row in rows if first and is_later(row[first], end)}
    return [
        row | {column.name: None for column in times if is_later(row[column.name], end)}
        for row in rows
        if key(row) not in later
    ]


def is_later(value: Any, end: datetime) -> bool:
    """Whether a time that can be read is not before an instant."""
    return isinstance(value, datetime) and end <= value < datetime(2100, 1, 1, tzinfo=UTC)
