"""Facts that a published file shows and does not hold: they lie on a cluster, as Parquet."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from orchestration.base.object_store import load_object_store
from orchestration.base.sql import insert, literal

FACTS_ON_CLUSTER = "quality.facts_on_cluster"


@dataclass(frozen=True)
class FactOnCluster:
    """A fact that is a view in the file; `location` is where DuckDB reads its rows."""

    table: str
    rows: int
    location: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.table}: {self.rows:,} rows in {self.location}"


def write_facts_on_cluster(
    connection: duckdb.DuckDBPyConnection, facts: list[FactOnCluster]
) -> None:
    """Name them in the session's database; a file that holds all of its facts has no such table."""
    if facts:
        connection.execute(
            f"create table {FACTS_ON_CLUSTER} (table_name varchar, rows bigint, location varchar)"
        )
        insert(connection, FACTS_ON_CLUSTER, [(it.table, it.rows, it.location) for it in facts])


def facts_on_cluster(
    connection: duckdb.DuckDBPyConnection, catalogue: str | None = None
) -> list[FactOnCluster]:
    """Those of the session's database, or of another that is attached; the session reaches them."""
    place = literal(catalogue) if catalogue else "current_database()"
    found = connection.execute(
        f"select database_name from duckdb_tables() where database_name = {place} "
        f"and schema_name || '.' || table_name = {literal(FACTS_ON_CLUSTER)}"
    ).fetchone()
    if found is None:
        return []
    name = found[0].replace('"', '""')
    rows = connection.execute(f'from "{name}".{FACTS_ON_CLUSTER} order by all').fetchall()
    facts = [FactOnCluster(*row) for row in rows]
    for fact in facts:
        load_object_store(connection, fact.location)
    return facts


def close_but_for(connection: duckdb.DuckDBPyConnection, facts: list[FactOnCluster]) -> None:
    """Let a session read its databases and these facts, and nothing else from now on."""
    if facts:
        places = ", ".join(literal(f"{it.location}/") for it in facts)
        connection.execute(f"set allowed_directories = [{places}]")
        # Those that people have stored for object stores are read now or never.
        connection.execute("select count(*) from duckdb_secrets()").fetchall()
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
