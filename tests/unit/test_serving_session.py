"""Rows and masks of each kind of viewer, on a published file in a few lines."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.metrics.query import Request
from orchestration.serving.session import Warehouse
from orchestration.serving.viewer import LOCAL, NotAllowed, Viewer
from tests.unit.serving_company import SEED, publish

ANNA = Viewer("anna", managers=frozenset({"m1"}))
READER = Viewer("voronka_reader")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return publish(tmp_path, "first")


@pytest.fixture
def warehouse(settings):
    opened = Warehouse(settings)
    yield opened
    opened.close()


def rows(warehouse: Warehouse, viewer: Viewer, sql: str) -> list[tuple]:
    with warehouse.session(viewer) as session:
        return session.connection.execute(sql).fetchall()


def test_who_sits_at_the_machine_sees_all_as_it_is(warehouse):
    assert rows(warehouse, LOCAL, "select deal_id from marts.fct_deals order by 1") == [
        ("d1",), ("d2",), ("d3",),
    ]  # fmt: skip
    assert rows(warehouse, LOCAL, "select email from marts.dim_manager order by 1") == [
        ("anna@ours.ru",), ("boris@ours.ru",), (None,),
    ]  # fmt: skip
    assert rows(warehouse, LOCAL, "select deal_id from quarantine.crm_deals") == [("broken",)]


def test_the_reader_sees_every_row_masked_and_no_quarantine(warehouse):
    assert rows(warehouse, READER, "select count(*) from marts.fct_deals") == [(3,)]
    masked = "select manager_id, email from marts.dim_manager order by 1"
    assert rows(warehouse, READER, masked) == [
        ("m1", "***"), ("m2", "***"), ("m3", None),
    ]  # fmt: skip
    with pytest.raises(NotAllowed, match=r"^quarantine\.crm_deals is not shown to this role"):
        rows(warehouse, READER, "select count(*) from quarantine.crm_deals")


def test_a_manager_sees_rows_that_name_him_in_any_column(warehouse):
    assert rows(warehouse, ANNA, "select deal_id from marts.fct_deals") == [("d1",)]
    assert rows(warehouse, ANNA, "select manager_name from marts.dim_manager") == [("Anna",)]
    # He set one, held another, and has nothing to do with the third.
    assert rows(warehouse, ANNA, "select meeting_id from marts.fct_meetings order by 1") == [
        ("held",), ("set",),
    ]  # fmt: skip
    assert rows(warehouse, ANNA, "select count(*) from marts.dim_source") == [(2,)]
    assert rows(warehouse, ANNA, "select publication_id from quality.publication") == [("first",)]


def test_who_has_no_managers_sees_no_rows(warehouse):
    nobody = Viewer("nobody", managers=frozenset())
    assert rows(warehouse, nobody, "select count(*) from marts.fct_deals") == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from marts.fct_ad_spend",
        "select count(*) from marts.fct_ad_spend",
        "select sum(spend) from marts.fct_ad_spend where date_day > date '2027-01-01'",
        "select max(spend) from marts.fct_ad_spend where spend > 3",
        "select count(*) from marts.fct_ad_spend as s join marts.dim_source using (source_id)",
        "select count(*) from quarantine.crm_deals",
    ],
)
def test_a_table_without_managers_fails_instead_of_giving_zero(warehouse, sql):
    with pytest.raises(NotAllowed, match="is not shown to this role"):
        rows(warehouse, ANNA, sql)


def test_figures_are_of_the_viewers_rows_by_the_same_definitions(warehouse):
    request = Request(("deals_amount",), ("manager",))
    with warehouse.session(ANNA) as session:
        assert session.metrics.answer(request).rows == [("m1", Decimal("10.00"))]
    with warehouse.session(READER) as session:
        assert session.metrics.answer(request).rows == [
            ("m1", Decimal("10.00")), ("m2", Decimal("20.00")), ("m3", Decimal("40.00")),
        ]  # fmt: skip


def test_the_number_of_loaded_rows_is_not_told_to_a_limited_role(warehouse):
    sql = "select table_name, rows_kept from quality.raw_reconciliation order by all"
    assert rows(warehouse, ANNA, sql) == [("crm.deals", 1), ("crm.leads", 0)]
    assert rows(warehouse, READER, sql) == [("crm.deals", 3), ("crm.leads", 0)]


def test_a_session_reads_nothing_but_the_published_file(warehouse, settings):
    for sql in (
        f"select * from read_csv('{settings.root / SEED}')",
        f"attach '{settings.published_file}' as other",
        "copy (select 1) to 'x.csv'",
        "set enable_external_access = true",
        "install httpfs",
    ):
        with pytest.raises(duckdb.Error):
            rows(warehouse, LOCAL, sql)


def test_a_question_sees_one_publication_from_begin_to_end(warehouse, settings):
    with warehouse.session(READER) as before:
        publish(settings.data, "second", more="delete from marts.fct_deals where deal_id = 'd3'")
        with warehouse.session(READER) as after:
            assert after.publication_id == "second"
            assert after.connection.execute("select count(*) from marts.fct_deals").fetchall() == [
                (2,)
            ]
        assert before.publication_id == "first"
        assert before.connection.execute("select count(*) from marts.fct_deals").fetchall() == [
            (3,)
        ]
    assert warehouse.publication_id == "second"


def test_roles_are_those_of_the_seed_and_the_two_of_the_settings(warehouse, settings):
    assert warehouse.viewer("head_north").managers == {"m1", "m2"}
    assert warehouse.viewer("anna").managers == {"m1"}
    assert warehouse.viewer("left_long_ago").managers == frozenset()
    assert warehouse.viewer("voronka_reader") == READER
    assert warehouse.viewer("voronka_personal").is_personal
    for role in ("nobody", "", "voronka_reader ", "anna' or 'a' = 'a"):
        with pytest.raises(NotAllowed, match="sees nothing here"):
            warehouse.viewer(role)


def test_a_changed_seed_acts_at_once(warehouse, settings):
    seed = settings.root / SEED
    assert warehouse.viewer("anna").managers == {"m1"}
    seed.write_text("role_name,scope,value\nboris,manager,m2\n")
    os.utime(seed, ns=(1, 1))
    assert warehouse.viewer("boris").managers == {"m2"}
    with pytest.raises(NotAllowed):
        warehouse.viewer("anna")


def test_without_a_publication_it_says_what_to_do(tmp_path):
    warehouse = Warehouse(Settings(data_dir=tmp_path))
    with pytest.raises(WrongUse, match="Nothing is published"), warehouse.session(LOCAL):
        pass


def test_a_file_that_does_not_say_what_is_personal_is_shown_to_nobody_but_its_owner(
    warehouse, settings
):
    publish(settings.data, "older", more="drop table quality.table_access")
    assert rows(warehouse, LOCAL, "select count(*) from marts.fct_deals") == [(3,)]
    with pytest.raises(WrongUse, match="does not say what is personal"):
        rows(warehouse, READER, "select count(*) from marts.fct_deals")


@pytest.mark.parametrize(
    ("table", "column", "hidden"),
    [
        ("fct_deals", "deal_id", "d3"),
        ("fct_meetings", "meeting_id", "another"),
        ("dim_manager", "manager_name", "Vera"),
        ("fct_deals join marts.dim_manager using (manager_id)", "manager_name", "Vera"),
        ("dim_manager", "email", "anna@ours.ru"),
    ],
)
@pytest.mark.parametrize("managers", [{"m1"}, {"m1", "m2"}])
def test_a_condition_that_fails_is_not_tried_on_what_is_hidden(
    warehouse, table, column, hidden, managers
):
    """Else an error would tell whether the value is there; Postgres has barriers against it."""
    fails = f"cast(nullif(cast({column} = '{hidden}' as varchar), 'false') || 'x' as integer)"
    sql = f"select count(*) from marts.{table} where {fails} is null"
    viewer = Viewer("some", managers=frozenset(managers))
    assert rows(warehouse, viewer, sql)
    with pytest.raises(duckdb.ConversionException):
        rows(warehouse, LOCAL, sql)
