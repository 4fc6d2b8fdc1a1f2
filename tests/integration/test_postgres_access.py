"""Who sees what in Postgres where access is limited: three kinds of roles and some in between."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import psycopg
import pytest

from orchestration.base.errors import TargetFailed
from orchestration.base.settings import Settings
from orchestration.models.dbt import PublishedModel
from orchestration.postgres.publish import publish_to_postgres
from orchestration.publication.database import write_access
from orchestration.serving.session import Warehouse
from orchestration.serving.viewer import NotAllowed, Viewer
from tests.integration.conftest import MODELS, write_published
from tests.postgres import Server

MEETINGS = PublishedModel(
    "marts", "fct_meetings", ("meeting_id",), "", {}, managers=frozenset({"set_by", "held_by"})
)
COMPANY = PublishedModel("marts", "kpi_company_period", (), "", {})
STAGES = PublishedModel("marts", "dim_stage", ("stage_id",), "", {})
CALLS = PublishedModel(
    "marts", "fct_call_sessions", (), "", {}, personal=frozenset({"customer_number", "age"})
)
IN_RUSSIAN = {
    "dim_manager": {"manager_id": "Сотрудник", "manager_name": "Имя", "email": "Почта"},
    "fct_deals": {"deal_id": "Сделка", "manager_id": "Сотрудник", "amount": "Сумма"},
}
ALL = [
    *(replace(it, russian_names=IN_RUSSIAN.get(it.name, {})) for it in MODELS),
    *(MEETINGS, COMPANY, STAGES, CALLS),
]
MORE = """
create table marts.fct_meetings as select * from (values
    ('a', 'm1', 'm3'), ('b', 'm2', 'm1'), ('c', 'm3', 'm3')) as t(meeting_id, set_by, held_by);
create table marts.kpi_company_period as select 100 as revenue;
create table marts.dim_stage as select 's1' as stage_id;
create table marts.fct_call_sessions as select '+79120001122' as customer_number, 44 as age, 1 as n;
create view marts_ru.dim_manager as select manager_id as "Сотрудник", manager_name as "Имя",
    email as "Почта" from voronka.marts.dim_manager;
create view marts_ru.fct_deals as select deal_id as "Сделка", manager_id as "Сотрудник",
    amount as "Сумма" from voronka.marts.fct_deals;
