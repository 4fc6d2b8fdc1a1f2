"""Which new files this machine has to look at, where a cluster builds: it reads the large ones.

The cluster reads every value of a table's new files once, and says of each file whether something
is strange about it. What is refused, and in which words, is decided by contents.py all the same,
of the few files that are strange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from orchestration.base.settings import Settings
from orchestration.raw_zone.footers import incredible_bytes
from orchestration.raw_zone.spark_views import PARTS, Part, parts_of
from orchestration.raw_zone.views import view_types
from orchestration.raw_zone.zone import RawFile, RawTable, RawZone
from orchestration.spark.connection import Spark, SparkRefused, connected
from orchestration.spark.tables import identifier

# Before it a timestamp has no text in DuckDB; nanoseconds have none for the least number.
_FIRST_MOMENT = "timestamp_ntz '-290308-12-22 00:00:00'"
_LEAST = -(2**63)
# Of unreadable files that are named, each costs a statement. More stop the refresh no less.
_MOST_UNREAD = 20


def to_look_at(zone: RawZone, new: Sequence[RawFile], settings: Settings) -> Mapping[RawFile, str]:
    """Files among `new` that contents.py has to judge, and why the cluster does not read them.

    All files of tables with at most `local_facts_rows` new rows, without a reason; of the others
    those that are strange to the cluster. Raises SparkSilent where it is not there.
    """
    wanted = set(new)
    found: dict[RawFile, str] = {}
    large: list[tuple[RawTable, list[RawFile]]] = []
    for table in zone.tables:
        files = [file for file in table.files if file in wanted and file.rows]
        if sum(file.rows for file in files) > settings.local_facts_rows:
            large.append((table, files))
        else:
            found |= dict.fromkeys(files, "")
    if large:
        with connected(settings) as spark:
            for table, files in large:
                found |= _strange_files(zone.raw_dir, table, files, spark, settings)
    return found


def _strange_files(
    raw_dir: str, table: RawTable, files: Sequence[RawFile], spark: Spark, settings: Settings
) -> dict[RawFile, str]:
    """Those of a table's files with a value that DuckDB may refuse, or that Spark does not read."""
    schema = identifier(settings.spark_prefix + PARTS)
    spark.run(f"create schema if not exists {schema}")
    there = {str(row[1]) for row in spark.rows(f"show tables in {schema}")}
    found: dict[RawFile, str] = {}
    for part in parts_of(raw_dir, table, view_types(table), files, schema):
        if part.table not in there:
            # The view over the new files will read it, too.
            spark.run(part.create)
        found |= _strange(spark, part, settings.max_file_rows)
    return found


def _strange(spark: Spark, part: Part, max_rows: int) -> Iterator[tuple[RawFile, str]]:
    readable = list(part.files)
    unread = 0
    while readable:
        try:
            rows = spark.rows(_query(part, readable))
        except SparkRefused as error:
            file = _named(error.reason, readable)
            if file is None:
                raise
            yield file, error.reason
            readable.remove(file)
            unread += 1
            if unread == _MOST_UNREAD:
                return
            continue
        by_path = {file.path: file for file in readable}
        for path, size, is_strange, _ in rows:
            file = by_path[path]
            if is_strange or incredible_bytes(file, size, max_rows):
                yield file, ""
        return


def _query(part: Part, files: Sequence[RawFile]) -> str:
    """Each file with the bytes of its texts, and whether one of its values is strange."""
    sizes, strange, others = ["0"], ["false"], ["0"]
    for name, kind in part.columns.items():
        if kind in ("string", "binary"):
            sizes.append(f"coalesce(octet_length({name}), 0)")
        else:
            others.append(name)
        if kind == "string":
            strange.append(f"not is_valid_utf8({name})")
        elif kind in ("timestamp", "timestamp_ntz"):
            strange.append(f"cast({name} as timestamp_ntz) < {_FIRST_MOMENT}")
        elif kind == "bigint":
            strange.append(f"{name} = {_LEAST}")
    return (
        f"select {part.path} as path, sum({' + '.join(sizes)}) as size, "
        f"coalesce(bool_or({' or '.join(strange)}), false) as is_strange, "
        # Values that nothing else is asked of are read, too.
        f"bit_xor(xxhash64({', '.join(others)})) as read\n"
        f"{part.rows_of(files)}\ngroup by 1"
    )


def _named(reason: str, files: Sequence[RawFile]) -> RawFile | None:
    """The file that Spark names in what it says."""
    said = unquote(reason)
    named = [file for file in files if f"/{file.path}" in said]
    return max(named, key=lambda file: len(file.path), default=None)
