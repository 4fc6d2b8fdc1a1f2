import errno
import fcntl
import hashlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.base.errors import ChecksFailed, PublicationFailed, RefreshRefused
from orchestration.base.files import sync
from orchestration.base.record import SHRINK, STEPS, CheckOutcome, Record
from orchestration.base.settings import Settings
from orchestration.base.sql import attach
from orchestration.models.dbt import PublishedModel
from orchestration.publication import publish as publication
from orchestration.publication.publish import publish, publish_news
from tests.conftest import query

FACTS = PublishedModel(
    "marts",
    "fct_things",
    ("thing_id",),
    "One row per 'thing'.",
    {"amount": "Money; base currency."},
)
DAILY = PublishedModel("marts", "kpi_daily", (), "", {})
BAD = PublishedModel("quarantine", "crm_things", (), "Rows that broke a rule.", {})
CARD = PublishedModel(
    "metrics", "card", ("week",), "A card.", {"week": "Its day."}, is_scorecard=True
)
MODELS = [DAILY, FACTS, BAD]
RAW_ZONE = """
create schema zone;
create table zone.files as
select 'crm.things' as table_name, 'a' as file, 2::bigint as rows, 99::bigint as bytes;
create table zone.schema_drift
(table_name varchar, file varchar, column_name varchar, data_type varchar)
"""
PASSED = CheckOutcome("unique", "dbt", "marts.fct_things", "error", "pass", 0)
WARNED = CheckOutcome("codes", "gx", "crm.things", "warn", "warn", 3, "3 unknown codes")


def checked(*outcomes: CheckOutcome) -> Record:
    return Record(
        raw_dir="/raw", raw_files=2, raw_rows=10, checks=list(outcomes),
        finished_steps=list(STEPS[:-1]),
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path) -> Settings:
    found = Settings(data_dir=tmp_path / "data")
    found.build_dir.mkdir(parents=True)
    build(found)
    with duckdb.connect(str(found.raw_zone_file)) as connection:
        connection.execute(RAW_ZONE)
    return found


def build(settings: Settings, rows: int = 1_000, order: str = "asc") -> None:
    """Build files as dbt writes them; quarantine is a view that names its catalogue."""
    for file in settings.build_files:
        file.unlink(missing_ok=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(
            """
            create schema intermediate; create schema staging;
            create table staging.base as select 'x' as thing_id, ['amount: range'] as reasons;
            create table intermediate.int_refresh__as_of as select date '2026-02-28' as as_of_date;
            """
        )
    with duckdb.connect(str(settings.marts_file)) as connection:
        attach(connection, settings.build_file)
        connection.execute(
            f"""
            create schema marts; create schema quarantine; create schema state;
            create table state.of__fct_things as select 'a' as version;
            create table marts.fct_things as
            select 'id' || (i * 7919 % {rows}) as thing_id,
                (i * 7919 % {rows})::decimal(18, 4) as amount,
                make_timestamptz(2026, 1, 1, 0, 0, 0.0, 'UTC') as happened_at,
                [i * 7919 % {rows}] as list
            from range({rows}) as t(i) order by i {order};
            create table marts.kpi_daily as select date '2026-01-01' as date_day, 'a' as manager_id;
            create view quarantine.crm_things as select * from voronka_build.staging.base;
            """
        )


def digests(settings: Settings) -> dict[str, str]:
    folder = settings.published_dir / "parquet"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.parquet")
        if path.is_file()
    }


def rows_of(parquet: Path) -> int:
    with duckdb.connect() as connection:
        ((count,),) = connection.execute(f"select count(*) from '{parquet}'").fetchall()
    return int(count)


def names(settings: Settings) -> set[str]:
    """What lies in the published directory, folders of publications by one name."""
    return {
        "parquet-*" if path.name.startswith("parquet-") else path.name
        for path in settings.published_dir.iterdir()
    }


