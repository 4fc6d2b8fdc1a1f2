"""Questions about raw tables that are asked of the cluster, as no other machine reads all of them.

They are written in DuckDB's SQL, which asks the small tables here.
"""

from __future__ import annotations

import duckdb

from orchestration.base.errors import WrongUse, first_line
from orchestration.base.settings import SPARK, Settings


def tables_on_cluster(settings: Settings) -> frozenset[str]:
    """Raw tables, as `crm.leads`, with more than `local_facts_rows` rows where a cluster builds.

    They are those of the last refresh, which registered the zone. Raises duckdb.Error where its
    file is damaged.
    """
    if settings.engine != SPARK:
        return frozenset()
    with duckdb.connect(str(settings.raw_zone_file), True, settings.session()) as connection:
        rows = connection.execute(
            f"select table_name from zone.tables where rows > {settings.local_facts_rows}"
        ).fetchall()
    return frozenset(name for (name,) in rows)


def in_spark_sql(sql: str, prefix: str) -> str:
    """A query of DuckDB over raw tables in Spark's SQL; `crm.leads` is there `<prefix>crm.leads`.

    An instant is a Spark timestamp. Raises WrongUse for what is no SQL.
    """
    # A third of a second, and only a cluster needs it.
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        query = parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise WrongUse(
            f"A question about raw rows is no SQL: {first_line(error)}", "Correct its suite."
        ) from error
    for table in query.find_all(exp.Table):
        if table.db:
            table.set("db", exp.to_identifier(prefix + table.db, quoted=True))
    return query.sql("spark")
