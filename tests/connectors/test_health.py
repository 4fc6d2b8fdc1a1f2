"""What `voronka doctor` says of connections, and `connect check` of files."""

from __future__ import annotations

import duckdb
import pytest

from orchestration.base.errors import WrongUse
from orchestration.connectors.health import examine
from orchestration.connectors.run import check, draft
from tests.connectors.test_files import FOLDER, NOW, connect


def texts(place) -> list[str]:
    return [f"{it.grade}: {it.text}" for it in examine(place.settings(NOW))]


def build(place, legs: str, spend: str, sessions: str) -> None:
    """A private build with these rows."""
    file = place.settings(NOW).build_file
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            f"""
            create schema intermediate; create schema staging; create schema marts;
            create table intermediate.int_calls__legs as {legs};
            create table staging.stg_crm__sources as select 'ads' as source_id, ' ' as name;
            create table staging.stg_marketing__ad_spend as {spend};
            create table marts.fct_call_sessions as {sessions}
            """
        )


def test_without_connections_nothing_is_said(place):
    assert texts(place) == []


def test_a_connection_that_never_ran_is_named(place):
    connect(place, "quotas", "ugly_quotas_merged_headers.xlsx")
    assert [it for it in texts(place) if "never" in it] == [
        "note: Connection sheet (Files people export (CSV, TSV, XLSX, XLS, ODS)) has never run"
    ]


def test_what_systems_do_not_share_is_named(place):
    connect(place, "quotas", "ugly_quotas_merged_headers.xlsx")
    build(
        place,
        "select '101' as extension, null as manager_id union all select '102', 'anna'",
        "select 'banner' as source_id",
        "select '+7' as customer_number, if(range = 0, 'vera', 'unknown') as contact_id "
        "from range(100)",
    )
    assert texts(place)[1:] == [
        "note: 1 extension held by nobody; the calls are nobody's",
        "note: 2 sources without a name",
        "note: 1% of 100 conversations have a contact of the CRM: the phones of CRM and telephony "
        "hardly ever meet",
    ]


def test_a_file_is_previewed_and_drafted(place):
    connect(place, "quotas", "ugly_quotas_merged_headers.xlsx")
    file = FOLDER / "ugly_quotas_merged_headers.xlsx"
    found = list(check(place.settings(NOW), "sheet", file=file))
    assert found[0].grade == "good"
    assert "ugly_quotas_merged_headers.xlsx" in found[0].text
    assert "table: crm.quotas" in draft(file)
    with pytest.raises(WrongUse, match="none"):
        draft(FOLDER / "none.csv")
    assert not list(place.raw.glob("**/*.parquet"))
