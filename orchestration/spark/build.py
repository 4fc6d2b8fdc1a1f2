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


def drop_build(spark: Spark, prefix: str) -> None:
    """Remove the private build from the cluster; what is published there stays."""
    there = {str(name) for (name,) in spark.rows(f"show schemas like '{prefix}*'")}
    for schema in SCHEMAS:
        if prefix + schema in there:
            spark.run(f"drop schema {prefix}{schema} cascade")
