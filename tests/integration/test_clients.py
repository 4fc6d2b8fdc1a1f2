"""The same twelve questions through every kind of client, with the same figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from orchestration.base.settings import Settings
from orchestration.models.dbt import published_models
from orchestration.postgres.publish import publish_to_postgres
from tests import needs
from tests.integration.dashboard_queries import dashboard_queries
from tests.postgres import Server

DATABASE = "clients"
QUERIES = dashboard_queries()
Rows = Sequence[Sequence[Any]]
Ask = Callable[[str], Rows]


@dataclass(frozen=True)
class Published:
    """Where clients find the demo's file, and Postgres where it is there, too.

    `user` may read and nothing else.
    """

    file: Path
    port: int = 0
    user: str = "bi_tool"
    password: str = "s3cret"

    @property
    def tables(self) -> Mapping[str, Path]:
        """Parquet files by mart."""
        return {path.stem: path for path in (self.file.parent / "parquet").glob("*.parquet")}


@pytest.fixture(scope="module")
def published(demo_publication: Path) -> Published:
    return Published(demo_publication)


@pytest.fixture(scope="module")
def in_postgres(published: Published, postgres: Server) -> Published:
    settings = Settings(
        data_dir=published.file.parents[1],
        postgres_url=postgres.create_database(DATABASE),
        postgres_reader="clients_reader",
    )
    manifest = json.loads((settings.target_dir / "manifest.json").read_text(encoding="utf-8"))
    publish_to_postgres(settings, published_models(manifest))
    found = replace(published, port=postgres.port)
    with psycopg.connect(postgres.conninfo(), autocommit=True) as admin:
        admin.execute(f"create role {found.user} login password '{found.password}'")
        admin.execute(f"grant clients_reader to {found.user}")
    return found


@pytest.fixture(scope="module")
def expected(published: Published) -> dict[str, list[tuple]]:
    with duckdb.connect(str(published.file), read_only=True) as connection:
        return {name: plain(connection.execute(sql).fetchall()) for name, sql in QUERIES.items()}


def plain(rows: Rows) -> list[tuple]:
    """Rows with each client's types of numbers and dates brought to one."""
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value != value:
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        # Nine digits: sums of doubles depend on the order of addition.
        return f"{float(value):.9g}"
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    return str(value)


def duckdb_python(published: Published) -> Iterator[Ask]:
    with duckdb.connect(str(published.file), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def sqlalchemy_duckdb(published: Published) -> Iterator[Ask]:
    """As Superset connects."""
    import sqlalchemy

    arguments = {"read_only": True}
    engine = sqlalchemy.create_engine(f"duckdb:///{published.file}", connect_args=arguments)
    with engine.connect() as connection:
        yield lambda sql: connection.execute(sqlalchemy.text(sql)).fetchall()
    engine.dispose()


def _postgres_engine(published: Published) -> Any:
    import sqlalchemy

    return sqlalchemy.create_engine(
        f"postgresql+psycopg://{published.user}:{published.password}"
        f"@127.0.0.1:{published.port}/{DATABASE}"
    )


def sqlalchemy_postgres(published: Published) -> Iterator[Ask]:
    import sqlalchemy

    engine = _postgres_engine(published)
    with engine.connect() as connection:
        yield lambda sql: connection.execute(sqlalchemy.text(sql)).fetchall()
    engine.dispose()


def odbc(published: Published) -> Iterator[Ask]:
    """As Power BI, Tableau and Excel may connect."""
    with needs.odbc().connect(
        f"Driver={{{needs.ODBC_DRIVER}}};Server=127.0.0.1;Port={published.port};Database={DATABASE};"
        f"UID={published.user};PWD={published.password};ReadOnly=1"
    ) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def jdbc(published: Published) -> Iterator[Ask]:
    """As DataLens, Metabase and DBeaver connect."""
    driver = needs.jdbc()
    import jpype
    import jpype.dbapi2

    if not jpype.isJVMStarted():
        jpype.startJVM("-Xrs", classpath=[str(driver)])
    connection = jpype.dbapi2.connect(
        f"jdbc:postgresql://127.0.0.1:{published.port}/{DATABASE}",
        driver_args={"user": published.user, "password": published.password},
    )

    def ask(sql: str) -> Rows:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    yield ask
    connection.close()


def parquet_arrow(published: Published) -> Iterator[Ask]:
    """As R does: Arrow reads the files, DuckDB asks the Arrow tables."""
    import pyarrow.parquet

    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        for name, file in published.tables.items():
            connection.register(name, pyarrow.parquet.read_table(file))
        yield lambda sql: connection.execute(_unqualified(sql)).fetchall()


def pandas_postgres(published: Published) -> Iterator[Ask]:
    import pandas

    engine = _postgres_engine(published)
    with engine.connect() as connection:
        yield lambda sql: list(pandas.read_sql(sql, connection).itertuples(index=False, name=None))
    engine.dispose()


def pandas_parquet(published: Published) -> Iterator[Ask]:
    import pandas

    with duckdb.connect() as connection:
        for name, file in published.tables.items():
            connection.register(name, pandas.read_parquet(file))
        yield lambda sql: list(
            connection.execute(_unqualified(sql)).df().itertuples(index=False, name=None)
        )


def polars_parquet(published: Published) -> Iterator[Ask]:
    """With the SQL of polars itself."""
    import polars

    frames = {name: polars.scan_parquet(file) for name, file in published.tables.items()}
    with polars.SQLContext(frames) as context:
        yield lambda sql: context.execute(_unqualified(sql)).collect().rows()


def _unqualified(sql: str) -> str:
    """Files have no schema."""
    return re.sub(r"\bmarts\.", "", sql)


OF_THE_FILE = [
    duckdb_python,
    sqlalchemy_duckdb,
    parquet_arrow,
    pandas_parquet,
    polars_parquet,
]
OF_POSTGRES = [sqlalchemy_postgres, odbc, jdbc, pandas_postgres]


def test_there_are_twelve_questions_and_each_has_an_answer(expected):
    assert len(expected) == 12
    assert [name for name, rows in expected.items() if not rows] == []


def differing(ask: Ask, expected: Mapping[str, Sequence[tuple]]) -> list[str]:
    """Questions to which a client has another answer."""
    return [name for name, sql in QUERIES.items() if plain(ask(sql)) != expected[name]]


@pytest.mark.parametrize("client", OF_THE_FILE, ids=lambda client: client.__name__)
def test_a_client_of_the_file_gets_the_same_figures(published, expected, client):
    opened = client(published)
    assert differing(next(opened), expected) == []
    assert next(opened, None) is None


@pytest.mark.parametrize("client", OF_POSTGRES, ids=lambda client: client.__name__)
def test_a_client_of_postgres_gets_the_same_figures(in_postgres, expected, client):
    opened = client(in_postgres)
    assert differing(next(opened), expected) == []
    assert next(opened, None) is None
