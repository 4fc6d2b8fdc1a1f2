"""The checks that a person may accept, on builds of a few rows."""

from __future__ import annotations

import duckdb
import pytest

from orchestration.base.errors import ChecksFailed
from orchestration.base.record import CheckOutcome
from orchestration.expectations.acceptance import (
    PublishedBefore,
    judge_money,
    judge_new_rows,
    published_before,
    raise_stopping,
)
from orchestration.expectations.hints import hint
from orchestration.raw_zone.contract import Column, load_contract
from tests.conftest import ROOT

CONTRACT = load_contract(ROOT)


def build(
    files: list[tuple[str, int, int]], value: str = "1795082400"
) -> duckdb.DuckDBPyConnection:
    """A build whose leads came in files of (name, rows, rows in quarantine)."""
    connection = duckdb.connect()
    connection.execute("create schema quarantine")
    for table in CONTRACT.tables.values():
        columns = ", ".join(f'"{column.name}" varchar' for column in table.columns)
        connection.execute(
            f'create table quarantine."{table.source}_{table.name}" '
            f"({columns}, reasons varchar[], _file varchar)"
        )
    connection.execute(
        "create temp table listed_files "
        "(table_name varchar, file varchar, rows bigint, bytes bigint)"
    )
    for name, rows, quarantined in files:
        connection.execute(f"insert into listed_files values ('crm.leads', '{name}', {rows}, 1)")
        for number in range(quarantined):
            connection.execute(
                "insert into quarantine.crm_leads (lead_id, created_at, reasons, _file) values "
                f"('{number}', '{value}', ['created_at: type'], '{name}')"
            )
    return connection


def judged(
    files: list[tuple[str, int, int]],
    before: PublishedBefore | None = None,
    share: float = 0.5,
    accepted: tuple[str, ...] = (),
) -> CheckOutcome:
    return judge_new_rows(build(files), CONTRACT, before or PublishedBefore(), share, accepted)


@pytest.mark.parametrize(
    ("rows", "quarantined", "status"),
    [
        (20, 10, "fail"),
        (20, 9, "warn"),
        (20, 1, "warn"),
        (21, 1, "pass"),
        (100, 0, "pass"),
        # Below twenty rows their share says little, unless nothing came in.
        (19, 18, "pass"),
        (19, 19, "warn"),
        (1, 1, "warn"),
    ],
)
def test_the_share_of_new_rows_in_quarantine_decides(rows, quarantined, status):
    found = judged([("new.parquet", rows, quarantined)])
    assert (found.status, found.severity) == (status, "error")
    assert found.stops_publication == (status == "fail")
    assert found.failing_rows == (0 if status == "pass" else quarantined)


@pytest.mark.parametrize(("share", "status"), [(0.2, "fail"), (0.21, "warn"), (1, "warn")])
def test_the_variable_says_from_which_share_on(share, status):
    assert judged([("new.parquet", 100, 20)], share=share).status == status


def test_a_share_below_the_warning_stops_too():
    assert judged([("new.parquet", 100, 2)], share=0.02).status == "fail"


def test_a_refused_file_says_why_with_an_example_and_a_hint():
    assert judged([("new.parquet", 22, 22)]).message == (
        "crm.leads: 22 of 22 new rows (100.0%) are in quarantine: created_at: type in 22 rows, for "
        "example 1795082400 in new.parquet (numbers of 10 digits are Unix seconds: write "
        "1795082400 as 2026-11-19T10:00:00Z)"
    )


def test_only_files_that_are_not_published_are_new():
    """A day's bad rows do not hide behind years of good ones, nor are old ones held against it."""
    before = PublishedBefore({("crm.leads", "old.parquet", 1000, 1)})
    files = [("old.parquet", 1000, 1000), ("new.parquet", 30, 0)]
    assert judged(files, before).status == "pass"
    files = [("old.parquet", 1000, 0), ("new.parquet", 30, 15)]
    assert judged(files, before).status == "fail"
    # A file of another size is another file.
    files = [("old.parquet", 1001, 1001)]
    assert judged(files, before).status == "fail"