def test_what_is_published(settings):
    done = publish(settings, MODELS, checked(PASSED, WARNED), "1.2.3")
    file = settings.published_file
    assert done.as_of_date == date(2026, 2, 28)
    assert done.rows == {
        "marts.fct_things": 1_000,
        "marts.kpi_daily": 1,
        "quarantine.crm_things": 1,
    }
    assert query(file, "select min(amount), typeof(any_value(amount)) from marts.fct_things") == [
        (0, "DECIMAL(18,4)")
    ]
    assert query(
        file,
        "select publication_id, project_version, as_of_date, raw_dir, raw_files, raw_rows, "
        "rows_quarantined, checks_passed, checks_warned, checks_failed from quality.publication",
    ) == [(done.publication_id, "1.2.3", date(2026, 2, 28), "/raw", 2, 10, 1, 1, 1, 0)]
    assert query(file, "select check_name, status, failing_rows from quality.checks") == [
        ("unique", "pass", 0),
        ("codes", "warn", 3),
    ]
    assert query(file, "select * from quality.raw_files") == [("crm.things", "a", 2, 99)]
    assert query(file, "select reasons from quarantine.crm_things") == [(["amount: range"],)]


def test_descriptions_are_comments(settings):
    publish(settings, MODELS, checked(), "1")
    assert query(
        settings.published_file,
        "select comment from duckdb_tables() where table_name = 'fct_things' union all "
        "select comment from duckdb_columns() where column_name = 'amount'",
    ) == [("One row per 'thing'.",), ("Money; base currency.",)]


def test_rows_of_parquet_lie_in_the_order_of_the_grain(settings):
    publish(settings, MODELS, checked(), "1")
    file = settings.published_dir / "parquet/fct_things.parquet"
    found = duckdb.sql(f"select thing_id from '{file}'").fetchall()
    assert len(found) == 1_000 and found == sorted(found)


def test_nothing_private_is_published(settings):
    publish(settings, MODELS, checked(), "1")
    schemas = "select distinct schema_name from duckdb_tables() order by all"
    assert query(settings.published_file, schemas) == [("marts",), ("quality",), ("quarantine",)]
    assert query(settings.published_file, "from quarantine.crm_things") == [
        ("x", ["amount: range"])
    ]


