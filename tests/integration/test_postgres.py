"""Publishing into a real Postgres: what arrives, what readers see meanwhile, what goes wrong."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pytest
from pydantic import SecretStr

from orchestration.base.errors import TargetFailed
from orchestration.base.record import STEPS, Record, utc_now
from orchestration.base.settings import Settings
from orchestration.cli.doctor import examine
from orchestration.postgres import publish as module
from orchestration.postgres.inspect import inspect
from orchestration.postgres.publish import publish_to_postgres
from orchestration.postgres.target import Target
from orchestration.publication.publish import Publication, publish
from tests.conftest import ROOT, clean_environment
from tests.integration.conftest import DEALS, MODELS, write_published
from tests.postgres import Server
from tests.unit import test_publication as unit


def connect(settings: Settings, **options) -> psycopg.Connection:
    return psycopg.connect(settings.postgres_url.get_secret_value(), autocommit=True, **options)


def ask(settings: Settings, sql: str) -> list[tuple]:
    with connect(settings) as connection:
        return connection.execute(sql).fetchall()


def schemas(settings: Settings) -> set[str]:
    found = ask(settings, "select nspname from pg_namespace where nspname !~ '^(pg_|inform)'")
    return {name for (name,) in found} - {"public"}


LIVE = {"marts", "marts_ru", "quality", "quarantine"}
THINGS = [unit.FACTS, unit.BAD]
SHOWN = "select publication_id from quality.publication"


def test_tables_keys_indexes_comments_and_grants(target):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    done = publish_to_postgres(settings, MODELS)
    assert (done.publication_id, done.tables, done.notes) == ("20260101T000000001Z-a", 6, [])
    assert schemas(settings) == LIVE
    assert ask(settings, "select sum(amount), count(*) from marts.fct_deals") == [
        (Decimal("237.50"), 20)
    ]
    # A view of the file is a table here; what Postgres cannot hold is told in text.
    assert ask(settings, 'select max("сумма") from marts_ru."сделки"') == [(Decimal("23.75"),)]
    assert ask(settings, "select deal_id, reasons from quarantine.crm_deals") == [
        ("d␀9", '["amount: type","Ё"]')
    ]
    assert ask(
        settings,
        "select obj_description('marts.fct_deals'::regclass), "
        "col_description('marts.fct_deals'::regclass, 3)",
    ) == [("One row per 'deal'.", 'Money; base currency: ёж \\ %s "x".')]
    found = ask(
        settings,
        "select tablename, regexp_replace(indexdef, '.*USING', '') from pg_indexes "
        "where schemaname like 'marts%' order by 1, 2",
    )
    assert found == [
        ("dim_manager", " btree (manager_id)"),
        ("fct_deals", " btree (created_on)"),
        ("fct_deals", " btree (deal_id)"),
        ("fct_deals", " btree (manager_id)"),
        ("kpi_daily", " btree (date_day, manager_id)"),
        ("kpi_daily", " btree (manager_id)"),
    ]
    assert ask(settings, "select reltuples from pg_class where relname = 'fct_deals'") == [(20,)]
    with connect(settings) as reader:
        reader.execute("set role voronka_reader")
        assert reader.execute("select count(*) from quarantine.crm_deals").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("delete from marts.fct_deals")


def test_every_type_arrives_with_its_values(target):
    settings = target()
    write_published(
        settings,
        "20260101T000000001Z-a",
        more="""
        create schema metrics;
        create table metrics.all_types as select
            sum(i) as huge, 18446744073709551615::ubigint as u8, 4294967295::uinteger as u4,
            255::utinyint as u1, 'b'::enum('a', 'b') as kind, {'a': [1, null], 'b': 'x'} as pair,
            map {'k': 2} as dict, [date '2026-01-01'] as days,
            12345678.12345678::decimal(38, 8) as d,
            'nan'::double as nan, 'inf'::double as inf, time '23:59:59.000001' as clock,
            timestamp_ns '2026-01-01 00:00:00.123456789' as fine, '\\x00\\xff'::blob as bytes,
            timestamptz '2026-01-01 03:00:00.5+03' as moment, null as nothing,
            '6f1d3c1e-0000-4000-8000-000000000001'::uuid as id, interval '1 month 2 days' as span,
            '{"a": 1}'::json as doc, true as yes, 1.5::float as single, (-32768)::smallint as small
        from range(5) as t(i);""",
    )
    publish_to_postgres(settings, MODELS)
    with connect(settings) as connection:
        connection.execute("set timezone = 'UTC'")
        cursor = connection.execute("select * from metrics.all_types")
        found = dict(zip((c.name for c in cursor.description), cursor.fetchone(), strict=True))
    text = {name: str(value) for name, value in found.items()}
    assert text == {
        "huge": "10", "u8": "18446744073709551615", "u4": "4294967295", "u1": "255", "kind": "b",
        "pair": '{"a":[1,null],"b":"x"}', "dict": '{"k":2}', "days": '["2026-01-01"]',
        "d": "12345678.12345678", "nan": "nan", "inf": "inf", "clock": "23:59:59.000001",
        "fine": "2026-01-01 00:00:00.123456", "bytes": "b'\\x00\\xff'",
        "moment": "2026-01-01 00:00:00.500000+00:00", "nothing": "None",
        "id": "6f1d3c1e-0000-4000-8000-000000000001", "span": "32 days, 0:00:00",
        "doc": '{"a": 1}', "yes": "True", "single": "1.5", "small": "-32768",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("create table marts.x as select 'infinity'::date as until", "marts.x.until: 1 values"),
        ("create table marts.x as select '-infinity'::timestamptz as t", "marts.x.t: 1 values"),
        ("create table marts.x as select 10::hugeint ** 38 as n union select 1", None),
        (
            "create table marts.x as select 170141183460469231731687303715884105727::hugeint as n",
            "marts.x.n: 1 values of HUGEINT are beyond 38 digits",
        ),
        ("create table marts.x as select '123'::bignum as n", "marts.x.n: Postgres has no type"),
        (f"create table marts.{'я' * 32} as select 1 as x", "has more than 63 bytes"),
    ],
    ids=["infinite date", "infinite time", "doubles pass", "too long a number", "type", "name"],
)
def test_what_postgres_cannot_hold_is_refused_before_anything_changes(target, more, said):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    publish_to_postgres(settings, MODELS)
    write_published(settings, "20260101T000000002Z-b", more=more + ";")
    if said is None:
        publish_to_postgres(settings, MODELS)
        return
    with pytest.raises(TargetFailed, match="cannot go to Postgres") as caught:
        publish_to_postgres(settings, MODELS)
    assert said in str(caught.value)
    assert ask(settings, SHOWN) == [("20260101T000000001Z-a",)]
    assert schemas(settings) == LIVE


def test_a_key_that_cannot_be_one_is_left_out_and_told(target):
    settings = target()
    write_published(
        settings, "20260101T000000001Z-a",
        more="insert into marts.kpi_daily values (null, 'm1', 0, 0, ''); "
        "insert into marts.fct_deals values (repeat('x', 9000), 'm1', 1, null, '');",
    )  # fmt: skip
    assert publish_to_postgres(settings, MODELS).notes == [
        "marts.fct_deals has no primary key: its values are too long for an index.",
        "marts.kpi_daily has no primary key: date_day may be NULL.",
    ]


def test_a_long_name_of_a_column_is_cut_and_its_comment_begins_with_it(target):
    settings = target()
    long = "Медиана рабочего времени ответа, "
    write_published(
        settings, "20260101T000000001Z-a",
        more=f'create table marts_ru.x as select 1 as "{long}мин", 2 as "{long}час", 3 as y; '
        f"comment on column marts_ru.x.\"{long}час\" is 'In hours.';",
    )  # fmt: skip
    publish_to_postgres(settings, MODELS)
    with connect(settings) as reader:
        cursor = reader.execute("select * from marts_ru.x")
        assert [column.name for column in cursor.description] == [
            "Медиана рабочего времени ответа…", "Медиана рабочего времени ответ… 2", "y",
        ]  # fmt: skip
        assert cursor.fetchall() == [(1, 2, 3)]
    assert ask(
        settings, "select col_description('marts_ru.x'::regclass, n) from generate_series(1, 3) n"
    ) == [(f"{long}мин",), (f"{long}час: In hours.",), (None,)]


def test_the_same_version_is_not_loaded_again_and_gone_schemas_go(target):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    assert publish_to_postgres(settings, MODELS).rows > 0
    assert publish_to_postgres(settings, MODELS).rows == 0
    other = target(postgres_reader="someone_else")
    assert publish_to_postgres(other, MODELS).rows > 0, "other grants are another version"
    write_published(settings, "20260101T000000002Z-b", more="drop schema marts_ru cascade;")
    publish_to_postgres(settings, MODELS)
    assert schemas(settings) == LIVE - {"marts_ru"}


def test_polling_readers_see_one_version_a_statement_and_no_error(target):
    settings = target()
    write_published(settings, "20260101T000000000Z-0")
    publish_to_postgres(settings, MODELS)
    stop, errors, mixed, seen = threading.Event(), [], [], Counter()
    sql = (
        "select distinct d.version, k.version, p.publication_id from quality.publication as p "
        "cross join marts.fct_deals as d join marts.kpi_daily as k using (manager_id)"
    )

    def read(prepare: bool) -> None:
        try:
            with connect(settings) as connection:
                while not stop.is_set():
                    rows = connection.execute(sql, prepare=prepare).fetchall()
                    if len(rows) != 1 or len(set(rows[0])) != 1:
                        mixed.append(rows)
                    seen[rows[0][0]] += 1
                    time.sleep(0.001)
        except psycopg.Error as error:
            errors.append(error)

    readers = [threading.Thread(target=read, args=(i % 2 == 0,)) for i in range(2)]
    for reader in readers:
        reader.start()
    for swap in range(1, 16):
        write_published(settings, f"20260101T0000000{swap:02}Z-{swap}")
        publish_to_postgres(settings, MODELS)
    stop.set()
    for reader in readers:
        reader.join()
    assert (errors, mixed) == ([], [])
    assert len(seen) > 10, "readers saw most of the versions"
    assert schemas(settings) == LIVE


def test_a_long_reader_keeps_its_version_and_holds_nobody_up(target):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    publish_to_postgres(settings, MODELS)
    with connect(settings) as reader, reader.transaction():
        cursor = reader.cursor("slow")
        cursor.itersize = 1
        cursor.execute("select version from marts.fct_deals")
        assert cursor.fetchone() == ("20260101T000000001Z-a",)
        write_published(settings, "20260101T000000002Z-b")
        start = time.monotonic()
        done = publish_to_postgres(settings, MODELS)
        assert time.monotonic() - start < 8
        assert done.notes == ["A replaced version is still read; the next refresh removes it."]
        assert ask(settings, SHOWN) == [("20260101T000000002Z-b",)]
        assert {row[0] for row in cursor} == {"20260101T000000001Z-a"}
    assert len(schemas(settings)) == 2 * len(LIVE)
    write_published(settings, "20260101T000000003Z-c")
    assert publish_to_postgres(settings, MODELS).notes == []
    assert schemas(settings) == LIVE


def test_a_view_that_people_built_is_not_dropped(target):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    publish_to_postgres(settings, MODELS)
    with connect(settings) as people:
        people.execute(
            "create schema own; create view own.v as select version from marts.fct_deals"
        )
    write_published(settings, "20260101T000000002Z-b")
    (note,) = publish_to_postgres(settings, MODELS).notes
    assert "kept" in note and "view own.v depends on" in note
    assert ask(settings, "select distinct version from own.v") == [("20260101T000000001Z-a",)]


def test_a_load_that_is_killed_leaves_the_old_version_and_the_next_one_works(target, tmp_path):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    publish_to_postgres(settings, MODELS)
    write_published(settings, "20260101T000000002Z-b", deals=500_000)
    code = (
        "from orchestration.postgres.publish import publish_to_postgres\n"
        "from orchestration.base.settings import load_settings\n"
        "publish_to_postgres(load_settings(), [])\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        env={
            **clean_environment(),
            "VORONKA_DATA_DIR": str(tmp_path),
            "VORONKA_POSTGRES_URL": settings.postgres_url.get_secret_value(),
        },
    )
    while not ask(settings, "select 1 from pg_stat_activity where query ~ '^COPY' "
                  "and datname = current_database() and state = 'active'"):  # fmt: skip
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert "marts__new" in schemas(settings)
    assert ask(settings, SHOWN) == [("20260101T000000001Z-a",)]
    write_published(settings, "20260101T000000003Z-c")
    publish_to_postgres(settings, MODELS)
    assert ask(settings, "select distinct version from marts.fct_deals") == [
        ("20260101T000000003Z-c",)
    ]
    assert schemas(settings) == LIVE


def test_a_schema_of_somebody_else_is_refused_and_a_prefix_goes_around_it(target):
    settings = target()
    with connect(settings) as people:
        people.execute("create schema marts; create table marts.theirs as select 1 as x")
    write_published(settings, "20260101T000000001Z-a")
    with pytest.raises(TargetFailed, match="VORONKA_POSTGRES_PREFIX") as caught:
        publish_to_postgres(settings, MODELS)
    assert caught.value.details == ["marts: not made by Voronka"]
    assert schemas(settings) == {"marts"}
    publish_to_postgres(target(postgres_prefix="sales_"), MODELS)
    assert schemas(settings) == {"marts", *(f"sales_{name}" for name in LIVE)}
    assert ask(settings, "select x from marts.theirs") == [(1,)]


@pytest.mark.parametrize("prefix", ["x__old_", "x__new", "a__old_20260101t000000001z"])
def test_a_prefix_may_look_like_what_comes_and_goes(target, prefix):
    settings = target(postgres_prefix=prefix[:20])
    live = {f"{prefix[:20]}{name}" for name in LIVE}
    for number in (1, 2, 3):
        write_published(settings, f"20260101T00000000{number}Z-{number}")
        assert publish_to_postgres(settings, MODELS).rows > 0
        assert schemas(settings) == live
    assert ask(settings, f"select * from {prefix[:20]}quality.publication") == [
        ("20260101T000000003Z-3",)
    ]
    assert publish_to_postgres(settings, MODELS).rows == 0


@pytest.mark.parametrize(
    "name",
    ["own__new", "own__old_20260101t000000001z", "a_schema_of_40_characters_" + "x" * 14],
)
def test_a_schema_that_could_not_be_replaced_is_refused(target, name):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    publish_to_postgres(settings, MODELS)
    write_published(
        settings, "20260101T000000002Z-b",
        more=f"create schema {name}; create table {name}.t as select 1 as x;",
    )  # fmt: skip
    with pytest.raises(TargetFailed, match=f"{name} cannot be a schema in Postgres"):
        publish_to_postgres(settings, MODELS)
    assert ask(settings, SHOWN) == [("20260101T000000001Z-a",)]


def test_a_publication_that_is_replaced_by_itself_twice_waits_for_no_reader(target):
    """Other grants are another version of the same publication."""
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    publish_to_postgres(settings, MODELS)
    with connect(settings) as reader, reader.transaction():
        reader.execute("select * from marts.fct_deals")
        for role in ("other", "third"):
            publish_to_postgres(target(postgres_reader=role), MODELS)
        # The one between them nobody reads, so it is gone.
        assert len(schemas(settings)) == 2 * len(LIVE)
    assert publish_to_postgres(settings, MODELS).notes == []
    assert schemas(settings) == LIVE


def test_keys_with_nul_join_and_are_no_primary_key_where_they_could_be_equal(target):
    settings = target()
    write_published(
        settings, "20260101T000000001Z-a",
        more="""
        insert into marts.dim_manager values
            ('m' || chr(0) || '2', 'NUL', null, 'North'), ('m␀2', 'sign', null, 'North');
        update marts.fct_deals set manager_id = 'm' || chr(0) || '2' where deal_id = 'd1';
        """,
    )  # fmt: skip
    assert publish_to_postgres(settings, MODELS).notes == [
        "marts.dim_manager has no primary key: its values hold NUL, shown as ␀."
    ]
    found = ask(
        settings,
        "select manager_name from marts.fct_deals join marts.dim_manager using (manager_id) "
        "where deal_id = 'd1' order by 1",
    )
    assert found == [("NUL",), ("sign",)]


def test_two_loaders_take_turns(target, monkeypatch):
    settings = target()
    write_published(settings, "20260101T000000001Z-a")
    where = Target.of(settings)
    with where.connect() as other:
        with module._only_loader(other, where):
            monkeypatch.setattr(module, "LOCK_WAIT", 0.3)
            with pytest.raises(TargetFailed, match=r"Another refresh .* session \d+ from"):
                publish_to_postgres(settings, MODELS)
        publish_to_postgres(settings, MODELS)


def test_a_login_with_few_rights_is_told_what_it_lacks(target, postgres: Server):
    settings = target()
    name = settings.postgres_url.get_secret_value().rsplit("/", 1)[1]
    with connect(settings) as admin:
        admin.execute("drop role if exists poor; create role poor login password 's3cret'")
        admin.execute("drop role if exists bi_reader")
    write_published(settings, "20260101T000000001Z-a")
    poor = target(postgres_url=postgres.url(name, user="poor"), postgres_reader="bi_reader")
    with pytest.raises(TargetFailed, match='create role "bi_reader" nologin'):
        publish_to_postgres(poor, MODELS)
    bad = [finding for finding in examine(poor) if finding.grade == "bad"]
    assert len(bad) == 2 and "may not create schemas" in bad[0].text
    with connect(settings) as admin:
        admin.execute("create role bi_reader")
        with pytest.raises(TargetFailed, match="permission denied for database"):
            publish_to_postgres(poor, MODELS)
        admin.execute(f"grant create on database {name} to poor")
    publish_to_postgres(poor, MODELS)
    assert inspect(poor) == (f"Postgres 16 at {Target.of(poor).address}, as poor", [])
    with connect(settings) as admin:
        admin.execute("drop owned by poor cascade; drop role poor; drop role bi_reader")


@pytest.mark.parametrize("where", ["wrong password", "nobody listens", "no URL"])
def test_no_message_tells_the_password(target, postgres: Server, where):
    url = {
        "wrong password": postgres.url("postgres", password="hun%22ter2"),
        "nobody listens": "postgresql://postgres:hunter2@127.0.0.1:1/x",
        "no URL": "postgresql://postgres:hunter2@[::1/x",
    }[where]
    settings = target(postgres_url=url)
    write_published(settings, "20260101T000000001Z-a")
    with pytest.raises(Exception, match=r"Postgres|POSTGRES") as caught:
        publish_to_postgres(settings, MODELS)
    _, troubles = inspect(settings)
    assert len(troubles) == 1
    assert not re.search("hunter|ter2", f"{caught.value} {caught.value.__cause__} {troubles}")


def test_what_duckdb_says_is_told_without_the_password(target, postgres: Server, monkeypatch):
    settings = target()
    name = settings.postgres_url.get_secret_value().rsplit("/", 1)[1]
    write_published(settings, "20260101T000000001Z-a")
    own = psycopg.connect(postgres.conninfo(name), autocommit=True)
    monkeypatch.setattr(Target, "connect", lambda self: own)
    wrong = target(postgres_url=postgres.url(name, password="hun%22ter2"))
    with pytest.raises(TargetFailed, match="could not be loaded") as caught:
        publish_to_postgres(wrong, MODELS)
    assert "password authentication failed" in str(caught.value)
    assert not re.search("hun|ter2", str(caught.value))


def test_without_postgres_the_file_stays_published_and_the_next_refresh_catches_up(
    postgres: Server, tmp_path, monkeypatch
):
    import dagster as dg
    from typer.testing import CliRunner

    from orchestration import refresh as command
    from orchestration.cli import app
    from orchestration.defs.postgres import build_postgres
    from orchestration.defs.resources import REFRESH_LOCK

    shutil.copy(ROOT / "dbt_project.yml", tmp_path)
    # A port that nobody listens on stands for a server that is down.
    down = Settings(
        project_dir=tmp_path, data_dir=tmp_path / "data",
        postgres_url="postgresql://bi:hunter2@127.0.0.1:1/bi",
    )  # fmt: skip
    done = published_by_a_refresh(down)

    def refresh(settings: Settings, **options: object) -> Record:
        """The last step of one."""
        lock = dg.ResourceDefinition.none_resource()
        asset = build_postgres(settings, THINGS)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        dg.materialize(
            [asset], resources={REFRESH_LOCK: lock}, raise_on_error=False, run_config=quiet
        )
        return Record.load(settings.record_file)

    def run(name: str, settings: Settings) -> tuple[int, str]:
        monkeypatch.setattr(command, "refresh", refresh)
        # This process runs other tests, too.
        monkeypatch.setattr(command, "yield_to_readers", lambda: None)
        env = {
            "COLUMNS": "250",
            "VORONKA_PROJECT_DIR": str(tmp_path),
            "VORONKA_DATA_DIR": str(tmp_path / "data"),
            "VORONKA_POSTGRES_URL": settings.postgres_url.get_secret_value(),
        }
        result = CliRunner().invoke(app, [name], env=env)
        assert "hunter2" not in result.output
        assert isinstance(result.exception, SystemExit | None), repr(result.exception)
        return result.exit_code, " ".join(result.output.split())

    code, said = run("refresh", down)
    assert code == 3, said
    assert "Postgres: not loaded" in said and str(down.published_file) in said
    assert "Postgres at 127.0.0.1:1/bi does not answer" in said
    assert "the next refresh catches up" in said
    code, said = run("status", down)
    assert (code, "Postgres shows an older version" in said) == (1, True)
    assert "hunter2" not in down.record_file.read_text() + down.postgres_file.read_text()

    up = down.model_copy(update={"postgres_url": SecretStr(postgres.create_database("late"))})
    code, said = run("refresh", up)
    assert code == 0, said
    assert ask(up, SHOWN) == [(done.publication_id,)]
    assert ask(up, "select count(*) from marts.fct_things") == [(1_000,)]
    code, said = run("status", up)
    assert (code, "has the same version" in said) == (0, True), said


def published_by_a_refresh(settings: Settings) -> Publication:
    """A published file with all that `voronka status` reads."""
    settings.build_dir.mkdir(parents=True)
    unit.build(settings)
    with duckdb.connect(str(settings.raw_zone_file)) as connection:
        connection.execute(unit.RAW_ZONE)
    record = unit.checked()
    done = publish(settings, THINGS, record, "1")
    record.started_at, record.finished_steps = utc_now(), list(STEPS)
    record.save(settings.record_file)
    settings.dashboard_file.write_text("a page")
    return done


def test_every_mart_of_the_demo_has_the_values_of_the_file(
    demo_publication: Path, target, tmp_path
):
    from orchestration.models.dbt import published_models

    settings = target(data_dir=demo_publication.parents[1])
    manifest = json.loads((settings.target_dir / "manifest.json").read_text())
    models = published_models(manifest)
    assert publish_to_postgres(settings, models).tables >= 54
    with (
        duckdb.connect(str(demo_publication), read_only=True) as file,
        connect(settings) as server,
    ):
        for session in (file, server):
            session.execute("set timezone = 'UTC'")
        for model in models:
            name = f'"{model.schema}"."{model.name}"'
            types = file.execute(f"describe {name}").fetchall()
            columns = ", ".join(
                f'to_json("{c[0]}")::varchar' if c[1].endswith("[]") else f'"{c[0]}"' for c in types
            )
            expected = file.execute(f"select {columns} from {name}").fetchall()
            found = server.execute(f"select * from {name}").fetchall()
            assert Counter(found) == Counter(expected), name
        keys = server.execute(
            "select conrelid::regclass::text from pg_constraint where contype = 'p' "
            "and connamespace <> 'pg_catalog'::regnamespace"
        ).fetchall()
        commented = server.execute(
            "select count(*) from pg_description where classoid = 'pg_class'::regclass "
            "and objoid in (select oid from pg_class where relnamespace = 'marts'::regnamespace)"
        ).fetchall()
        in_file = file.execute(
            "select (select count(comment) from duckdb_columns() where schema_name = 'marts') "
            "+ (select count(comment) from duckdb_tables() where schema_name = 'marts')"
        ).fetchall()
    assert {name for (name,) in keys} == {m.full_name for m in models if m.grain}
    assert commented == in_file
    assert DEALS.full_name in {name for (name,) in keys}
