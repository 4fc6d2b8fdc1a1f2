"""A Postgres server for all tests of a worker, and small published files to bring there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.base.settings import Settings
from orchestration.models.dbt import PublishedModel
from tests.postgres import Server, free_port, running_server

DEALS = PublishedModel(
    "marts",
    "fct_deals",
    ("deal_id",),
    "One row per 'deal'.",
    {"amount": "Money; base currency."},
    managers=frozenset({"manager_id"}),
)
MANAGERS = PublishedModel(
    "marts",
    "dim_manager",
    ("manager_id",),
    "",
    {},
    personal=frozenset({"email"}),
    managers=frozenset({"manager_id"}),
)
DAILY = PublishedModel(
    "marts", "kpi_daily", ("date_day", "manager_id"), "", {}, managers=frozenset({"manager_id"})
)
BAD = PublishedModel("quarantine", "crm_deals", (), "", {}, is_personal=True)
MODELS = [BAD, MANAGERS, DEALS, DAILY]


def write_published(
    settings: Settings, publication_id: str, deals: int = 20, more: str = ""
) -> None:
    """A published file as a refresh leaves it; every mart's `version` is its publication's id."""
    file = settings.published_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            f"""
            create schema marts; create schema quality; create schema quarantine;
            create schema marts_ru;
            create table quality.publication as select '{publication_id}' as publication_id;
            create table marts.dim_manager as
            select * from (values ('m1', 'Анна', 'anna@ours.ru', 'North'),
                ('m2', 'Борис', null, 'North'), ('m3', 'Вера', 'vera@ours.ru', 'South'))
                as t(manager_id, manager_name, email, team);
            create table marts.fct_deals as
            select 'd' || i as deal_id, 'm' || (i % 3 + 1) as manager_id,
                (i * 1.25)::decimal(18, 2) as amount,
                date '2026-01-01' + (i % 28)::int as created_on, '{publication_id}' as version
            from range({deals}) as t(i);
            create table marts.kpi_daily as
            select created_on as date_day, manager_id, count(*) as deals, sum(amount) as amount,
                '{publication_id}' as version
            from marts.fct_deals group by all;
            create table quarantine.crm_deals as
            select 'd' || chr(0) || '9' as deal_id, ['amount: type', 'Ё'] as reasons;
            create view marts_ru."сделки" as
            select deal_id as "сделка", amount as "сумма" from voronka.marts.fct_deals;
            comment on table marts.fct_deals is 'One row per ''deal''.';
            comment on column marts.fct_deals.amount is 'Money; base currency: ёж \\ %s "x".';
            {more}
            """
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The worker's server."""
    with running_server(free_port()) as server:
        yield server


@pytest.fixture
def target(
    postgres: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., Settings]:
    """Settings that publish from this test's directory into this test's own database."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    url = postgres.create_database(name)

    def settings(**options: object) -> Settings:
        return Settings(**{"data_dir": tmp_path, "postgres_url": url, **options})

    return settings
