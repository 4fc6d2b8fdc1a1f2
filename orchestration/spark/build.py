"""The build's schemas on a cluster: private, all with the prefix of `VORONKA_SPARK_PREFIX`."""

from __future__ import annotations

from orchestration.spark.connection import Spark

# What dbt and the preflight create there. Another project's prefix may begin with ours, so that
# no schema is taken for ours by its prefix alone. A test holds the list against the manifest.
_SOURCES = ("crm", "telephony", "marketing", "finance")
SCHEMAS = (
    *("main", "staging", "intermediate", "marts", "metrics", "quality", "quarantine", "reference"),
    *("state", "outlook", "zone"),
    *_SOURCES,
    *(f"{source}_new" for source in _SOURCES),
)


_FILES_OF = "files_of__"


def drop_build(spark: Spark, prefix: str) -> None:
    """Remove the private build from the cluster; what is published there stays."""
    there = {str(name) for (name,) in spark.rows(f"show schemas like '{prefix}*'")}
    for schema in SCHEMAS:
        if prefix + schema in there:
            spark.run(f"drop schema {prefix}{schema} cascade")


def files_read(spark: Spark, prefix: str) -> dict[str, set[tuple[str, int, int, str]]]:
    """The raw files that the build on the cluster was made from, by table (`crm_leads`)."""
    state = f"{prefix}state"
    if not spark.rows(f"show schemas like '{state}'"):
        return {}
    names = [str(row[1]) for row in spark.rows(f"show tables in {state} like '{_FILES_OF}*'")]
    selects = [f"select '{name}', file, rows, bytes, stamp from {state}.{name}" for name in names]
    found: dict[str, set[tuple[str, int, int, str]]] = {
        name.removeprefix(_FILES_OF): set() for name in names
    }
    for name, *file in spark.rows(" union all ".join(selects)) if selects else []:
        found[str(name).removeprefix(_FILES_OF)].add((file[0], file[1], file[2], file[3]))
    return found
