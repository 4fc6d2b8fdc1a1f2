"""Which Postgres is published to, and how its sessions are opened without telling the password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import duckdb

from orchestration.base.errors import TargetFailed, WrongUse
from orchestration.base.object_store import find_extension
from orchestration.base.settings import Settings
from orchestration.base.sql import literal

if TYPE_CHECKING:
    import psycopg

_EXTENSION = "postgres_scanner"
CATALOGUE = "target"
# Postgres has no NUL in texts: every text that goes there has this in its place, keys too.
NUL_SIGN = "␀"
_INSTALL = "uv pip install 'psycopg[binary]' duckdb-extension-postgres-scanner==1.5.5"
# A server that is gone is noticed within a minute or two; all of them may stand in the URL.
_DEFAULTS = {
    "application_name": "voronka",
    "options": "-c statement_timeout=0",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "tcp_user_timeout": "60000",
}


@dataclass(frozen=True)
class Target:
    """A database and the names that are used in it.

    `conninfo` holds the password, so it is never shown; `address` is for people. `personal` is
    the role that sees personal data, None where access is not limited.
    """

    conninfo: str = field(repr=False)
    secret: str = field(repr=False)
    address: str
    prefix: str
    reader: str
    personal: str | None

    @classmethod
    def of(cls, settings: Settings) -> Target:
        """The target of the settings. Raises WrongUse where its URL does not read."""
        psycopg = _driver()
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        assert settings.postgres_url is not None
        try:
            given = conninfo_to_dict(settings.postgres_url.get_secret_value())
        except psycopg.Error:
            # The driver's message repeats the URL.
            raise WrongUse(
                "VORONKA_POSTGRES_URL cannot be read.",
                "Write it as postgresql://user:password@host:5432/database, with special "
                "characters of the password percent-encoded.",
            ) from None
        options = {**_DEFAULTS, **{name: str(value) for name, value in given.items()}}
        return cls(
            conninfo=make_conninfo(**options),
            address=_address(options),
            secret=options.get("password", ""),
            prefix=settings.postgres_prefix,
            reader=settings.postgres_reader,
            personal=settings.postgres_personal if settings.postgres_access else None,
        )

    def connect(self) -> psycopg.Connection:
        """A session whose statements commit by themselves."""
        connection: psycopg.Connection = _driver().connect(self.conninfo, autocommit=True)
        connection.execute("set client_encoding = 'UTF8'")
        connection.execute("set client_min_messages = 'warning'")
        # Our literals have no backslash escapes, whatever the server's default is.
        connection.execute("set standard_conforming_strings = on")
        return connection

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the database writable in a DuckDB session as `target`."""
        connection.execute(f"load {literal(str(extension()))}")
        connection.execute(f"attach {literal(self.conninfo)} as {CATALOGUE} (type postgres)")
        connection.execute(f"set pg_null_byte_replacement = {literal(NUL_SIGN)}")

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Turn what the two drivers raise into TargetFailed, without the password."""
        psycopg = _driver()
        try:
            yield
        except psycopg.OperationalError as error:
            raise TargetFailed(
                f"Postgres at {self.address} does not answer as it should: {self._plain(error)}",
                "The published file is the new one. Correct the server or VORONKA_POSTGRES_URL "
                "(`voronka doctor` tries it); the next refresh catches up.",
            ) from None
        except (psycopg.Error, duckdb.Error) as error:
            raise TargetFailed(
                f"Postgres at {self.address} could not be loaded: {self._plain(error)}",
                "The published file is the new one; Postgres shows the version before. Correct "
                "what it says, then refresh again.",
            ) from None

    def _plain(self, error: Exception) -> str:
        """One line of an error; DuckDB's repeats what it was given to connect with."""
        text = str(error).replace(f' at "{self.conninfo}"', "").replace(self.conninfo, "***")
        text = text.replace(self.secret, "***") if self.secret else text
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " ".join(lines[:3]) or type(error).__name__


def extension() -> Path:
    """DuckDB's extension as its package brought it. Raises WrongUse where there is none."""
    found = find_extension(_EXTENSION)
    if found is None:
        raise WrongUse("DuckDB's extension for Postgres is not installed.", _INSTALL)
    return found


def _address(options: dict[str, str]) -> str:
    host = options.get("host") or options.get("hostaddr") or "localhost"
    return f"{host}:{options.get('port', '5432')}/{options.get('dbname') or options.get('user')}"


def _driver() -> ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise WrongUse("The Python driver for Postgres is not installed.", _INSTALL) from error
    return psycopg