"""
# The roles belong to the whole server, and no other test uses these names.
PEOPLE = ("anna", "north", "head", "officer", "nobody_yet")


@pytest.fixture(scope="module")
def roles(postgres: Server):
    with psycopg.connect(postgres.conninfo(), autocommit=True) as admin:
        for role in PEOPLE:
            admin.execute(f"create role {role} login password 's3cret'")
        for role in ("t_reader", "t_personal"):
            admin.execute(f"create role {role}")
        admin.execute("grant t_reader to head; grant t_personal to officer")


def write_build(settings: Settings, *lines: tuple[str, str, str]) -> None:
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    settings.build_file.unlink(missing_ok=True)
    with duckdb.connect(str(settings.build_file)) as build:
        build.execute(
            "create schema reference; create table reference.access_roles "
            "(role_name varchar, scope varchar, value varchar)"
        )
        for line in lines:
            build.execute(f"insert into reference.access_roles values {line}")


@pytest.fixture
def limited(target, roles) -> Settings:
    settings = target(
        postgres_access=True, postgres_reader="t_reader", postgres_personal="t_personal"
    )
    write_published(settings, "20260101T000000001Z-a", more=MORE)
    write_build(settings, ("anna", "manager", "m1"), ("north", "team", "North"))
    return settings


def sees(settings: Settings, role: str, sql: str) -> list[tuple]:
    """What a role gets that logs in by itself."""
    url = settings.postgres_url.get_secret_value().replace("postgres:s3cret", f"{role}:s3cret")
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def admin(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(settings.postgres_url.get_secret_value())


def is_refused(settings: Settings, role: str, table: str) -> bool:
    try:
        sees(settings, role, f"select * from {table}")
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_a_role_sees_the_rows_of_its_manager_or_team(limited):
    assert publish_to_postgres(limited, ALL).notes == []
    managers = "select distinct manager_id from marts.fct_deals order by 1"
    assert sees(limited, "anna", managers) == [("m1",)]
    assert sees(limited, "north", managers) == [("m1",), ("m2",)]
    assert sees(limited, "head", managers) == [("m1",), ("m2",), ("m3",)]
    assert sees(limited, "officer", managers) == [("m1",), ("m2",), ("m3",)]
    assert sees(limited, "anna", "select distinct manager_id from marts.kpi_daily") == [("m1",)]
    # A meeting is seen by who set it and by who held it.
    meetings = "select meeting_id from marts.fct_meetings order by 1"
    assert sees(limited, "anna", meetings) == [("a",), ("b",)]
    assert sees(limited, "head", meetings) == [("a",), ("b",), ("c",)]
    version = "select publication_id from quality.publication"
    assert {sees(limited, role, version)[0] for role in PEOPLE[:4]} == {("20260101T000000001Z-a",)}


def test_personal_data_is_masked_for_everyone_but_the_named_role(limited):
    publish_to_postgres(limited, ALL)
    managers = "select manager_id, manager_name, email from marts.dim_manager order by 1"
    plain = [("m1", "Анна", "anna@ours.ru"), ("m2", "Борис", None), ("m3", "Вера", "vera@ours.ru")]
    masked = [("m1", "Анна", "***"), ("m2", "Борис", None), ("m3", "Вера", "***")]
    assert sees(limited, "officer", managers) == plain
    assert sees(limited, "head", managers) == masked
    assert sees(limited, "north", managers) == masked[:2]
    assert sees(limited, "anna", managers) == masked[:1]
    calls = "select * from marts.fct_call_sessions"
    assert sees(limited, "officer", calls) == [("+79120001122", 44, 1)]
    assert sees(limited, "head", calls) == [("***", None, 1)]
    # The tables behind the masks are for nobody.
    for role in ("officer", "head", "anna"):
        assert is_refused(limited, role, "marts_personal.dim_manager")
    # A function that tells what it is given is not called before the mask and the rows' limit.
    for role, column, told in (
        ("head", "email", {"leak ***", "leak <NULL>"}),
        ("anna", "manager_name", {"leak Анна"}),
    ):
        assert leaked(limited, role, column) == told


def leaked(settings: Settings, role: str, column: str) -> set[str]:
    """What a cheap function of the role's own was given."""
    url = settings.postgres_url.get_secret_value().replace("postgres:s3cret", f"{role}:s3cret")
    told: set[str] = set()
    with psycopg.connect(url) as connection:
        connection.add_notice_handler(lambda notice: told.add(notice.message_primary or ""))
        connection.execute(
            "create function pg_temp.tell(text) returns boolean cost 0.0001 language plpgsql as "
            "$$begin raise notice 'leak %', $1; return true; end$$"
        )
        connection.execute(f"select 1 from marts.dim_manager where pg_temp.tell({column})")
    return told


def test_what_cannot_be_limited_is_not_shown_to_limited_roles(limited):
    publish_to_postgres(limited, ALL)
    seen = {
        role: {
            table
            for table in ("marts.kpi_company_period", "marts.dim_stage", "quarantine.crm_deals",
                          'marts_ru."сделки"', "marts.fct_call_sessions",
                          "marts_ru.fct_deals", "marts_ru.dim_manager")
            if not is_refused(limited, role, table)
        }
        for role in PEOPLE
    }  # fmt: skip
    limited_to_own = {"marts.dim_stage", "marts_ru.fct_deals", "marts_ru.dim_manager"}
    open_to_all = {"marts.kpi_company_period", "marts.fct_call_sessions"} | limited_to_own
    assert seen == {
        "nobody_yet": set(),
        "anna": limited_to_own,
        "north": limited_to_own,
        "head": open_to_all,
        # Nobody said what is personal in a view of somebody's own, and quarantine is as a whole.
        "officer": open_to_all | {"quarantine.crm_deals", 'marts_ru."сделки"'},
    }