def test_where_nothing_is_new_what_was_found_at_the_publication_still_holds():
    said = CheckOutcome("new_rows_keep_the_contract", "voronka", "q.r", "error", "warn", 22, "Bad.")
    before = PublishedBefore({("crm.leads", "old.parquet", 22, 1)}, said)
    assert judged([("old.parquet", 22, 22)], before) == said


def test_what_is_accepted_is_a_warning_that_shows_no_raw_value():
    found = judged([("new.parquet", 22, 22)], accepted=("quarantine",))
    assert (found.status, found.stops_publication) == ("warn", False)
    assert found.message == (
        "crm.leads: 22 of 22 new rows (100.0%) are in quarantine: created_at: type in 22 rows; "
        "published all the same: --accept-quarantine"
    )
    assert judged([("new.parquet", 22, 22)], accepted=("unpriced",)).status == "fail"


def test_the_published_set_of_another_zone_or_no_set_makes_all_files_new(tmp_path):
    file = tmp_path / "voronka.duckdb"
    assert published_before(file, "/raw") == PublishedBefore()
    file.write_text("no database")
    assert published_before(file, "/raw") == PublishedBefore()
    file.unlink()
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create schema quality; create table quality.publication as select '/raw' as raw_dir; "
            "create table quality.raw_files as select 'crm.leads' as table_name, 'a' as file, "
            "5::bigint as rows, 7::bigint as bytes; create table quality.checks (check_name "
            "varchar, kind varchar, asset varchar, severity varchar, status varchar, "
            "failing_rows bigint, message varchar)"
        )
    assert published_before(file, "/other") == PublishedBefore()
    assert published_before(file, "/raw").files == {("crm.leads", "a", 5, 7)}


def money(*rows: tuple[str, str, int, int]) -> duckdb.DuckDBPyConnection:
    """A build with rows of quality.unpriced_money: figure, currency, rows, without a rate."""
    connection = duckdb.connect()
    connection.execute(
        "create schema quality; create table quality.unpriced_money (figure varchar, "
        "currency varchar, rows bigint, rows_unpriced bigint, first_unpriced_on date)"
    )
    for figure, currency, count, unpriced in rows:
        day = "date '2026-11-05'" if unpriced else "null"
        connection.execute(
            "insert into quality.unpriced_money values "
            f"('{figure}', '{currency}', {count}, {unpriced}, {day})"
        )
    return connection


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ((), "pass"),
        ((("revenue", "RUB", 100, 0),), "pass"),
        ((("revenue", "RUB", 101, 0), ("revenue", "USD", 1, 1)), "pass"),
        ((("revenue", "RUB", 99, 0), ("revenue", "USD", 1, 1)), "warn"),
        ((("revenue", "RUB", 50, 0), ("revenue", "USD", 50, 50)), "warn"),
        ((("revenue", "RUB", 49, 0), ("revenue", "USD", 50, 50)), "fail"),
        # Either of the two is enough.
        ((("revenue", "RUB", 99, 0), ("won_amount", "USD", 1, 1)), "fail"),
        # What is no income stops nothing.
        *(
            (((figure, "USD", 100, unpriced),), "warn" if unpriced else "pass")
            for figure in ("lost_amount", "open_amount", "ad_spend", "sales_cost")
            for unpriced in (0, 1, 100)
        ),
    ],
)
def test_the_share_of_money_without_a_rate_decides(rows, status):
    assert judge_money(money(*rows), ()).status == status