def test_what_a_killed_writer_left_beside_the_file_is_published(settings):
    code = (
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute(\"insert into marts.kpi_daily values ('2026-01-02', 'b')\")\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, settings.marts_file], check=True)
    assert Path(f"{settings.marts_file}.wal").exists()
    publish(settings, MODELS, checked(), "1")
    assert query(settings.published_file, "select count(*) from marts.kpi_daily") == [(2,)]


MONTHLY = PublishedModel(
    "marts", "fct_days", ("day_id",), "A day.", {}, month_column="day"
)  # fmt: skip


def build_days(settings: Settings, *sql: str) -> None:
    build(settings)
    with duckdb.connect(str(settings.marts_file)) as connection:
        connection.execute(
            "create table marts.fct_days as select day_id, date '2026-01-30' + day_id as day "
            "from unnest([3, 1, 0, 2]) as t(day_id) union all select 9, null"
        )
        for statement in sql:
            connection.execute(statement)


def inodes(settings: Settings) -> dict[str, int]:
    folder = settings.published_dir / "parquet/fct_days.parquet"
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_a_large_fact_has_a_file_for_each_month_and_only_changed_months_are_written(settings):
    build_days(settings)
    publish(settings, [MONTHLY], checked(), "1")
    folder = settings.published_dir / "parquet"
    assert [
        (path.name, duckdb.sql(f"select day_id from '{path}'").fetchall())
        for path in sorted((folder / "fct_days.parquet").iterdir())
    ] == [
        ("2026-01.parquet", [(0,), (1,)]),
        ("2026-02.parquet", [(2,), (3,)]),
        ("none.parquet", [(9,)]),
    ]
    (table,) = json.loads((folder / "manifest.json").read_text())["tables"]
    assert (table["file"], table["rows"], table["sha256"]) == ("fct_days.parquet", 5, None)
    assert [(file["file"], file["rows"]) for file in table["files"]] == [
        ("fct_days.parquet/2026-01.parquet", 2),
        ("fct_days.parquet/2026-02.parquet", 2),
        ("fct_days.parquet/none.parquet", 1),
    ]
    first, same = inodes(settings), digests(settings)
    build_days(settings, "insert into marts.fct_days values (4, '2026-02-03')")
    publish(settings, [MONTHLY], checked(), "1", folder.resolve())
    second = inodes(settings)
    assert {name for name in first if first[name] == second[name]} == {
        "2026-01.parquet", "none.parquet",
    }  # fmt: skip
    assert duckdb.sql(f"select count(*) from '{folder}/fct_days.parquet/*.parquet'").fetchall() == [
        (6,)
    ]
    build_days(settings)
    publish(settings, [MONTHLY], checked(), "1")
    assert digests(settings) == same
    assert not set(inodes(settings).values()) & set(second.values())


def test_a_mart_whose_rows_are_as_they_were_is_not_written_again(settings):
    build(settings)
    publish(settings, MODELS, checked(), "1")
    folder = settings.published_dir / "parquet"
    before = {path.name: path.stat().st_ino for path in folder.glob("*.parquet")}
    with duckdb.connect(str(settings.marts_file)) as connection:
        connection.execute("update marts.kpi_daily set manager_id = 'b'")
    publish(settings, MODELS, checked(), "1", folder.resolve())
    after = {path.name: path.stat().st_ino for path in folder.glob("*.parquet")}
    assert {name for name in before if before[name] == after[name]} == {"fct_things.parquet"}
    described = json.loads((folder / "manifest.json").read_text())["tables"]
    assert {
        table["file"]: (table["rows"], table["sha256"]) for table in described
    } == {
        name: (len(duckdb.sql(f"from '{folder / name}'")), digest)
        for name, digest in digests(settings).items()
    }  # fmt: skip


def test_a_large_fact_without_rows_has_a_file_with_its_columns(settings):
    build_days(settings, "delete from marts.fct_days")
    publish(settings, [MONTHLY], checked(), "1")
    folder = settings.published_dir / "parquet/fct_days.parquet"
    assert [path.name for path in folder.iterdir()] == ["none.parquet"]
    found = duckdb.sql(f"from '{folder}/*.parquet'")
    assert (found.columns, found.fetchall()) == (["day_id", "day"], [])


def test_parquet_files_have_the_same_bytes_for_the_same_rows_in_any_order(settings):
    build(settings, rows=300_000)
    publish(settings, MODELS, checked(), "1")
    first = digests(settings)
    build(settings, rows=300_000, order="desc")
    publish(settings, MODELS, checked(), "1")
    assert set(first) == {"fct_things.parquet", "kpi_daily.parquet"}
    assert digests(settings) == first
    folder = settings.published_dir / "parquet"
    assert duckdb.sql(f"select count(*) from '{folder}/fct_things.parquet'").fetchall() == [
        (300_000,)
    ]


def test_the_manifest_lists_every_parquet_file(settings):
    done = publish(settings, MODELS, checked(), "1")
    folder = settings.published_dir / "parquet"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["publication_id"] == done.publication_id
    daily, facts = manifest["tables"]
    assert {path.name for path in folder.glob("*.parquet")} == {daily["file"], facts["file"]}
    assert digests(settings) == {table["file"]: table["sha256"] for table in (daily, facts)}
    assert facts["bytes"] == (folder / "fct_things.parquet").stat().st_size
    assert (facts["table"], facts["rows"], facts["grain"], facts["description"]) == (
        "marts.fct_things", 1_000, ["thing_id"], "One row per 'thing'.",
    )  # fmt: skip
    assert facts["columns"] == [
        {"name": "thing_id", "type": "VARCHAR", "description": ""},
        {"name": "amount", "type": "DECIMAL(18,4)", "description": "Money; base currency."},
        {"name": "happened_at", "type": "TIMESTAMP WITH TIME ZONE", "description": ""},
        {"name": "list", "type": "BIGINT[]", "description": ""},
    ]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o444), (0o077, 0o400)])
