"""A raw zone under an s3:// prefix, in a small stand-in for an object store on this machine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import duckdb
import psycopg
import pytest

from orchestration.base.object_store import load_object_store
from orchestration.base.outside import FactOnCluster, close_but_for
from orchestration.base.settings import Settings
from orchestration.base.sql import attach
from orchestration.models.handover import hand_over, handed_over, reach_cluster
from tests.conftest import query, voronka, write_zone
from tests.spark.handed import built, manifest_of, node


class Bucket(BaseHTTPRequestHandler):
    """Lists and serves the files of one directory as the objects of a bucket named `sales`."""

    def __init__(self, root: Path, *arguments) -> None:
        self.root = root
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """A listing of keys, or (a range of) an object."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """An object's size."""
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        url = urlsplit(self.path)
        key = unquote(url.path).removeprefix("/sales").strip("/")
        if not key:
            prefix = parse_qs(url.query).get("prefix", [""])[0]
            return self._send(200, self._listing(prefix), with_body)
        if not (self.root / key).is_file():
            return self._send(404, b"", with_body)
        body = (self.root / key).read_bytes()
        wanted = self.headers.get("Range")
        if wanted is None:
            return self._send(200, body, with_body)
        first, last = (int(end) for end in wanted.removeprefix("bytes=").split("-"))
        return self._send(
            206, body[first : last + 1], with_body, f"bytes {first}-{last}/{len(body)}"
        )

    def _listing(self, prefix: str) -> bytes:
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        keys = [str(path.relative_to(self.root)) for path in files]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key>"
            f"<Size>{(self.root / key).stat().st_size}</Size></Contents>"
            for key in keys
            if key.startswith(prefix)
        )
        return (
            "<ListBucketResult><IsTruncated>false</IsTruncated>" + contents + "</ListBucketResult>"
        ).encode()

    def _send(self, code: int, body: bytes, with_body: bool, content_range: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The bucket's directory, and the environment that finds it."""
    root = tmp_path / "bucket"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Bucket, root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield (
            root,
            {
                "DUCKDB_S3_ENDPOINT": f"localhost:{server.server_port}",
                "DUCKDB_S3_USE_SSL": "false",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "local",
            },
        )
    finally:
        server.shutdown()
        server.server_close()


def test_a_zone_in_an_object_store_is_published_in_postgres_too(tmp_path, store, postgres, parsed):
    """A whole refresh from the one place far away to the other."""
    root, environment = store
    write_zone(
        root / "exports/raw",
        {
            "crm.managers": [{"manager_id": "m1", "full_name": "Анна"}],
            "crm.leads": [{"lead_id": "l1", "manager_id": "m1", "created_at": "2026-02-01"}],
        },
    )
    environment["VORONKA_DATA_DIR"] = str(parsed(tmp_path / "data"))
    environment["VORONKA_POSTGRES_URL"] = url = postgres.create_database("object_store")
    done = voronka("refresh", "--raw-dir", "s3://sales/exports/raw", env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    published = tmp_path / "data/published/voronka.duckdb"
    assert query(published, "select lead_id, manager_id from marts.fct_leads") == [("l1", "m1")]
    version = "select publication_id from quality.publication"
    with psycopg.connect(url) as reader:
        assert reader.execute(version).fetchall() == query(published, version)
        leads = reader.execute("select lead_id, manager_id from marts.fct_leads").fetchall()
    assert leads == [("l1", "m1")]
    assert re.search(r"Postgres: 127\.0\.0\.1:\d+/object_store, \d+ tables", done.stdout)
    assert "s3cret" not in done.stdout


class Catalogue:
    """A cluster that describes tables whose files lie in the bucket, and runs nothing."""

    def rows(self, sql: str) -> list[tuple[str, ...]]:
        """The answer to `describe table extended`, of a table that is divided by months."""
        schema, name = sql.replace("`", "").rpartition(" ")[2].split(".")
        return [
            *(("id", "bigint", None), ("partition_month", "date", None)),
            *(("# Partition Information", "", ""), ("partition_month", "date", None)),
            *(("# Detailed Table Information", "", ""), ("Provider", "parquet", "")),
            ("Location", f"s3a://sales/warehouse/{schema}.db/{name}", ""),
        ]

    def run(self, sql: str) -> None:
        """Nothing is to be run."""
        raise AssertionError(sql)

    def named_rows(self, sql: str) -> list[dict[str, str | None]]:
        """Nothing is asked so."""
        raise AssertionError(sql)


def test_a_warehouse_in_an_object_store_is_handed_over(tmp_path, store, monkeypatch):
    root, environment = store
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for schema, name in (("voronka_marts", "fct_calls"), ("voronka_staging", "stg_calls")):
        place = root / f"warehouse/{schema}.db/{name}"
        for month, ids in (("2026-01-01", "2"), ("__HIVE_DEFAULT_PARTITION__", "1")):
            for folder in (f"partition_month={month}", f"_temporary/0/partition_month={month}"):
                (place / folder).mkdir(parents=True)
                with duckdb.connect() as connection:
                    file = place / folder / "part-0.snappy.parquet"
                    connection.execute(f"copy (select {ids}::bigint as id) to '{file}'")
    settings = Settings(data_dir=tmp_path / "data", engine="spark")
    manifest = manifest_of(
        node("marts", "fct_calls", {"id": "bigint"}, ["id"]), node("staging", "stg_calls")
    )
    for limit, is_table in ((10, True), (1, False)):
        settings = settings.model_copy(update={"local_facts_rows": limit})
        hand_over(settings, manifest, Catalogue(), built(manifest))
        fact = {it.full_name: it for it in handed_over(settings)}["marts.fct_calls"]
        assert (fact.rows, fact.is_table) == (2, is_table)
        assert fact.location == "s3://sales/warehouse/voronka_marts.db/fct_calls"
        with duckdb.connect() as connection:
            attach(connection, *settings.build_files)
            load_object_store(connection, fact.location)
            for table in ("voronka_marts.marts.fct_calls", "voronka_build.staging.stg_calls"):
                assert connection.execute(f"from {table} order by id").fetchall() == [(1,), (2,)]
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        reach_cluster(connection)
        assert connection.execute("select sum(id) from staging.stg_calls").fetchall() == [(3,)]
    # As a question does that may read nothing else.
    with duckdb.connect(str(settings.marts_file), read_only=True) as connection:
        load_object_store(connection, fact.location)
        close_but_for(connection, [FactOnCluster(fact.full_name, fact.rows, fact.location)])
        assert connection.execute("select sum(id) from marts.fct_calls").fetchall() == [(3,)]
        with pytest.raises(duckdb.PermissionException):
            connection.execute("from read_parquet('s3://sales/warehouse/**/*.parquet')")
