"""A fact that stays on a cluster is published as a view of its Parquet, and named everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestration.base.cache import HANDED_OVER
from orchestration.base.outside import FactOnCluster, close_but_for, facts_on_cluster
from orchestration.base.settings import Settings
from orchestration.base.sql import literal
from orchestration.postgres.tables import read_tables
from orchestration.publication.publish import publish, publish_news
from tests.conftest import query

from .test_publication import BAD, DAILY, FACTS, PASSED, RAW_ZONE, build, checked, digests

RUSSIAN = replace(FACTS, russian_names={"thing_id": "Ключ", "amount": "Сумма"})
MODELS = [DAILY, RUSSIAN, BAD]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A build whose fact is a view of Parquet that lies elsewhere."""
    found = Settings(data_dir=tmp_path / "data")
    found.build_dir.mkdir(parents=True)
    build(found)
    with duckdb.connect(str(found.raw_zone_file)) as connection:
        connection.execute(RAW_ZONE)
    with duckdb.connect(str(found.marts_file)) as connection:
        connection.execute(
            f"create table {HANDED_OVER} (schema_name varchar, table_name varchar, "
            "version varchar, is_table boolean, rows bigint, location varchar, described varchar, "
            "files varchar)"
        )
        connection.execute(
            f"insert into {HANDED_OVER} values ('marts', 'fct_things', '', false, 0, '', '', ''), "
            "('marts', 'kpi_daily', '', true, 1, '', '', '')"
        )
        place = tmp_path / "cluster" / "first"
        place.mkdir(parents=True)
        connection.execute(f"copy marts.fct_things to {literal(str(place / 'part-0.parquet'))}")
        connection.execute("drop table marts.fct_things; drop table state.of__fct_things")
    lie_in(found, place)
    return found


def lie_in(settings: Settings, place: Path) -> None:
    """Let the build's view read another place."""
    with duckdb.connect(str(settings.marts_file)) as connection:
        connection.execute(
            "create or replace view marts.fct_things as select thing_id, amount, happened_at, list "
            f"from read_parquet([{literal(str(place / 'part-0.parquet'))}])"
        )
        connection.execute(
            f"update {HANDED_OVER} set version = 'v1', rows = 1000, "
            f"location = {literal(str(place))} where table_name = 'fct_things'"
        )


def test_the_published_file_has_a_view_of_it_with_its_descriptions(
    settings: Settings, tmp_path: Path
) -> None:
    done = publish(settings, MODELS, checked(PASSED), "1")
    place = str(tmp_path / "cluster/first")
    assert done.outside == (FactOnCluster("marts.fct_things", 1_000, place),)
    assert done.rows["marts.fct_things"] == 1_000
    file = settings.published_file
    assert query(file, "select count(*), sum(amount)::int from marts.fct_things") == [
        (1_000, 499_500)
    ]
    assert query(file, 'select count("Ключ") from marts_ru.fct_things') == [(1_000,)]
    views = "select view_name, comment from duckdb_views() where schema_name = 'marts'"
    assert query(file, views) == [("fct_things", "One row per 'thing'.")]
    assert query(file, "from quality.facts_on_cluster") == [("marts.fct_things", 1_000, place)]
    with duckdb.connect(str(file), read_only=True) as connection:
        (fact,) = facts_on_cluster(connection)
    assert str(fact) == f"marts.fct_things: 1,000 rows in {place}"


def test_it_has_no_parquet_copy_and_the_manifest_says_where_it_lies(
    settings: Settings, tmp_path: Path
) -> None:
    publish(settings, MODELS, checked(PASSED), "1")
    assert set(digests(settings)) == {"kpi_daily.parquet"}
    manifest = json.loads((settings.published_dir / "parquet/manifest.json").read_text())
    facts, daily = sorted(manifest["tables"], key=lambda table: table["file"] or "")
    assert daily["file"] == "kpi_daily.parquet"
    assert (facts["table"], facts["file"], facts["files"]) == ("marts.fct_things", None, [])
    assert (facts["rows"], facts["location"]) == (1_000, str(tmp_path / "cluster/first"))
    assert [it["type"] for it in facts["columns"]] == [
        *("VARCHAR", "DECIMAL(18,4)", "TIMESTAMP WITH TIME ZONE", "BIGINT[]")
    ]


def test_it_is_published_again_where_it_lies_in_another_place(
    settings: Settings, tmp_path: Path
) -> None:
    publish_news(settings, MODELS, checked(PASSED), "1")
    again = publish_news(settings, MODELS, checked(PASSED), "1")
    assert again.is_unchanged
    assert [fact.rows for fact in again.outside] == [1_000]
    place = tmp_path / "cluster" / "second"
    (tmp_path / "cluster" / "first").rename(place)
    lie_in(settings, place)
    moved = publish_news(settings, MODELS, checked(PASSED), "1")
    assert not moved.is_unchanged
    assert moved.outside[0].location == str(place)
    assert query(settings.published_file, "select count(*) from marts.fct_things") == [(1_000,)]


def test_a_set_that_holds_all_of_its_facts_names_none(settings: Settings) -> None:
    build(settings)
    done = publish(settings, MODELS, checked(PASSED), "1")
    assert done.outside == ()
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        assert facts_on_cluster(connection) == []


def test_a_closed_session_reads_it_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    publish(settings, MODELS, checked(PASSED), "1")
    other = tmp_path / "cluster" / "first_of_others"
    other.mkdir()
    for place in (other, tmp_path):
        with duckdb.connect() as connection:
            connection.execute(f"copy (select 1) to {literal(str(place / 'a.parquet'))}")
    with duckdb.connect(str(settings.published_file), read_only=True) as connection:
        close_but_for(connection, facts_on_cluster(connection))
        found = connection.execute("select count(*) from marts.fct_things").fetchone()
        assert found == (1_000,)
        for place in (other, tmp_path):
            with pytest.raises(duckdb.PermissionException):
                connection.execute(f"from {literal(str(place / 'a.parquet'))}")
        with pytest.raises(duckdb.Error, match="locked"):
            connection.execute("set allowed_directories = ['/']")


def test_postgres_gets_no_copy_and_says_so(settings: Settings) -> None:
    publish(settings, MODELS, checked(PASSED), "1")
    with duckdb.connect() as connection:
        connection.execute(
            f"attach {literal(str(settings.published_file))} as published (read_only)"
        )
        found = read_tables(connection, "published", MODELS)
    names = {table.full_name for table in found.tables}
    assert "marts.kpi_daily" in names
    assert "quality.facts_on_cluster" in names
    assert not names & {"marts.fct_things", "marts_ru.fct_things"}
    assert any(note.startswith("marts.fct_things: 1,000 rows in ") for note in found.notes)