def test_nobody_can_write_the_published_files_and_who_reads_them_is_the_companys_choice(
    settings, umask, mode
):
    before = os.umask(umask)
    try:
        publish(settings, MODELS, checked(), "1")
    finally:
        os.umask(before)
    paths = [settings.published_file, *(settings.published_dir / "parquet").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {mode}


def test_a_reader_keeps_the_version_it_opened(settings):
    publish(settings, MODELS, checked(), "1")
    with duckdb.connect(str(settings.published_file), read_only=True) as reader:
        build(settings, rows=5)
        publish(settings, MODELS, checked(), "1")
        assert reader.execute("select count(*) from marts.fct_things").fetchall() == [(1_000,)]
    assert query(settings.published_file, "select count(*) from marts.fct_things") == [(5,)]


def test_the_set_before_stays_for_its_readers_and_older_ones_go(settings):
    for _ in range(4):
        publish(settings, MODELS, checked(), "1")
    folders = sorted(settings.published_dir.glob("parquet-*"))
    assert len(folders) == 2
    assert os.readlink(settings.published_dir / "parquet") == folders[-1].name


@pytest.mark.parametrize(
    "record",
    [
        checked(replace(PASSED, status="fail", failing_rows=1)),
        checked(replace(PASSED, status="error")),
        replace(checked(), finished_steps=["raw zone", "models"]),
        Record(),
    ],
    ids=["failed", "broken", "unchecked", "nothing built"],
)
def test_nothing_is_published_without_passed_checks(settings, record):
    publish(settings, MODELS, checked(), "1")
    before = settings.published_file.stat().st_ino
    with pytest.raises(ChecksFailed):
        publish(settings, MODELS, record, "1")
    assert settings.published_file.stat().st_ino == before


def test_a_set_gives_way_to_half_of_it_where_that_is_accepted(settings):
    models = [DAILY, replace(FACTS, counts_events=True), BAD]
    count = "select count(*) from marts.fct_things"
    build(settings, rows=40)
    publish(settings, models, checked(), "1")
    build(settings, rows=19)
    with pytest.raises(RefreshRefused) as refused:
        publish(settings, models, checked(), "1")
    assert refused.value.details == ["marts.fct_things: 19 rows, 40 before"]
    assert query(settings.published_file, count) == [(40,)]
    publish(settings, models, replace(checked(), accepted=[SHRINK]), "1")
    assert query(settings.published_file, count) == [(19,)]


def test_a_failed_publication_leaves_the_old_set_and_nothing_else(settings):
    publish(settings, MODELS, checked(), "1")
    before = (settings.published_file.stat().st_ino, digests(settings))
    missing = PublishedModel("marts", "not_built", (), "", {})
    with pytest.raises(PublicationFailed, match="The published file is the old one"):
        publish(settings, [*MODELS, missing], checked(), "1")
    assert (settings.published_file.stat().st_ino, digests(settings)) == before
    assert names(settings) == {"voronka.duckdb", "latest", "parquet", "parquet-*"}


def test_a_full_disk_leaves_the_old_set_and_nothing_else(settings, tmp_path):
    publish(settings, MODELS, checked(), "1")
    before = (settings.published_file.stat().st_ino, digests(settings))
    build(settings, rows=400_000)
    script = tmp_path / "publish.py"
    script.write_text(
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from orchestration.base.errors import PublicationFailed\n"
        "from orchestration.publication.publish import publish\n"
        "from orchestration.base.settings import Settings\n"
        "from tests.unit.test_publication import MODELS, checked\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        f"settings = Settings(data_dir=Path({str(settings.data)!r}))\n"
        "try:\n"
        "    publish(settings, MODELS, checked(), '1')\n"
        "except PublicationFailed as error:\n"
        "    print(error)\n"
        "    sys.exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert "The disk is full" in done.stdout
    assert (settings.published_file.stat().st_ino, digests(settings)) == before
    assert names(settings) == {"voronka.duckdb", "latest", "parquet", "parquet-*"}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_what_a_killed_publication_left_is_removed(settings):
    settings.published_dir.mkdir(parents=True)
    (settings.published_dir / "voronka.duckdb.123.tmp").write_text("half")
    (settings.published_dir / "voronka.duckdb.123.tmp.wal").write_text("half")
    (settings.published_dir / "parquet-20260101T000000000Z-0.tmp").mkdir()
    publish(settings, MODELS, checked(), "1")
    assert names(settings) == {"voronka.duckdb", "latest", "parquet", "parquet-*"}


@pytest.mark.parametrize(
    ("moment", "is_new"),
    [
        ("voronka.duckdb.*.tmp", False),  # written, under a name of its own
        ("latest", False),
        ("voronka.duckdb", False),
        # The file has its place, the Parquet files beside it do not.
        ("parquet", True),
    ],
)
def test_whenever_a_publication_is_killed_the_file_is_whole_and_the_next_one_mends_the_rest(
    settings, tmp_path, moment, is_new
):
    publish(settings, MODELS, checked(), "1")
    build(settings, rows=2_000)
    # Python tells an audit hook of each file that is opened or renamed, before it is done.
    script = tmp_path / "publish.py"
    script.write_text(
        "import os, signal, sys\n"
        "from fnmatch import fnmatch\n"
        "from pathlib import Path\n"
        "from orchestration.publication.publish import publish\n"
        "from orchestration.base.settings import Settings\n"
        "from tests.unit.test_publication import MODELS, checked\n"
        "def hook(event, arguments):\n"
        "    target = {'os.rename': 1, 'os.chmod': 0}.get(event)\n"
        "    if target is None: return\n"
        f"    if fnmatch(os.path.basename(str(arguments[target])), {moment!r}):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(hook)\n"
        f"publish(Settings(data_dir=Path({str(settings.data)!r})), MODELS, checked(), '1')\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    count = "select count(*) from marts.fct_things"
    assert query(settings.published_file, count) == [(2_000 if is_new else 1_000,)]
    folder = settings.published_dir / "parquet"
    assert rows_of(folder / "fct_things.parquet") == 1_000
    publish(settings, MODELS, checked(), "1")
    assert query(settings.published_file, count) == [(2_000,)]
    assert rows_of(folder / "fct_things.parquet") == 2_000
    assert names(settings) == {"voronka.duckdb", "latest", "parquet", "parquet-*"}
    folders = {path for path in settings.published_dir.glob("parquet-*") if path.is_dir()}
    assert folder.resolve() in folders and len(folders) <= 2


def test_what_others_write_beside_the_set_stays(settings):
    settings.published_dir.mkdir(parents=True)
    for name in ("dashboard.html.123.tmp", "notes.tmp"):
        (settings.published_dir / name).write_text("not ours")
    # A page that somebody is writing: its writer holds a lock.
    with (settings.published_dir / "dashboard.html.123.tmp").open() as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        publish(settings, MODELS, checked(), "1")
    assert {"dashboard.html.123.tmp", "notes.tmp"} < names(settings)


@pytest.mark.parametrize("name", ["parquet", "latest"])
def test_a_copied_folder_gives_way_to_the_link(settings, name):
    (settings.published_dir / name).mkdir(parents=True)
    (settings.published_dir / name / "fct_things.parquet").write_text("old")
    publish(settings, MODELS, checked(), "1")
    assert (settings.published_dir / name).is_symlink()
    assert (settings.published_dir / name / "manifest.json").is_file()


def test_a_failure_after_the_switch_does_not_say_that_the_old_file_is_there(settings, monkeypatch):
    def fail(path: Path) -> None:
        if path == settings.published_dir:
            raise OSError(errno.EIO, "Input/output error")
        sync(path)

    monkeypatch.setattr(publication, "sync", fail)
    with pytest.raises(PublicationFailed) as raised:
        publish(settings, MODELS, checked(), "1")
    assert "The published file is the new one" in raised.value.message


def make_scorecards(settings: Settings) -> None:
    settings.scorecards_file.unlink(missing_ok=True)
    with duckdb.connect(str(settings.scorecards_file)) as connection:
        connection.execute(
            "create schema metrics; create table metrics.card as "
            "select date '2026-01-05' - i::int as week from range(3) as t(i)"
        )


def test_scorecards_are_published_and_the_same_set_again_is_the_same(settings):
    models = [*MODELS, CARD]
    make_scorecards(settings)
    done = publish(settings, models, checked(PASSED), "1")
    file, shape = settings.published_file, (
        "select table_name, comment, estimated_size from duckdb_tables() union all "
        "select table_name || column_name, comment, 0 from duckdb_columns() order by all"
    )  # fmt: skip
    assert done.rows["metrics.card"] == 3
    assert query(file, "select min(week) from metrics.card") == [(date(2026, 1, 3),)]
    assert query(file, "select checks_passed from quality.publication") == [(1,)]
    found, files = query(file, shape), digests(settings)
    assert ("card", "A card.", 3) in found
    publish(settings, models, checked(PASSED), "1")
    assert (query(file, shape), digests(settings)) == (found, files)
    assert names(settings) == {"voronka.duckdb", "latest", "parquet", "parquet-*"}


def news(settings: Settings, record: Record, models=MODELS, version: str = "1") -> bool:
    """Whether there was anything to publish."""
    done = publish_news(settings, models, record, version)
    assert query(settings.published_file, "select publication_id from quality.publication") == [
        (done.publication_id,)
    ]
    assert done.as_of_date == date(2026, 2, 28)
    assert done.rows["marts.fct_things"] == 1_000
    return not done.is_unchanged


def test_what_is_published_already_stays(settings):
    assert news(settings, checked(PASSED))
    before = (digests(settings), settings.published_file.stat().st_ino)
    assert not news(settings, checked(PASSED))
    assert (digests(settings), settings.published_file.stat().st_ino) == before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"record": checked(WARNED)}, id="outcome of a check"),
        pytest.param({"record": replace(checked(PASSED), raw_dir="/other")}, id="raw directory"),
        pytest.param({"record": replace(checked(PASSED), drift=["column"])}, id="drift"),
        pytest.param({"models": [*MODELS[:1], replace(FACTS, description="Other."), BAD]},
                     id="description"),
        pytest.param({"models": [replace(DAILY, russian_names={"date_day": "День"}), FACTS, BAD]},
                     id="Russian name"),
        pytest.param({"version": "2"}, id="version of the project"),
        pytest.param({"sql": "update marts.kpi_daily set manager_id = 'b'"}, id="row"),
        pytest.param({"sql": "create table marts.other as select 1 as thing"}, id="table"),
        pytest.param({"scorecards": True}, id="scorecards"),
        pytest.param({"zone": "update zone.files set bytes = 100"}, id="raw file"),
        pytest.param({"removed": "voronka.duckdb"}, id="published file"),
        pytest.param({"removed": "parquet"}, id="link"),
        pytest.param({"removed": "latest"}, id="second link"),
        pytest.param({"removed": "parquet/fct_things.parquet"}, id="Parquet file"),
    ],
)  # fmt: skip
def test_whatever_changes_is_published(settings, change):
    assert news(settings, checked(PASSED))
    for file, sql in (
        (settings.marts_file, change.get("sql")),
        (settings.raw_zone_file, change.get("zone")),
    ):
        if sql:
            with duckdb.connect(str(file)) as connection:
                connection.execute(sql)
    if change.get("scorecards"):
        make_scorecards(settings)
    if "removed" in change:
        (settings.published_dir / change["removed"]).unlink()
    wanted = {name: change[name] for name in ("models", "version") if name in change}
    record = change.get("record", checked(PASSED))
    assert news(settings, record, **wanted)
    assert not news(settings, record, **wanted)


def test_an_empty_zone_has_no_day(settings):
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("update intermediate.int_refresh__as_of set as_of_date = null")
    assert publish(settings, MODELS, checked(), "1").as_of_date is None
    assert query(settings.published_file, "select as_of_date from quality.publication") == [(None,)]
