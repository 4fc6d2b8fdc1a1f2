"""What the published file says about itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.base.errors import WrongUse, first_line
from orchestration.base.outside import FactOnCluster, facts_on_cluster
from orchestration.base.sql import literal, quote
from orchestration.expectations.acceptance import Unpriced, unpriced_money
from orchestration.metrics.needs import needs_of

# Columns of marts.kpi_daily and their names for people.
HEADLINES = {
    "revenue": "Revenue",
    "deals_won": "Won deals",
    "new_customers": "New customers",
    "meetings_held": "Meetings held",
    "calls": "Calls",
}


@dataclass(frozen=True)
class Kpi:
    """A headline figure of the last full month and of the month before; months by first day.

    A figure is None where all its money is without a rate. `not_loaded` names the empty raw tables
    without which it is unknown, `unpriced` counts the month's rows whose money it lacks, and
    `later` is what there is after the as-of date.
    """

    title: str
    month: date
    value: Decimal | None
    previous_month: date
    previous: Decimal | None
    not_loaded: str = ""
    unpriced: int = 0
    later: Decimal = Decimal(0)


@dataclass(frozen=True)
class QuarantineReason:
    """How many rows of a raw table are quarantined for a reason; a row may have several."""

    table: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Published:
    """The published file in figures; `checks` are passed, warned and failed.

    `rows_quarantined` are rows; `quarantine` has their reasons, of which a row may have several.
    `unpriced` are the figures that lack money for want of a rate.
    """

    publication_id: str
    version: str
    as_of_date: date | None
    published_at: datetime
    raw_dir: str
    is_demo: bool
    raw_files: int
    raw_rows: int
    checks: tuple[int, int, int]
    warnings: list[str]
    rows_quarantined: int
    quarantine: list[QuarantineReason]
    quarantine_tables: int
    unpriced: list[Unpriced]
    kpis: list[Kpi]
    facts_on_cluster: Sequence[FactOnCluster] = ()


def read_published(file: Path) -> Published:
    """Read a published file. Raises WrongUse where it is not one of ours."""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            return _read(connection)
    except duckdb.Error as error:
        raise WrongUse(
            f"{file} cannot be read: {first_line(error)}",
            "Move it away and run `voronka refresh`.",
        ) from error


def _read(connection: duckdb.DuckDBPyConnection) -> Published:
    row = connection.execute(
        "select publication_id, project_version, as_of_date, epoch_us(published_at), raw_dir, "
        "is_demo, raw_files, raw_rows, checks_passed, checks_warned, checks_failed, "
        "rows_quarantined from quality.publication"
    ).fetchone()
    assert row is not None
    warnings = connection.execute(
        "select asset || ': ' || coalesce(nullif(message, ''), check_name) from quality.checks "
        "where status <> 'pass' order by all"
    ).fetchall()
    tables = _quarantine_tables(connection)
    return Published(
        publication_id=row[0],
        version=row[1],
        as_of_date=row[2],
        published_at=datetime.fromtimestamp(row[3] / 1e6, UTC),
        raw_dir=row[4],
        is_demo=row[5],
        raw_files=row[6],
        raw_rows=row[7],
        checks=(row[8], row[9], row[10]),
        warnings=[text for (text,) in warnings],
        rows_quarantined=row[11],
        quarantine=quarantine_reasons(connection),
        quarantine_tables=len(tables),
        unpriced=(
            unpriced_money(connection)
            if _has_table(connection, "quality", "unpriced_money")
            else []
        ),
        kpis=_kpis(connection, row[2]),
        facts_on_cluster=facts_on_cluster(connection),
    )


def _quarantine_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'quarantine' order by all"
    ).fetchall()
    return [name for (name,) in found]


def quarantine_reasons(connection: duckdb.DuckDBPyConnection) -> list[QuarantineReason]:
    """Why rows are in quarantine, the most frequent first, from an open published file."""
    tables = _quarantine_tables(connection)
    if not tables:
        return []
    parts = [
        f"select '{name}' as table_name, unnest(reasons) as reason from quarantine.{quote(name)}"
        for name in tables
    ]
    found = connection.execute(
        "select replace(regexp_replace(table_name, '_', '.'), '\"', ''), reason, count(*) "
        f"from ({' union all '.join(parts)}) group by all order by 3 desc, 1, 2"
    ).fetchall()
    return [QuarantineReason(*row) for row in found]


def _kpis(connection: duckdb.DuckDBPyConnection, as_of: date | None) -> list[Kpi]:
    """The headline figures, if the mart is there and there is a day to count from."""
    if as_of is None or not _has_table(connection, "marts", "kpi_daily"):
        return []
    # The last month that ended by the as-of date.
    after = (as_of + timedelta(days=1)).replace(day=1)
    month = (after - timedelta(days=1)).replace(day=1)
    previous = (month - timedelta(days=1)).replace(day=1)
    in_month = f"date_day >= date '{month}' and date_day < date '{after}'"
    in_previous = f"date_day >= date '{previous}' and date_day < date '{month}'"
    needs = needs_of(connection)
    lacks = {name: [gap for _, gap in needs.lacks(name)] for name in HEADLINES}
    columns = sorted({gap for found in lacks.values() for gap in found})
    later = _sums(connection, "kpi_daily", HEADLINES, f"date_day > date '{as_of}'")
    figures, gaps = [], []
    for where in (in_month, in_previous):
        sums = _sums(connection, "kpi_daily", HEADLINES, where)
        unpriced = _sums(connection, "unpriced_daily", columns, where)
        gaps.append({name: sum(int(unpriced[gap]) for gap in lacks[name]) for name in sums})
        figures.append(
            {n: value if value or not gaps[-1][n] else None for n, value in sums.items()}
        )
    return [
        Kpi(
            title,
            month,
            figures[0][name],
            previous,
            figures[1][name],
            needs.absence(name).text,
            gaps[0][name],
            later[name],
        )
        for name, title in HEADLINES.items()
    ]


def _sums(
    connection: duckdb.DuckDBPyConnection, mart: str, columns: Iterable[str], where: str
) -> dict[str, Decimal]:
    """The sums of a mart's columns."""
    names = list(columns)
    sums = ", ".join(f"coalesce(sum({quote(name)}), 0)::decimal(38, 2)" for name in names)
    found = connection.execute(f"select {sums} from marts.{mart} where {where}").fetchone()
    assert found is not None
    return dict(zip(names, found, strict=True))


def _has_table(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Whether the file has it: one of an older version may not."""
    found = connection.execute(
        f"select count(*) from duckdb_tables() where schema_name = {literal(schema)} "
        f"and table_name = {literal(name)}"
    ).fetchone()
    return bool(found and found[0])
