"""A first look at raw values without loading them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from orchestration.base.sql import quote
from orchestration.raw_zone.views import register
from orchestration.raw_zone.zone import RawZone

SAMPLE_ROWS = 10_000


def empty_required(zone: RawZone) -> list[str]:
    """Required columns with missing values in the first rows of each table, one line for each.

    Looks at SAMPLE_ROWS rows of a table. Whether values read as their types is staging's to say.
    """
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "sample.duckdb"
        register(zone, file)
        with duckdb.connect(str(file), read_only=True) as connection:
            for table in zone.tables:
                required = [c.name for c in table.contract.columns if c.must_be_there]
                if not table.rows or not required:
                    continue
                counts = ", ".join(
                    f"count(*) filter (where trim({quote(name)}::varchar) is null "
                    f"or trim({quote(name)}::varchar) = '')"
                    for name in required
                )
                source = f"{quote(table.contract.source)}.{quote(table.contract.name)}"
                found = connection.execute(
                    f"select count(*), {counts} from (select * from {source} limit {SAMPLE_ROWS})"
                ).fetchone()
                assert found is not None
                lines += [
                    f"{table.contract.full_name}: {name} is missing in {count:,} of {found[0]:,}"
                    for name, count in zip(required, found[1:], strict=True)
                    if count
                ]
    return lines
