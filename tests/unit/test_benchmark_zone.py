"""The benchmark's company keeps the contract and is the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.scan import scan
from tests.benchmark.zone.generator import END, LAST_MONTH, LOADS, Company
from tests.conftest import ROOT

CALLS = 20_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`base` is the history, `day` what comes on the next day."""
    folder = tmp_path_factory.mktemp("company")
    company = Company(CALLS)
    company.write_history(folder / "base")
    company.write_day(folder / "day", 1)
    company.close()
    return folder


@pytest.fixture
def ask(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Views `calls` and `new_calls`, and so on: the history's and the day's rows."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in ("leads", "deals", "contacts", "contact_phones", "activities"):
            _view(connection, table, folder / "base/crm" / table)
            _view(connection, f"new_{table}", folder / "day/crm" / table)
        _view(connection, "calls", folder / "base/telephony/calls")
        _view(connection, "new_calls", folder / "day/telephony/calls")
        _view(connection, "rates", folder / "base/finance/exchange_rates")
        _view(connection, "new_rates", folder / "day/finance/exchange_rates")
        yield connection


def _view(connection: duckdb.DuckDBPyConnection, name: str, files: Path) -> None:
    connection.execute(f"create view {name} as from '{files}/*.parquet'")


def value(connection: duckdb.DuckDBPyConnection, sql: str) -> object:
    found = connection.execute(sql).fetchone()
    assert found is not None
    return found[0]


def test_the_same_company_is_written_byte_for_byte(folder, tmp_path):
    company = Company(CALLS)
    company.write_day(tmp_path, 1)
    company.close()

    def contents(root: Path) -> dict[str, bytes]:
        return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.parquet"))}

    assert len(contents(tmp_path)) > 9
    assert contents(tmp_path) == contents(folder / "day")


def test_its_zone_has_every_table_of_the_contract_and_nothing_else(folder):
    zone = scan(folder / "base", load_contract(ROOT))
    assert zone.problems == ()
    assert zone.drift == ()
    # No mart counts what was said.
    assert zone.missing_tables == ["telephony.call_transcripts"]


def test_its_values_have_the_contracts_own_types(folder):
    kinds = {
        "timestamp": {"TIMESTAMP WITH TIME ZONE"},
        "date": {"DATE"},
        "boolean": {"BOOLEAN"},
        "text": {"VARCHAR"},
        "integer": {"BIGINT", "INTEGER"},
    }
    wrong = [
        (table.contract.full_name, name, kind)
        for table in scan(folder / "base", load_contract(ROOT)).tables
        for file in table.files
        for name, kind in file.columns
        for column in table.contract.columns
        if column.name == name and kind not in kinds.get(column.data_type, {kind})
    ]
    assert wrong == []


def test_it_has_as_many_calls_as_asked_for_and_the_rest_in_proportion(ask):
    calls = value(ask, "select count(*) from calls")
    assert CALLS * 0.95 < calls < CALLS * 1.05
    for table, key, share in (
        ("leads", "lead_id", 0.04),
        ("contacts", "contact_id", 0.04),
        ("deals", "deal_id", 0.012),
        ("activities", "activity_id", 0.06),
    ):
        found = value(ask, f"select count(distinct {key}) from {table}")
        assert share * 0.8 < found / CALLS < share * 1.25, table


def test_conversations_have_several_legs_and_menus_have_no_extension(ask):
    legs, sessions, menus = ask.execute(
        "select count(*), count(distinct linked_id), count(*) filter (where extension is null) "
        "from calls where linked_id is not null"
    ).fetchone()
    assert 1.2 < legs / sessions < 1.8
    assert 0.1 < menus / legs < 0.4


def test_working_hours_are_busy_and_nights_are_not(ask):
    at_night = value(ask, "select avg(if(hour(started_at + interval 3 hour) < 7, 1, 0)) from calls")
    assert 0 < at_night < 0.03


def test_nothing_of_the_history_happened_after_its_end(ask):
    end = LOADS[LAST_MONTH].until
    assert f"{end:%Y-%m-%d %H:%M}" == f"{END.replace(day=END.day - 1)} 21:00"
    assert value(ask, "select max(started_at) from calls") < end
    assert value(ask, "select min(_loaded_at) from new_calls") > value(
        ask, "select max(_loaded_at) from calls"
    )


def test_some_rows_break_the_contract_but_few(ask):
    broken = value(
        ask, "select avg(if(ended_at < started_at or direction = 'conference', 1, 0)) from calls"
    )
    assert 0 < broken < 0.005


def test_the_day_is_a_730th_of_the_history(ask):
    day = value(ask, "select count(*) from new_calls")
    assert 0.5 < day / (CALLS / 730) < 2


def test_the_day_brings_new_versions_deletions_and_a_late_rate(ask):
    moved = value(
        ask, "select count(*) from new_deals where deal_id in (select deal_id from deals)"
    )
    assert moved > 0
    assert value(ask, "select count(*) from new_rates where rate_date = date '2026-09-29'") == 1
    assert value(ask, "select count(*) from rates where rate_date = date '2026-09-29'") == 3


def test_on_the_day_a_phone_changes_its_owner(ask):
    taken_over = value(
        ask,
        "select count(*) from new_contact_phones as taken inner join contact_phones as before "
        "on right(regexp_replace(before.phone, '[^0-9]', '', 'g'), 10) = right(taken.phone, 10) "
        "and before.contact_id != taken.contact_id",
    )
    assert taken_over > 0


def test_a_greater_company_has_late_calls_and_deletions_on_the_day(tmp_path):
    company = Company(100_000)
    company.write_day(tmp_path, 1)
    company.close()
    with duckdb.connect() as connection:
        _view(connection, "calls", tmp_path / "telephony/calls")
        _view(connection, "leads", tmp_path / "crm/leads")
        late = value(
            connection, f"select count(*) from calls where started_at < '{LOADS[-10].since}'"
        )
        assert late > 0
        assert value(connection, "select count(*) from leads where is_deleted") > 0
