"""From a row of a fact to the raw file that it came from, by the private build.

The published file knows no files: what nobody charts is not published. A fact's YAML says in
`config.meta.raw_row` whose raw table's row it tells of, and how its key is written there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.base.sql import literal, quote
from orchestration.models.handover import reach_cluster

MODELS_DIR = Path("dbt_project/models")
COLUMNS = ("raw_file", "raw_row", "raw_loaded_at")
_BATCH = 1_000


def model_file(project_dir: Path, table: str) -> Path | None:
    """The file of the model that makes a table (`marts.fct_deals`), inside the project."""
    found = sorted((project_dir / MODELS_DIR).rglob(f"{table.rpartition('.')[2]}.sql"))
    return found[0].relative_to(project_dir) if found else None


def metric_file(project_dir: Path, metric: str) -> Path | None:
    """The file that defines a metric, inside the project."""
    for file in sorted((project_dir / MODELS_DIR / "semantic/metrics").glob("*.yml")):
        if f"  - name: {metric}\n" in file.read_text(encoding="utf-8"):
            return file.relative_to(project_dir)
    return None


class RawRows:
    """The raw rows of one fact. Raises WrongUse where the build does not tell."""

    def __init__(self, settings: Settings, table: str) -> None:
        file = model_file(settings.root, table)
        meta = _meta((settings.root / file).with_suffix(".yml")) if file else {}
        if not meta.get("raw_row"):
            raise WrongUse(
                f"A row of {table} comes from many raw rows.", "Leave --raw out, or ask a part."
            )
        ((self.raw_table, self._key),) = meta["raw_row"].items()
        if not settings.build_file.is_file():
            raise WrongUse(
                f"The raw files are known to the build, and there is none in {settings.build_dir}.",
                "Ask where the refresh runs, or leave --raw out.",
            )
        try:
            self._build = duckdb.connect(str(settings.build_file), read_only=True)
            reach_cluster(self._build)
        except duckdb.Error as error:
            raise WrongUse(
                "The raw files are known to the build, and a refresh is writing it.",
                "Try again when it has ended, or leave --raw out.",
            ) from error

    def beside(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> Iterator[tuple[object, ...]]:
        """The rows, each with its raw file, its key there and when it was loaded.

        Of several versions it is the current one, of several legs of a call one of them.
        """
        places = [columns.index(column) for column in self._key.values()]
        left = iter(rows)
        while batch := list(islice(left, _BATCH)):
            found = self._found([[row[place] for place in places] for row in batch])
            for number, row in enumerate(batch):
                yield (*row, *found.get(number, (None, None, None)))

    def close(self) -> None:
        """Let the build go."""
        self._build.close()

    def _found(self, keys: Sequence[Sequence[object]]) -> dict[int, tuple[object, ...]]:
        source, _, name = self.raw_table.partition(".")
        values = ", ".join(
            f"({number}, {', '.join(_text(value) for value in key)})"
            for number, key in enumerate(keys)
        )
        names = ", ".join(f"k{place}" for place in range(len(self._key)))
        on = " and ".join(
            f"cast({raw} as varchar) is not distinct from k{place}"
            for place, raw in enumerate(self._key)
        )
        shown = ", ".join(f"coalesce({raw}::varchar, '')" for raw in self._key)
        rows = self._build.execute(
            f"select number, _file, concat_ws(' ', {shown}), _loaded_at::varchar "
            f"from (values {values}) as keys(number, {names}) "
            f"inner join staging.{quote(f'base_{source}__{name}')} on {on} "
            "where reasons is null or len(reasons) = 0 qualify row_number() over "
            "(partition by number order by updated_at desc nulls last, _loaded_at desc, _file) = 1"
        ).fetchall()
        return {row[0]: row[1:] for row in rows}


def _text(value: object) -> str:
    return "null" if value is None else literal(str(value))


def _meta(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    for model in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("models", []):
        if model["name"] == file.stem:
            found: Mapping[str, Any] = (model.get("config") or {}).get("meta") or {}
            return found
    return {}