def test_marts_under_russian_names_have_the_rows_and_masks_of_the_marts(limited):
    publish_to_postgres(limited, ALL)
    managers = 'select "Сотрудник", "Имя", "Почта" from marts_ru.dim_manager order by 1'
    masked = [("m1", "Анна", "***"), ("m2", "Борис", None), ("m3", "Вера", "***")]
    assert sees(limited, "head", managers) == masked
    assert sees(limited, "north", managers) == masked[:2]
    assert sees(limited, "anna", managers) == masked[:1]
    assert sees(limited, "officer", managers)[0] == ("m1", "Анна", "anna@ours.ru")
    assert is_refused(limited, "head", "marts_ru_personal.dim_manager")
    for role in ("head", "anna", "north"):
        rows = 'select sum("Сумма"), count(distinct "Сотрудник") from marts_ru.fct_deals'
        same = "select sum(amount), count(distinct manager_id) from marts.fct_deals"
        assert sees(limited, role, rows) == sees(limited, role, same)
    with admin(limited) as connection:
        found = connection.execute(
            "select indexdef from pg_indexes where schemaname = 'marts_ru' order by 1"
        ).fetchall()
    assert [text.partition("USING ")[2] for (text,) in found] == [
        'btree ("Сотрудник")', 'btree ("Сделка")'
    ]  # fmt: skip


def test_the_catalogue_does_not_say_how_many_rows_there_are(limited):
    """Everybody reads pg_class; the planner still knows the values."""
    publish_to_postgres(limited, ALL)
    counted = (
        "select nspname || '.' || relname, reltuples from pg_class as c "
        "join pg_namespace as n on n.oid = relnamespace "
        "where nspname !~ '^(pg_|information)' and reltuples > 0"
    )
    assert sees(limited, "anna", counted) == []
    stats = "select count(*) from pg_stats where schemaname = 'marts'"
    assert sees(limited, "anna", stats + " and tablename = 'fct_deals'") == [(0,)]
    with admin(limited) as connection:
        of_deals = connection.execute(
            "select attname, n_distinct from pg_stats where schemaname = 'marts' "
            "and tablename = 'fct_deals' and attname in ('manager_id', 'deal_id') order by 1"
        ).fetchall()
        unwatched = connection.execute(
            "select bool_and('autovacuum_enabled=false' = any(reloptions)) from pg_class as c "
            "join pg_namespace as n on n.oid = relnamespace "
            "where nspname in ('marts', 'quarantine') and relkind = 'r'"
        ).fetchall()
    assert of_deals == [("deal_id", -1.0), ("manager_id", pytest.approx(-0.15))]
    assert unwatched == [(True,)]


def test_a_manager_whose_key_holds_nul_is_seen_by_his_team(limited):
    write_published(
        limited, "20260101T000000001Z-a",
        more=MORE + """
        insert into marts.dim_manager values ('m' || chr(0) || '2', 'NUL', 'x@y', 'North'),
            ('m␀2', 'sign', 'y@z', 'North'), ('m\\'';select', 'quotes', null, 'North');
        update marts.fct_deals set manager_id = 'm' || chr(0) || '2' where deal_id = 'd2';
        """,
    )  # fmt: skip
    publish_to_postgres(limited, ALL)
    deals = (
        "select deal_id, manager_id, manager_name from marts.fct_deals "
        "join marts.dim_manager using (manager_id) where deal_id = 'd2' order by 3"
    )
    both = [("d2", "m␀2", "NUL"), ("d2", "m␀2", "sign")]
    assert sees(limited, "north", deals) == both
    assert sees(limited, "head", deals) == both
    assert sees(limited, "anna", deals) == []
    quotes = "select manager_id from marts.dim_manager where manager_name = 'quotes'"
    assert sees(limited, "north", quotes) == [("m\\';select",)]


