"""DuckDB for Great Expectations: a session that only reads, so nothing to begin or roll back.

Great Expectations fetches results after it has closed the connection; the implicit rollback of
SQLAlchemy would empty DuckDB's pending result before.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from duckdb_engine import Dialect
from sqlalchemy.engine import reflection

_TYPES: dict[str, Any] = {
    "BIGINT": sqlalchemy.BigInteger(),
    "BOOLEAN": sqlalchemy.Boolean(),
    "DATE": sqlalchemy.Date(),
    "DOUBLE": sqlalchemy.Double(),
    "INTEGER": sqlalchemy.Integer(),
    "TIMESTAMP": sqlalchemy.DateTime(),
    "TIMESTAMP WITH TIME ZONE": sqlalchemy.DateTime(timezone=True),
    "VARCHAR": sqlalchemy.String(),
}


class ReadOnlyDialect(Dialect):  # type: ignore[misc]  # imported without types
    """duckdb_engine's dialect without transactions, and with DuckDB's own catalogue.

    duckdb_engine asks the catalogue of PostgreSQL that DuckDB imitates, a third of a second for a
    table: most of the time of a suite.
    """

    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """A session whose answers do not depend on the machine's time zone."""
        connection = super().connect(*arguments, **options)
        connection.execute("set TimeZone = 'UTC'")
        return connection

    def do_begin(self, dbapi_connection: Any) -> None:
        """Nothing is written."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Nothing was written."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing was written; and the result must stay."""

    @reflection.cache
    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        """The columns of a table or view. Raises NoSuchTableError where there is none."""
        found = connection.exec_driver_sql(
            "select column_name, data_type, is_nullable, numeric_precision, numeric_scale "
            "from duckdb_columns() where database_name = current_database() "
            "and schema_name = ? and table_name = ? order by column_index",
            (schema or "main", str(table_name)),
        ).fetchall()
        if not found:
            raise sqlalchemy.exc.NoSuchTableError(str(table_name))
        return [
            {
                "name": name,
                "type": sqlalchemy.Numeric(precision, scale)
                if kind.startswith("DECIMAL")
                else _TYPES.get(kind, sqlalchemy.types.NullType()),
                "nullable": is_nullable,
                "default": None,
            }
            for name, kind, is_nullable, precision, scale in found
        ]

    def get_pk_constraint(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """None: neither dbt's tables nor views over files have one."""
        return {"constrained_columns": [], "name": None}
