"""What Spark built is in the private build as dbt-duckdb would have left it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.base.cache import table_versions
from orchestration.base.errors import BuildFailed
from orchestration.base.settings import Settings
from orchestration.base.sql import attach
from orchestration.models.dbt import Manifest
from orchestration.models.handover import bring_outlook, hand_over, handed_over
from orchestration.spark.connection import Spark

from .handed import PROJECT, build, built, manifest_of, node

_NUMBERS = count()

TYPES = {
    "id": "string",
    "on_day": "date",
    "at_instant": "timestamp with time zone",
    "at_wall": "timestamp",
    "small": "integer",
    "big": "bigint",
    "money": "decimal(38, 2)",
    "rate": "decimal(18, 8)",
    "share": "double",
    "is_so": "boolean",
}
# Nulls first, then by bytes: a capital comes before a small letter, that before what is not ASCII.
ROWS = """
    select * from values
    ('ж', date'1582-10-10', timestamp'9999-12-31 23:59:59.999999 UTC',
        timestamp_ntz'2026-03-29 02:30:00', 1, 9223372036854775807L,
        123456789012345678901234567890123456.78BD, 0.00000001BD, double('NaN'), true),
    ('b', date'0001-01-01', timestamp'2026-01-01 00:00:00.000001 UTC',
        timestamp_ntz'1969-12-31 23:59:59', -2147483648, -1L, -0.01BD, 1BD, -0.0D, false),
    (null, null, null, null, null, null, null, null, null, null),
    ('Z', date'9999-12-31', timestamp'0001-01-01 00:00:00 UTC', timestamp_ntz'0001-01-01 00:00:00',
        0, 0L, 0BD, 2BD, double('Infinity'), null)
    as t(id, on_day, at_instant, at_wall, small, big, money, rate, share, is_so)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a build and a prefix of their own, in the one session."""
    prefix = f"h{next(_NUMBERS)}_"
    return Settings(project_dir=PROJECT, data_dir=tmp_path, engine="spark", spark_prefix=prefix)


def asked(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        attach(connection, *settings.build_files)
        return connection.execute(sql).fetchall()


def types_of(settings: Settings, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in asked(settings, f"describe {relation}")}


def kinds_of(settings: Settings) -> dict[str, str]:
    found = asked(
        settings,
        "select database_name || '.' || schema_name || '.' || table_name, 'table' "
        "from duckdb_tables() where schema_name not in ('state', 'outlook') union all "
        "select database_name || '.' || schema_name || '.' || view_name, 'view' "
        "from duckdb_views() where not internal",
    )
    return dict(found)


def test_values_types_and_order_are_those_of_a_build_by_duckdb(
    spark: Spark, settings: Settings
) -> None:
    build(spark, settings, "marts", "fct_all", ROWS)
    manifest = manifest_of(node("marts", "fct_all", TYPES, ["id"]))
    (found,) = hand_over(settings, manifest, spark, built(manifest))
    assert (found.is_table, found.rows, found.stays) == (True, 4, False)
    with duckdb.connect() as connection:
        connection.execute(
            "create table stated (" + ", ".join(f"{it} {kind}" for it, kind in TYPES.items()) + ")"
        )
        stated = {row[0]: row[1] for row in connection.execute("describe stated").fetchall()}
    assert types_of(settings, "voronka_marts.marts.fct_all") == stated
    rows = asked(
        settings, "select * replace (share::varchar as share) from voronka_marts.marts.fct_all"
    )
    assert rows == [
        (None,) * 10,
        (
            *("Z", date(9999, 12, 31), datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1), 0, 0),
            *(Decimal("0.00"), Decimal("2.00000000"), "inf", None),
        ),
        (
            *("b", date(1, 1, 1), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
            *(datetime(1969, 12, 31, 23, 59, 59), -2147483648, -1),
            *(Decimal("-0.01"), Decimal("1.00000000"), "-0.0", False),
        ),
        (
            *("ж", date(1582, 10, 10)),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            *(datetime(2026, 3, 29, 2, 30), 1, 9223372036854775807),
            *(Decimal("123456789012345678901234567890123456.78"), Decimal("0.00000001")),
            *("nan", True),
        ),
    ]


def test_what_later_steps_read_becomes_tables_and_the_rest_views(
    spark: Spark, settings: Settings
) -> None:
    build(
        spark,
        settings,
        "staging",
        "base_crm__deals",
        "select 1L as id, array('a', null) as reasons",
    )
    build(
        spark,
        settings,
        "intermediate",
        "int_refresh__as_of",
        "select date'2026-01-02' as as_of_date",
    )
    build(spark, settings, "reference", "access_roles", "select 'r' as role_name where false")
    build(spark, settings, "quarantine", "crm_deals", "select array('id: required') as reasons")
    manifest = manifest_of(
        node("staging", "base_crm__deals"),
        node("intermediate", "int_refresh__as_of"),
        node("reference", "access_roles", kind="seed"),
        node("quarantine", "crm_deals"),
    )
    hand_over(settings, manifest, spark, built(manifest))
    assert kinds_of(settings) == {
        "voronka_build.staging.base_crm__deals": "view",
        "voronka_build.intermediate.int_refresh__as_of": "table",
        "voronka_build.reference.access_roles": "table",
        "voronka_marts.quarantine.crm_deals": "table",
    }
    assert types_of(settings, "voronka_build.staging.base_crm__deals") == {
        "id": "BIGINT",
        "reasons": "VARCHAR[]",
    }
    assert asked(settings, "from voronka_build.staging.base_crm__deals") == [(1, ["a", None])]
    assert types_of(settings, "voronka_build.reference.access_roles") == {"role_name": "VARCHAR"}
    (version,) = asked(settings, "from voronka_build.intermediate.int_refresh__as_of")[0]
    assert version == date(2026, 1, 2)


def test_a_node_that_was_not_built_is_left_alone(spark: Spark, settings: Settings) -> None:
    manifest = manifest_of(node("marts", "dim_none", {"id": "string"}))
    assert hand_over(settings, manifest, spark, built(manifest, "skipped")) == []
    assert kinds_of(settings) == {}


def test_directories_of_partitions_are_columns_of_their_types(
    spark: Spark, settings: Settings
) -> None:
    rows = (
        "select * from values (1L, date'2026-01-31', 'x:y/z'), (2L, null, null), "
        "(3L, date'2026-02-01', '7') as t(id, month, part)"
    )
    how = "using parquet partitioned by (month, part)"
    build(spark, settings, "marts", "fct_months", rows, how)
    # Of a writer that was killed.
    place = settings_place(spark, settings, "fct_months")
    for hidden in ("_temporary/0/part-0.parquet", ".spark-staging-1/month=x/part-1.parquet"):
        (place / hidden).parent.mkdir(parents=True)
        (place / hidden).write_bytes(b"half")
    columns = {"part": "string", "id": "bigint", "month": "date"}
    manifest = manifest_of(node("marts", "fct_months", columns, ["id"]))
    hand_over(settings, manifest, spark, built(manifest))
    assert asked(settings, "from voronka_marts.marts.fct_months") == [
        ("x:y/z", 1, date(2026, 1, 31)),
        (None, 2, None),
        ("7", 3, date(2026, 2, 1)),
    ]


def test_the_month_that_a_table_is_divided_by_is_no_column_of_its_model(
    spark: Spark, settings: Settings
) -> None:
    rows = "select 1L as id, date'2026-01-31' as day, date'2026-01-01' as partition_month"
    how = "using parquet partitioned by (partition_month)"
    build(spark, settings, "marts", "fct_months", rows, how)
    build(spark, settings, "intermediate", "int_calls__parts", rows, how)
    columns = {"id": "bigint", "day": "date"}
    manifest = manifest_of(
        node("marts", "fct_months", columns, ["id"]), node("intermediate", "int_calls__parts")
    )
    hand_over(settings, manifest, spark, built(manifest))
    for relation in (
        "voronka_marts.marts.fct_months",
        "voronka_build.intermediate.int_calls__parts",
    ):
        assert types_of(settings, relation) == {"id": "BIGINT", "day": "DATE"}
        assert asked(settings, f"from {relation}") == [(1, date(2026, 1, 31))]


def settings_place(spark: Spark, settings: Settings, name: str) -> Path:
    rows = spark.rows(f"describe table extended {settings.spark_prefix}marts.{name}")
    location = next(str(row[1]) for row in rows if row[0] == "Location")
    return Path("/" + location.removeprefix("file:").lstrip("/"))


def test_a_partitioned_table_without_a_file_is_empty(spark: Spark, settings: Settings) -> None:
    how = "using parquet partitioned by (month)"
    build(
        spark,
        settings,
        "marts",
        "fct_none",
        "select 1L as id, date'2026-01-01' as month where false",
        how,
    )
    columns = {"id": "bigint", "month": "date"}
    manifest = manifest_of(node("marts", "fct_none", columns, ["id"]))
    (found,) = hand_over(settings, manifest, spark, built(manifest))
    assert found.rows == 0
    assert types_of(settings, "voronka_marts.marts.fct_none") == {"id": "BIGINT", "month": "DATE"}
    assert asked(settings, "from voronka_marts.marts.fct_none") == []


def test_a_table_of_another_format_is_exported_as_parquet(spark: Spark, settings: Settings) -> None:
    build(spark, settings, "marts", "dim_orc", "select 'a' as id, 1.50BD as sum", "using orc")
    manifest = manifest_of(node("marts", "dim_orc", {"id": "string", "sum": "decimal(38, 2)"}))
    hand_over(settings, manifest, spark, built(manifest))
    assert asked(settings, "from voronka_marts.marts.dim_orc") == [("a", Decimal("1.50"))]


def test_facts_of_too_many_rows_stay_and_are_read_through_a_view(
    spark: Spark, settings: Settings
) -> None:
    settings = settings.model_copy(update={"local_facts_rows": 2})
    build(spark, settings, "marts", "fct_calls", "select id from range(3)")
    build(spark, settings, "marts", "fct_deals", "select id from range(2)")
    build(spark, settings, "marts", "kpi_daily", "select id from range(3)")
    manifest = manifest_of(
        *(
            node("marts", name, {"id": "bigint"}, ["id"])
            for name in ("fct_calls", "fct_deals", "kpi_daily")
        )
    )
    found = {it.name: it for it in hand_over(settings, manifest, spark, built(manifest))}
    assert [name for name, it in found.items() if it.stays] == ["fct_calls"]
    assert kinds_of(settings) == {
        "voronka_marts.marts.fct_calls": "view",
        "voronka_marts.marts.fct_deals": "table",
        "voronka_marts.marts.kpi_daily": "table",
    }
    assert asked(settings, "select sum(id) from voronka_marts.marts.fct_calls") == [(3,)]
    assert {it.name: it.stays for it in handed_over(settings)} == {
        "fct_calls": True,
        "fct_deals": False,
        "kpi_daily": False,
    }


def test_only_what_has_other_files_is_brought_again(spark: Spark, settings: Settings) -> None:
    for name, rows in (("dim_a", 1), ("dim_b", 2)):
        build(spark, settings, "marts", name, f"select id from range({rows})")
    manifest = manifest_of(
        *(node("marts", it, {"id": "bigint"}, ["id"]) for it in ("dim_a", "dim_b"))
    )
    results = built(manifest)
    assert [it.is_unchanged for it in hand_over(settings, manifest, spark, results)] == [False] * 2
    assert [it.is_unchanged for it in hand_over(settings, manifest, spark, results)] == [True] * 2
    build(spark, settings, "marts", "dim_b", "select id from range(5)")
    assert [it.is_unchanged for it in hand_over(settings, manifest, spark, results)] == [
        True,
        False,
    ]
    assert asked(settings, "select count(*) from voronka_marts.marts.dim_b") == [(5,)]


def test_the_cluster_is_not_asked_about_files_that_are_as_they_were(
    spark: Spark, settings: Settings
) -> None:
    build(spark, settings, "marts", "dim_a", "select 1L as id")
    manifest = manifest_of(node("marts", "dim_a", {"id": "bigint"}, ["id"]))
    hand_over(settings, manifest, spark, built(manifest))

    class Silent:
        """A cluster that answers nothing."""

        def rows(self, sql: str) -> list[tuple[Any, ...]]:
            raise AssertionError(sql)

        def run(self, sql: str) -> None:
            raise AssertionError(sql)

        def named_rows(self, sql: str) -> list[dict[str, str | None]]:
            raise AssertionError(sql)

    (again,) = hand_over(settings, manifest, Silent(), built(manifest))
    assert (again.is_unchanged, again.rows) == (True, 1)
    # A contract that is stated otherwise now.
    other = manifest_of(node("marts", "dim_a", {"id": "integer"}, ["id"]))
    (again,) = hand_over(settings, other, Silent(), built(other))
    assert not again.is_unchanged
    assert types_of(settings, "voronka_marts.marts.dim_a") == {"id": "INTEGER"}
    # The same rows with another column, after a hand-over that nobody saw.
    build(spark, settings, "marts", "dim_a", "select 1L as id, 'a' as name")
    wider = manifest_of(node("marts", "dim_a", {"id": "bigint", "name": "string"}, ["id"]))
    hand_over(settings, wider, spark, built(wider))
    assert asked(settings, "from voronka_marts.marts.dim_a") == [(1, "a")]


def test_a_hand_over_that_dies_is_repaired_by_the_next(spark: Spark, settings: Settings) -> None:
    for name in ("dim_a", "dim_b", "dim_c"):
        build(spark, settings, "marts", name, "select 1L as id")
    nodes = [node("marts", name, {"id": "bigint"}, ["id"]) for name in ("dim_a", "dim_b", "dim_c")]
    manifest = manifest_of(*nodes)
    # The second table cannot be read: what came before it is there, what comes after is not.
    broken = settings_place(spark, settings, "dim_b")
    moved = broken.rename(broken.with_name("elsewhere"))
    with pytest.raises(BuildFailed, match="is not there on this machine"):
        hand_over(settings, manifest, spark, built(manifest))
    assert set(kinds_of(settings)) == {"voronka_marts.marts.dim_a"}
    moved.rename(broken)
    again = hand_over(settings, manifest, spark, built(manifest))
    assert [it.is_unchanged for it in again] == [True, False, False]
    assert asked(settings, "select count(*) from voronka_marts.marts.dim_c") == [(1,)]


def test_a_relation_changes_its_kind(spark: Spark, settings: Settings) -> None:
    build(spark, settings, "marts", "fct_calls", "select id from range(3)")
    manifest = manifest_of(node("marts", "fct_calls", {"id": "bigint"}, ["id"]))
    hand_over(settings, manifest, spark, built(manifest))
    larger = settings.model_copy(update={"local_facts_rows": 2})
    hand_over(larger, manifest, spark, built(manifest))
    assert kinds_of(settings) == {"voronka_marts.marts.fct_calls": "view"}
    hand_over(settings, manifest, spark, built(manifest))
    assert kinds_of(settings) == {"voronka_marts.marts.fct_calls": "table"}


def test_the_version_of_a_view_is_that_of_its_files(spark: Spark, settings: Settings) -> None:
    build(spark, settings, "staging", "stg_crm__deals", "select 1L as id")
    build(spark, settings, "marts", "dim_a", "select 1L as id")
    manifest = manifest_of(
        node("staging", "stg_crm__deals"), node("marts", "dim_a", {"id": "bigint"})
    )
    hand_over(settings, manifest, spark, built(manifest))
    before = table_versions(settings.build_files, "before")
    build(spark, settings, "staging", "stg_crm__deals", "select 1L as id")
    build(spark, settings, "marts", "dim_a", "select 1L as id")
    hand_over(settings, manifest, spark, built(manifest))
    after = table_versions(settings.build_files, "after")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"staging.stg_crm__deals"}
    assert after["marts.dim_a"].startswith("1 ")


def test_a_contract_that_the_table_does_not_keep_is_told(spark: Spark, settings: Settings) -> None:
    build(spark, settings, "marts", "dim_a", "select 1L as id")
    manifest = manifest_of(node("marts", "dim_a", {"key": "bigint"}))
    with pytest.raises(BuildFailed, match="has no column key"):
        hand_over(settings, manifest, spark, built(manifest))


OUTLOOK = {
    "scores": "date '2026-01-01', 'd''1\\n$${x}', 'p', null, 'model', 0.1, 1e-300, 'nan'::double, "
    "'inf'::double, null, 1, 2, 3, 12",
    "backtest": "date '2026-01-01', 'p', 'model', 3, 2, 0.5, null, 0.25, 1, 0.125",
}


def outlook_manifest() -> Manifest:
    return manifest_of(sources=sorted(OUTLOOK))


@pytest.mark.parametrize("is_shared", [True, False], ids=["one disk", "another machine"])
def test_the_outlook_comes_to_the_cluster(
    spark: Spark, settings: Settings, is_shared: bool
) -> None:
    schema = f"{settings.spark_prefix}outlook"
    if not is_shared:
        # A place that cannot be written to from here.
        spark.run(f"create schema {schema} location '{settings.data}/schema'")
        (settings.data / "schema/handover").write_text("no directory")
    manifest = outlook_manifest()
    hand_over(settings, manifest, spark, [])
    with duckdb.connect(str(settings.build_file)) as connection:
        for name, values in OUTLOOK.items():
            connection.execute(f"insert into outlook.{name} select {values}")
    bring_outlook(settings, manifest, spark)
    scores = spark.rows(
        f"select * except (win_probability_low, win_probability_high), "
        f"cast(win_probability_low as string), cast(win_probability_high as string) "
        f"from {schema}.scores"
    )
    assert scores == [
        (
            *(date(2026, 1, 1), "d'1\\n$${x}", "p", None, "model", 0.1),
            *(float("inf"), None, 1.0, 2.0, 3.0, 12, "1.0E-300", "NaN"),
        )
    ]
    assert spark.rows(f"select deals, log_loss from {schema}.backtest") == [(3, None)]
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("delete from outlook.scores")
    bring_outlook(settings, manifest, spark)
    assert spark.rows(f"select count(*) from {schema}.scores") == [(0,)]
    assert spark.rows(f"select count(*) from {schema}.backtest") == [(1,)]