def test_money_without_a_rate_is_named_with_its_currencies():
    rows = (("revenue", "RUB", 1, 0), ("revenue", "USD", 3, 2), ("revenue", "EUR", 3, 3))
    found = judge_money(money(*rows), ())
    assert (found.status, found.failing_rows) == ("fail", 5)
    assert found.message == (
        "revenue lacks 5 of 7 payments (71.4%): no rate of EUR (3 rows), "
        "USD (2 rows), first on 2026-11-05"
    )
    accepted = judge_money(money(*rows), ("unpriced",))
    assert (accepted.status, accepted.stops_publication) == ("warn", False)
    assert accepted.message.endswith("; published all the same: --accept-unpriced")


def test_every_figure_without_a_rate_is_named_with_its_currencies():
    rows = [(name, "GEL", 4, 3) for name in ("lost_amount", "open_amount", "ad_spend")]
    found = judge_money(money(*rows, ("sales_cost", "USD", 1, 1)), ())
    lacks = "no rate of {}, first on 2026-11-05"
    gel = "(75.0%): " + lacks.format("GEL (3 rows)")
    assert found.message.split("; ") == [
        f"ad_spend lacks 3 of 4 advertising costs {gel}",
        f"lost_amount lacks 3 of 4 lost deals {gel}",
        f"open_amount lacks 3 of 4 open deals {gel}",
        "sales_cost lacks 1 of 1 cost of the sales department (100.0%): "
        + lacks.format("USD (1 row)"),
    ]


def test_what_stops_the_publication_says_what_to_do():
    raise_stopping([])
    found = judge_money(money(("revenue", "USD", 1, 1)), ())
    with pytest.raises(ChecksFailed) as caught:
        raise_stopping([found])
    assert caught.value.message == "1 blocking check failed. Nothing was published."
    assert "base_currency" in caught.value.remedy and "--accept-unpriced" in caught.value.remedy
    assert caught.value.details == [
        "quality.unpriced_money: money_has_a_rate: revenue lacks 1 of 1 payment (100.0%): no rate "
        "of USD (1 row), first on 2026-11-05"
    ]


TIME, AMOUNT = Column("at", "timestamp"), Column("amount", "decimal")
KIND = Column("kind", "text", meta={"values": ["open", "won"]})


@pytest.mark.parametrize(
    ("column", "rule", "value", "says"),
    [
        (TIME, "type", "1795082400", "Unix seconds: write 1795082400 as 2026-11-19T10:00:00Z"),
        (TIME, "type", "1795082400.0", "Unix seconds"),
        (TIME, "type", "1795082400123", "13 digits are Unix milliseconds"),
        (TIME, "type", "1795082400123456", "Unix microseconds"),
        (TIME, "type", "1795082400123456789", "Unix nanoseconds"),
        (TIME, "type", "46345.5", "days of Excel's calendar: write 46345.5 as 2026-11-19 12:00"),
        (TIME, "type", "20261119", "a date has hyphens: write 20261119 as 2026-11-19"),
        (TIME, "type", "19.11.2026 10:00", "a date begins with its year"),
        (TIME, "type", "2026/11/19", "a date has hyphens"),
        (TIME, "type", "soon", ""),
        (TIME, "range", "1970-01-01 00:00:00", "leave the value empty"),
        (TIME, "range", "2200-01-01", ""),
        (AMOUNT, "type", "1234,56", "a decimal has a point"),
        (AMOUNT, "type", "1 234,56", "a decimal has a point"),
        (AMOUNT, "type", "1 234 567", "digits are not grouped"),
        (AMOUNT, "type", "100 ₽", "an amount is digits alone"),
        (AMOUNT, "type", "?", ""),
        (KIND, "enum", "closed", "the contract knows open, won"),
        (AMOUNT, "range", "-5", ""),
    ],
)
def test_a_hint_says_what_the_values_probably_are(column, rule, value, says):
    found = hint(column, rule, [value] * 3)
    assert says in found and bool(says) == bool(found)


def test_a_hint_is_about_more_than_half_of_the_values():
    assert hint(TIME, "type", ["1795082400", "soon"]) == ""
    assert "Unix seconds" in hint(TIME, "type", ["1795082400", "1795082401", "soon"])
    assert hint(TIME, "type", []) == ""