def test_a_change_of_the_mapping_is_another_version(limited):
    publish_to_postgres(limited, ALL)
    write_build(limited, ("anna", "manager", "m3"), ("anna", "team", "X"), ("north", "team", "Y"))
    done = publish_to_postgres(limited, ALL)
    assert done.rows > 0
    assert done.notes == [
        "access_roles: anna has nobody to see, there is no team X.",
        "access_roles: north has nobody to see, there is no team Y.",
    ]
    managers = "select distinct manager_id from marts.fct_deals"
    assert sees(limited, "anna", managers) == [("m3",)]
    assert sees(limited, "north", managers) == []
    url = limited.postgres_url.get_secret_value()
    with psycopg.connect(url) as admin:
        left = admin.execute("select nspname from pg_namespace where nspname ~ '__'").fetchall()
    assert left == []


def test_without_access_the_reader_reads_all_as_it_is(target, roles):
    settings = target(postgres_reader="t_reader")
    write_published(settings, "20260101T000000001Z-a", more=MORE)
    publish_to_postgres(settings, ALL)
    assert sees(settings, "head", "select customer_number from marts.fct_call_sessions") == [
        ("+79120001122",)
    ]
    assert is_refused(settings, "officer", "marts.fct_deals")


def test_roles_that_cannot_be_limited_are_refused(limited):
    write_build(limited, ("head", "team", "North"), ("ghost", "manager", "m1"))
    with pytest.raises(TargetFailed, match="2 roles of access_roles") as caught:
        publish_to_postgres(limited, ALL)
    assert caught.value.details == [
        "ghost: there is no such role; create it",
        "head: is a member of t_reader, which sees every row",
    ]


def test_a_build_without_the_mapping_is_refused(limited):
    limited.build_file.unlink()
    duckdb.connect(str(limited.build_file)).close()
    with pytest.raises(TargetFailed, match="the build has no"):
        publish_to_postgres(limited, ALL)


@pytest.mark.parametrize(
    ("role", "viewer"),
    [
        ("anna", Viewer("anna", managers=frozenset({"m1"}))),
        ("north", Viewer("north", managers=frozenset({"m1", "m2"}))),
        ("head", Viewer("t_reader")),
        ("officer", Viewer("t_personal", is_personal=True)),
    ],
)
def test_the_server_shows_each_role_what_postgres_shows_it(limited, role, viewer):
    with duckdb.connect(str(limited.published_file)) as published:
        published.execute(
            "create schema metrics; create table metrics.semantic_manifest as select "
            """'{"semantic_models": [], "metrics": [], "saved_queries": [],
                 "project_configuration": {"time_spines": []}}' as manifest"""
        )
        write_access(published, ALL)
    publish_to_postgres(limited, ALL)
    warehouse = Warehouse(limited)

    def served(table: str) -> list[tuple] | None:
        try:
            with warehouse.session(viewer) as session:
                return session.connection.execute(f"select * from {table}").fetchall()
        except NotAllowed:
            return None

    found = {}
    for model in [it for it in ALL if it.schema == "marts"]:
        table = model.full_name
        rows = (
            None
            if is_refused(limited, role, table)
            else sees(limited, role, f"select * from {table}")
        )
        found[table] = None if rows is None else sorted(rows, key=repr)
        mine = served(table)
        assert (None if mine is None else sorted(mine, key=repr)) == found[table], table
    assert (found["marts.kpi_company_period"] is None) == (viewer.managers is not None)
    assert any(rows for rows in found.values())
    is_shown = not is_refused(limited, role, "quarantine.crm_deals")
    assert (served("quarantine.crm_deals") is not None) == is_shown == viewer.is_personal
    warehouse.close()
