"""Which figures can be known: a metric needs rows of raw tables that may never have been loaded.

`config.meta.needs` of a semantic model or of a metric says which: a list of raw tables, where a
list inside the list names tables of which one will do. `config.meta.needs_by` of a semantic model
names what a dimension needs besides: who called is known by the extensions. A metric without needs
of its own has those of its inputs. `config.meta.lacks` of a sum of money names the metric that
counts the rows which it lacks, since nobody knows their amount in base currency.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.metrics.catalogue import (
    MANIFEST_TABLE,
    OF_MEMBERS,
    SCHEMA,
    Catalogue,
    inputs_of,
)

NEEDS, NEEDS_BY, LACKS = "needs", "needs_by", "lacks"
MANAGER = "manager"
# Tables of which at least one must have rows.
Clause = tuple[str, ...]


@dataclass(frozen=True)
class Absence:
    """What a figure lacks: `missing` makes it unknown, `partly` means that it holds less."""

    missing: tuple[Clause, ...] = ()
    partly: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`crm.deals, telephony.calls or crm.activities`: what would have to be loaded."""
        return in_words(self.missing)


@dataclass(frozen=True)
class Group:
    """Metrics that need the same tables, and what these need besides to be known by manager."""

    clauses: tuple[Clause, ...]
    by_manager: tuple[Clause, ...]
    names: tuple[str, ...]


class Needs:
    """The raw tables that metrics need, and what they lack where some tables are empty."""

    def __init__(self, catalogue: Catalogue, empty: Collection[str]) -> None:
        self._catalogue = catalogue
        self._empty = frozenset(empty)
        self._models = {
            measure["name"]: model
            for model in catalogue.manifest.get("semantic_models", [])
            for measure in model["measures"]
        }

    def of(self, name: str, by: Collection[str] = ()) -> tuple[Clause, ...]:
        """The needs of a metric, asked by these dimensions; each once, in their order."""
        found = [*self._clauses(name), *(it for key in by for it in self._clauses_by(name, key))]
        return tuple(dict.fromkeys(found))

    def absence(self, name: str, by: Collection[str] = ()) -> Absence:
        """What a metric lacks."""
        clauses = self.of(name, by)
        missing = tuple(clause for clause in clauses if self._empty.issuperset(clause))
        return Absence(
            missing,
            tuple(
                dict.fromkeys(
                    table
                    for clause in clauses
                    if clause not in missing
                    for table in clause
                    if table in self._empty
                )
            ),
        )

    def groups(self) -> list[Group]:
        """The public metrics that need any table, those with the same needs together."""
        found: dict[tuple[tuple[Clause, ...], tuple[Clause, ...]], list[str]] = {}
        for metric in self._catalogue.public:
            clauses = self.of(metric.name)
            more = tuple(it for it in self.of(metric.name, (MANAGER,)) if it not in clauses)
            if clauses:
                found.setdefault((clauses, more), []).append(metric.name)
        return [Group(*needs, tuple(names)) for needs, names in found.items()]

    def lacks(self, name: str) -> tuple[tuple[str, str], ...]:
        """Sums of money that a metric holds, each with the metric that counts what it lacks."""
        definition = self._catalogue.definition(name)
        said = _meta(definition).get(LACKS)
        own = [(name, said)] if said else []
        members = _meta(definition).get(OF_MEMBERS)
        parts = [members["sum"]] if members else inputs_of(definition)
        return tuple(dict.fromkeys([*own, *(pair for part in parts for pair in self.lacks(part))]))

    def _clauses(self, name: str) -> Iterable[Clause]:
        """What a metric says, else what it is measured on, else what its inputs need."""
        definition = self._catalogue.definition(name)
        said = _meta(definition).get(NEEDS)
        if said is not None:
            return _parsed(said)
        parts = inputs_of(definition)
        if parts:
            return (clause for part in parts for clause in self._clauses(part))
        models = self._measured(definition)
        return (it for model in models for it in _parsed(_meta(model).get(NEEDS) or ()))

    def _clauses_by(self, name: str, dimension: str) -> Iterable[Clause]:
        """What a dimension needs besides."""
        definition = self._catalogue.definition(name)
        for part in inputs_of(definition):
            yield from self._clauses_by(part, dimension)
        for model in self._measured(definition):
            yield from _parsed((_meta(model).get(NEEDS_BY) or {}).get(dimension) or ())

    def _measured(self, definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The semantic models that a metric without inputs is measured on."""
        if inputs_of(definition):
            return []
        measures = definition["type_params"].get("input_measures") or []
        found = (self._models[measure["name"]] for measure in measures)
        return list({model["name"]: model for model in found}.values())


def in_words(clauses: Iterable[Clause]) -> str:
    """`crm.deals, telephony.calls or crm.activities`."""
    return ", ".join(" or ".join(clause) for clause in clauses)


def needs_of(connection: duckdb.DuckDBPyConnection) -> Needs:
    """The needs of the metrics of an open published file."""
    row = connection.execute(f"select manifest from {SCHEMA}.{MANIFEST_TABLE}").fetchone()
    assert row is not None
    return Needs(Catalogue(row[0]), empty_tables(connection))


def empty_tables(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Raw tables without a row that counts, from an open published file."""
    found = connection.execute(
        "select table_name from quality.raw_reconciliation where rows_kept = 0"
    ).fetchall()
    return frozenset(name for (name,) in found)


def _meta(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return (item.get("config") or {}).get("meta") or {}


def _parsed(said: Iterable[str | Sequence[str]]) -> tuple[Clause, ...]:
    return tuple((item,) if isinstance(item, str) else tuple(item) for item in said)
