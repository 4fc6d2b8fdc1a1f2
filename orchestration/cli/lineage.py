"""Which model computes a column, found in the compiled SQL.

A model that passes a column on defines nothing: it is followed to the model below. Passing on is
selecting the column under any name, and, under its own name, adding it up, giving it a type or a
value instead of NULL. A union defines what its parts do, if that is one model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from orchestration.base.errors import BuildFailed
from orchestration.base.settings import Settings
from orchestration.models.run import run_dbt

MODELS_DIR = Path("dbt_project/models")
# Their SQL is written from the contract and a raw table's columns; nothing below them is a model.
_STAGING = "staging"
# What leaves a figure what it is.
_WRAPPERS = (exp.Cast, exp.TryCast, exp.Paren, exp.Sum, exp.Max, exp.Min)


def compiled_models(project_dir: Path) -> dict[str, str]:
    """The SQL of the models by name, compiled against an empty database.

    Raises BuildFailed where dbt cannot compile it.
    """
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(project_dir=project_dir, data_dir=Path(directory), dbt=None)
        settings.build_dir.mkdir(parents=True)
        duckdb.connect(str(settings.raw_zone_file)).close()
        done = run_dbt(settings, ["compile", "--exclude", _STAGING], lambda name, status: None)
        if not done.is_success:
            raise BuildFailed(f"dbt could not compile the models: {done.error}", "See above.")
        compiled = done.target / "compiled" / "voronka" / MODELS_DIR
        # A folder that is called like a file of YAML holds tests.
        return {
            file.stem: file.read_text(encoding="utf-8")
            for file in compiled.rglob("*.sql")
            if not file.parent.name.endswith(".yml")
        }


class Lineage:
    """The models' columns; `sql` is the compiled SQL by model, others are taken for granted."""

    def __init__(self, sql: Mapping[str, str]) -> None:
        self._sql = sql
        self._scopes: dict[str, Scope] = {}
        self._found: dict[tuple[str, str], str | None] = {}

    def origin(self, model: str, column: str) -> str | None:
        """The model that computes this column of a model; None where there is no such column."""
        if model not in self._sql:
            return model
        key = (model, column)
        if key not in self._found:
            scope = self._scopes.get(model) or build_scope(
                sqlglot.parse_one(self._sql[model], dialect="duckdb")
            )
            if scope is None:
                return model
            self._scopes[model] = scope
            self._found[key] = self._in_scope(scope, column, model)
        return self._found[key]

    def _in_scope(self, scope: Scope, column: str, model: str) -> str | None:
        if isinstance(scope.expression, exp.SetOperation):
            found = {self._in_scope(part, column, model) for part in scope.set_operation_scopes}
            found.discard(None)
            return found.pop() if len(found) == 1 else model if found else None
        selected = scope.expression.selects if isinstance(scope.expression, exp.Query) else []
        for item in selected:
            if item.alias_or_name == column and not item.is_star:
                return self._computed(scope, item.unalias(), column, model)
        stars = (item for item in selected if item.is_star)
        for star in stars:
            origin = self._in_sources(scope, star.args.get("table"), column, model)
            if origin is not None:
                return origin
        return None

    def _computed(self, scope: Scope, value: exp.Expr, column: str, model: str) -> str | None:
        if isinstance(value, exp.Literal | exp.Null):
            # A part of a union that lacks the column.
            return None
        inner = _unwrapped(value)
        if isinstance(inner, exp.Column) and (inner is value or inner.name == column):
            return self._in_sources(scope, inner.args.get("table"), inner.name, model) or model
        return model

    def _in_sources(
        self, scope: Scope, table: exp.Expr | None, column: str, model: str
    ) -> str | None:
        """The origin of a column that a scope reads, from the table it names or any that has it."""
        for name, (_, source) in scope.selected_sources.items():
            if table is not None and name != table.name:
                continue
            if isinstance(source, Scope):
                origin = self._in_scope(source, column, model)
            else:
                origin = self.origin(source.name, column)
            if origin is not None:
                return origin
        return None


def _unwrapped(value: exp.Expr) -> exp.Expr:
    while True:
        is_filled = isinstance(value, exp.Coalesce) and not any(
            other.find(exp.Column) for other in value.expressions
        )
        if not is_filled and not isinstance(value, _WRAPPERS):
            return value
        value = value.this
