"""DuckDB for Great Expectations: a session that only reads, so nothing to begin or roll back.

Great Expectations fetches results after it has closed the connection; the implicit rollback of
SQLAlchemy would empty DuckDB's pending result before.
"""

from __future__ import annotations

from typing import Any

from duckdb_engine import Dialect


class ReadOnlyDialect(Dialect):  # type: ignore[misc]  # imported without types
    """duckdb_engine's dialect without transactions."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Nothing is written."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Nothing was written."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing was written; and the result must stay."""
