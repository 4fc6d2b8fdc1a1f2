"""The judge of builds by two engines sees every difference, and shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from tests.spark.compare import differences, is_close, relations, unmatched

DEALS = "create table d as select * from (values {}) as t(deal_id, won, rate)"
ROWS = "(1, true, 0.5::double), (2, false, null), (2, false, null)"


def build(folder: Path, table: str, *more: str) -> Sequence[Path]:
    """The files of a build with one table, a view of it in the other file, and its own state."""
    folder.mkdir()
    files = folder / "voronka_build.duckdb", folder / "voronka_marts.duckdb"
    with duckdb.connect() as connection:
        for file in files:
            connection.execute(f"attach '{file}'")
        connection.execute("use voronka_build")
        for statement in (table, *more):
            connection.execute(statement)
        connection.execute("create schema state; create table state.of__d as select random() as x")
        connection.execute("create view voronka_marts.v as select * from voronka_build.d")
    return files


def compared(tmp_path: Path, one: str, other: str) -> list[str]:
    """The differences of two tables."""
    return differences(build(tmp_path / "one", one), build(tmp_path / "other", other))


def test_equal_builds_are_equal_in_any_order_of_rows(tmp_path):
    files = build(tmp_path / "one", DEALS.format(ROWS))
    turned = "(2, false, null), (1, true, 0.5::double), (2, false, null)"
    assert differences(files, build(tmp_path / "other", DEALS.format(turned))) == []
    assert relations(files) == {"voronka_build.main.d", "voronka_marts.main.v"}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            ROWS.replace("0.5", "0.500000001"),
            ["deal_id=1, won=true: rate: 0.5 | 0.500000001"],
        ),
        (
            ROWS.replace("true", "null"),
            ["deal_id=1, rate=0.5: won: 'true' | None"],
        ),
        (ROWS.removesuffix(", (2, false, null)"), ["only in the first: deal_id=2, won=false"]),
        (f"{ROWS}, (3, true, 1.0)", ["only in the second: deal_id=3, won=true, rate=1.0"]),
    ],
)
def test_a_value_or_a_row_that_differs_is_shown(tmp_path, other, said):
    found = compared(tmp_path, DEALS.format(ROWS), DEALS.format(other))
    assert len(found) == 4
    for line, expected in zip(found[1::2], said * 2, strict=True):
        assert line.strip().startswith(expected)


def test_a_double_may_differ_in_its_last_digits_alone(tmp_path):
    near = ROWS.replace("0.5", "0.5000000001")
    assert compared(tmp_path, DEALS.format(ROWS), DEALS.format(near)) == []


def test_types_and_the_order_of_columns_count(tmp_path):
    one = "create table d as select 1::bigint as n, 'a' as t"
    found = compared(tmp_path, one, "create table d as select 1::integer as n, 'a' as t")
    assert found[0] == "voronka_build.main.d: n is BIGINT | INTEGER"
    (tmp_path / "more").mkdir()
    found = compared(tmp_path / "more", one, "create table d as select 'a' as t, 1::bigint as n")
    assert found[0].endswith("the columns stand in another order: ['n', 't'] | ['t', 'n']")


def test_a_table_that_one_build_lacks_is_named(tmp_path):
    one = build(tmp_path / "one", DEALS.format(ROWS), "create table more as select 1 as x")
    other = build(tmp_path / "other", DEALS.format(ROWS))
    assert differences(one, other) == ["voronka_build.main.more: only in the first"]
    assert differences(other, one) == ["voronka_build.main.more: only in the second"]


def test_each_row_is_matched_once():
    rows = [("a", 1.0), ("a", 1.0), ("b", 2.0)]
    nearly = [("a", 1.0 + 1e-12), ("b", 2.0 - 1e-12)]
    assert unmatched(rows, nearly, [False, True]) == ([("a", 1.0)], [])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (0.0, 1e-300, False),
        ([1.0, None], [1.0 + 1e-12, None], True),
        ([1.0], [1.0, 1.0], False),
        ({"a": 1.0}, {"a": 1.1}, False),
        (None, 0.0, False),
    ],
)
def test_what_is_close(one, other, expected):
    assert is_close(one, other) is expected
